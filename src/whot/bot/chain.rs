//! The search of one's own turn: every chain of plays that keeps it, to its end.
//!
//! Looks at nothing hidden: a chain ends where the other is on turn or the round is over, and is scored there.

use crate::whot::bot::score::{WON, Weights, for_each_move, whole};
use crate::whot::bot::table::{Move, Table};
use crate::whot::options::Options;

/// Plays looked at in one search. A hand with every extra-turn card has far more orders than that; the first ones
/// found, which start with every card there is, are then good enough.
const MOST_PLAYS: u32 = 2_000;

/// A move and its score.
#[derive(Clone, Copy, Debug)]
pub(in crate::whot::bot) struct Rated {
    pub(in crate::whot::bot) chosen: Move,
    pub(in crate::whot::bot) score: i32,
}

/// Every move of the turn with the score of the best chain that it starts, best first.
pub(in crate::whot::bot) fn rate(options: &Options, weights: &Weights, table: &Table, may_rest: bool) -> Vec<Rated> {
    let playable = table.playable(options);
    let mut moves = Vec::new();
    for_each_move(table, playable, |card, shape| moves.push(Move::Play(card, shape)));
    if may_rest || moves.is_empty() {
        moves.push(Move::Rest);
    }
    // Each first move has its own share, so that none is cut off by the one before it.
    let share = MOST_PLAYS / u32::try_from(moves.len()).unwrap_or(u32::MAX).max(1);
    let mut rated: Vec<Rated> = moves
        .into_iter()
        .map(|chosen| {
            let score = Search { options, weights, plays_left: share }.score(table, chosen);
            Rated { chosen, score }
        })
        .collect();
    // Stable, so that equal moves stay in the order of card and shape.
    rated.sort_by_key(|rated| std::cmp::Reverse(rated.score));
    rated
}

struct Search<'a> {
    options: &'a Options,
    weights: &'a Weights,
    plays_left: u32,
}

impl Search<'_> {
    fn score(&mut self, table: &Table, chosen: Move) -> i32 {
        let Move::Play(card, shape) = chosen else {
            let taken = table.pending.map_or(1, |pending| pending.count);
            let counted = self.weights.counted(self.options, table, table.hand, taken);
            return counted
                .unwrap_or_else(|| self.weights.rest * whole(taken) + self.weights.left(self.options, table, false));
        };
        let effect = table.effect(self.options, card);
        let after = table.after(card, shape, effect);
        if after.hand.is_empty() {
            return WON;
        }
        if let Some(score) = self.weights.counted(self.options, table, after.hand, effect.at_once) {
            return score;
        }
        let gained = self.weights.play(table, card, effect);
        if !effect.again {
            return gained + self.weights.left(self.options, &after, effect.penalty());
        }
        let stuck = self.weights.dead + self.weights.left(self.options, &after, false);
        let mut best = stuck;
        for_each_move(&after, after.playable(self.options), |card, shape| {
            if self.plays_left > 0 {
                self.plays_left -= 1;
                best = best.max(self.score(&after, Move::Play(card, shape)));
            }
        });
        // A chain that wins is worth the same whatever it gains on its way.
        if best >= WON { WON } else { gained + best }
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_PLAYS, rate};
    use crate::whot::bot::score::{WEIGHTS, WON};
    use crate::whot::bot::table::{Move, Table};
    use crate::whot::card::{Card, CardSet};
    use crate::whot::options::{Options, Preset};
    use crate::whot::state::Pending;

    fn card(name: &str) -> Card {
        Card::from_name(name).expect("a card's name")
    }

    fn table(hand: &[&str], top: &str) -> Table {
        Table {
            hand: hand.iter().map(|name| card(name)).collect(),
            pile: CardSet::of(card(top)),
            other_cards: 6,
            market_cards: 20,
            top: Some(card(top)),
            called: None,
            pending: None,
            drawn: None,
        }
    }

    /// C1, C8, T8, T3 empties the hand; to begin with C8, which counts more, strands C1 or T8.
    #[test]
    fn a_chain_that_empties_the_hand_is_found() {
        let options = Options::preset(Preset::Nigerian);
        let found = rate(&options, &WEIGHTS, &table(&["C1", "C8", "T8", "T3"], "C5"), true);
        let best = found.first().expect("there are plays");
        assert_eq!(best.chosen, Move::Play(card("C1"), None));
        assert!(best.score >= WON && found.iter().skip(1).all(|rated| rated.score < WON), "{found:?}");
    }

    #[test]
    fn under_a_penalty_only_its_number_answers() {
        let options = Options::preset(Preset::Nigerian);
        let mut table = table(&["C1", "C2", "W1"], "X2");
        table.pending = Some(Pending { number: 2, count: 2 });
        let moves: Vec<Move> = rate(&options, &WEIGHTS, &table, true).iter().map(|rated| rated.chosen).collect();
        assert_eq!(moves, [Move::Play(card("C2"), None), Move::Rest]);
    }

    /// Without its bound the search of this hand would look at millions of orders.
    #[test]
    fn a_hand_of_nothing_but_extra_turns_is_searched_to_the_bound() {
        let options = Options::preset(Preset::Nigerian);
        let hand = ["C1", "T1", "X1", "S1", "R1", "C8", "T8", "R8", "C14", "T14", "X14", "S14", "S13", "R7"];
        let found = rate(&options, &WEIGHTS, &table(&hand, "C5"), true);
        assert_eq!(found.len(), 4, "three circles and a draw; {MOST_PLAYS} plays are shared by them");
    }
}
