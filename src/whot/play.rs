//! One accepted action, performed completely (sections 5, 8, 9, 10 and 11 of the rules).
//!
//! Everything here runs after [`State::refusal`] has found nothing, so nothing here refuses. Events are appended to a
//! list the caller may reuse; nothing else is allocated but the scoreboard's history.
//!
//! ```text
//!                    ┌── answered ─▶ penalty grows or is cleared ─▶ other
//!  play ─▶ pile ─┬─▶ pending?                                        │
//!                │   └── none ─▶ 1, 8: same   2, 5: penalty, other   ├─▶ call missed? draw 2 ─▶ turn
//!                │                 14: other draws   else: other     │
//!                └─ hand empty ─▶ round over ─▶ target? ─▶ match over
//!  draw, timeout ─▶ penalty or one card ─▶ other, or the same to play it (after_draw)
//!  any draw may empty the market ─▶ refill from the pile, or count ─▶ round over
//! ```

use crate::whot::card::{Card, CardList, CardSet, PerSeat, Seat, Shape};
use crate::whot::event::{ClearedBy, DrawReason, Event};
use crate::whot::options::{GeneralMarket, LastCardCall, MarketEmpty, MatchKind, Options, Pick, StartCard};
use crate::whot::shuffle::{Seed, deck, shuffle};
use crate::whot::state::{EndReason, HistoryEntry, Pending, Phase, RoundReason, RoundResult, State};

/// Cards drawn for a last card that was not called (rules 8.7).
const MISSED_CALL_CARDS: u32 = 2;

/// The round ended while something was performed; the remaining steps are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ended;

/// One action being performed: the state, what it reads, and the events so far.
pub(in crate::whot) struct Turn<'a> {
    pub(in crate::whot) options: &'a Options,
    pub(in crate::whot) seed: &'a Seed,
    pub(in crate::whot) state: &'a mut State,
    pub(in crate::whot) events: &'a mut Vec<Event>,
}

impl State {
    /// The state before the first deal: no card is dealt yet, so only [`Turn::deal`] may follow.
    pub(in crate::whot) fn before_first_deal() -> Self {
        Self {
            called: None,
            drawn: None,
            end_reason: None,
            hands: PerSeat([CardSet::EMPTY; 2]),
            history: Vec::new(),
            market: CardList::EMPTY,
            pending: None,
            phase: Phase::RoundOver,
            pile: CardList::EMPTY,
            points: PerSeat([0; 2]),
            reshuffles: 0,
            result: None,
            round: 0,
            rounds_won: PerSeat([0; 2]),
            seq: 0,
            starter: Seat::Zero,
            timeouts: PerSeat([0; 2]),
            turn: None,
            winner: None,
        }
    }
}

impl Turn<'_> {
    /// Deals the next round (rules 5).
    pub(in crate::whot) fn deal(&mut self, first_starter: Seat) {
        let round = self.state.round.saturating_add(1);
        let starter = if round % 2 == 1 { first_starter } else { first_starter.other() };
        let mut market = deck(self.seed);
        let mut hands = PerSeat([CardSet::EMPTY; 2]);
        for _ in 0..self.options.hand_size {
            for seat in [starter, starter.other()] {
                market.take_first().into_iter().for_each(|card| hands.of_mut(seat).insert(card));
            }
        }
        let unfit = match self.options.start_card {
            StartCard::Plain => self.options.specials(),
            StartCard::Any => CardSet::WHOTS,
        };
        // 27 cards are fit under every option set and at most 20 are dealt, so the search ends.
        while let Some(card) = market.as_slice().first().copied().filter(|card| unfit.contains(*card)) {
            market.take_first();
            market.push(card);
        }
        let start = market.take_first();
        let state = &mut *self.state;
        *state = State {
            history: std::mem::take(&mut state.history),
            hands,
            market,
            phase: Phase::Play,
            pile: start.into_iter().collect(),
            points: state.points,
            round,
            rounds_won: state.rounds_won,
            seq: state.seq,
            starter,
            turn: Some(starter),
            ..State::before_first_deal()
        };
        if let Some(card) = start {
            let (hand_size, market_cards) = (self.options.hand_size, state.market.len());
            self.events.push(Event::RoundStarted { round, starter, hand_size, card, market_cards });
        }
        for seat in Seat::BOTH {
            self.events.push(Event::Dealt { seat, cards: Some(*hands.of(seat)) });
        }
        self.events.push(Event::Turn { seat: starter, phase: Phase::Play });
    }

    /// Plays a card (rules 8).
    pub(in crate::whot) fn play(&mut self, seat: Seat, card: Card, shape: Option<Shape>, call: bool) {
        let state = &mut *self.state;
        let hand = state.hands.of_mut(seat);
        hand.remove(card);
        let left = hand.len();
        state.pile.push(card);
        state.called = shape;
        state.drawn = None;
        *state.timeouts.of_mut(seat) = 0;
        self.events.push(Event::Played { seat, card, shape });
        let pending = state.pending.take();
        if left == 0 {
            self.end_round(RoundReason::EmptyHand, seat.other());
            return;
        }
        let missed = left == 1 && self.options.last_card_call == LastCardCall::Required && !call;
        if left == 2 {
            self.events.push(Event::SemiLastCard { seat });
        } else if left == 1 && !missed {
            self.events.push(Event::LastCard { seat });
        }
        let next = match pending {
            Some(pending) => Ok(self.answer(seat, card, pending)),
            None => self.effect(seat, card),
        };
        let Ok(next) = next else { return };
        if missed {
            self.events.push(Event::CallMissed { seat });
            if self.take(seat, MISSED_CALL_CARDS, DrawReason::NoCall).is_err() {
                return;
            }
        }
        self.pass_turn(next, None);
    }

    /// A card played under a penalty (rules 8.4); the turn goes to the seat returned.
    fn answer(&mut self, seat: Seat, card: Card, pending: Pending) -> Seat {
        let other = seat.other();
        if card.is_whot() {
            self.events.push(Event::PenaltyCleared { seat, by: ClearedBy::Whot });
        } else if self.options.pick(pending.number) == Pick::Stack {
            let count = pending.count.saturating_add(penalty_cards(pending.number));
            self.penalise(other, Pending { number: pending.number, count });
        } else {
            self.events.push(Event::PenaltyCleared { seat, by: ClearedBy::Number });
        }
        other
    }

    /// The effect of a card's number without a penalty (rules 8.5); the turn goes to the seat returned.
    fn effect(&mut self, seat: Seat, card: Card) -> Result<Seat, Ended> {
        let other = seat.other();
        let number = card.number();
        match number {
            1 | 8 => {
                self.events.push(Event::Skipped { seat: other, number });
                Ok(seat)
            }
            2 | 5 => match self.options.pick(number) {
                Pick::Stack | Pick::Cancel => {
                    self.penalise(other, Pending { number, count: penalty_cards(number) });
                    Ok(other)
                }
                Pick::None => {
                    self.take(other, penalty_cards(number), DrawReason::Penalty)?;
                    Ok(seat)
                }
                Pick::Off => Ok(other),
            },
            14 => {
                self.take(other, 1, DrawReason::GeneralMarket)?;
                Ok(if self.options.general_market == GeneralMarket::Keep { seat } else { other })
            }
            _ => Ok(other),
        }
    }

    fn penalise(&mut self, seat: Seat, pending: Pending) {
        self.state.pending = Some(pending);
        self.events.push(Event::Penalty { seat, number: pending.number, count: pending.count });
    }

    /// The action `draw` of the seat on turn (rules 9.2).
    pub(in crate::whot) fn draw(&mut self, seat: Seat) {
        *self.state.timeouts.of_mut(seat) = 0;
        self.draw_and_pass(seat, self.options.draw_then_play);
    }

    /// Draws the penalty or one card, and ends the turn unless the card may be played at once.
    fn draw_and_pass(&mut self, seat: Seat, may_play: bool) {
        if let Some(pending) = self.state.pending.take() {
            if self.take(seat, pending.count, DrawReason::Penalty).is_ok() {
                self.pass_turn(seat.other(), None);
            }
            return;
        }
        let next = self.state.market.as_slice().first().copied();
        if self.take(seat, 1, DrawReason::Market).is_err() {
            return;
        }
        let drawn = next.filter(|card| may_play && self.state.playable(self.options, seat).contains(*card));
        self.pass_turn(if drawn.is_some() { seat } else { seat.other() }, drawn);
    }

    /// The action `pass` of the seat on turn (rules 9.5).
    pub(in crate::whot) fn pass(&mut self, seat: Seat) {
        *self.state.timeouts.of_mut(seat) = 0;
        self.keep_drawn(seat);
    }

    fn keep_drawn(&mut self, seat: Seat) {
        self.events.push(Event::Passed { seat });
        self.pass_turn(seat.other(), None);
    }

    /// The server's `timeout` for the seat on turn (rules 9.6).
    pub(in crate::whot) fn time_out(&mut self, seat: Seat) {
        let timeouts = self.state.timeouts.of_mut(seat);
        *timeouts = timeouts.saturating_add(1);
        let count = *timeouts;
        self.events.push(Event::TimedOut { seat, count });
        let limit = u32::from(self.options.timeout_limit);
        if limit != 0 && count >= limit {
            self.end_round(RoundReason::Timeout, seat);
        } else if self.state.phase == Phase::AfterDraw {
            self.keep_drawn(seat);
        } else {
            self.draw_and_pass(seat, false);
        }
    }

    /// The action `resign` (rules 6.2, 10.4, 11.6).
    pub(in crate::whot) fn resign(&mut self, seat: Seat) {
        self.events.push(Event::Resigned { seat });
        if self.state.phase.is_live() {
            self.end_round(RoundReason::Resign, seat);
        } else {
            self.end_match(seat.other(), EndReason::Resign);
        }
    }

    /// Ends the turn: this seat is next, to play the drawn card if there is one (rules 8.8).
    fn pass_turn(&mut self, seat: Seat, drawn: Option<Card>) {
        let phase = if drawn.is_some() { Phase::AfterDraw } else { Phase::Play };
        self.state.phase = phase;
        self.state.turn = Some(seat);
        self.state.drawn = drawn;
        self.events.push(Event::Turn { seat, phase });
    }

    /// Draws `count` cards for a seat, refilling on the way; ends the round if the market is exhausted (rules 9.1).
    fn take(&mut self, seat: Seat, count: u32, reason: DrawReason) -> Result<(), Ended> {
        let place = self.events.len();
        let mut cards = CardSet::EMPTY;
        let mut moved = 0;
        let mut exhausted = false;
        self.events.push(Event::Drew { seat, count: moved, reason, cards: None });
        while u32::from(moved) < count && !exhausted {
            if let Some(card) = self.state.market.take_first() {
                cards.insert(card);
                moved += 1;
            }
            exhausted = self.state.market.is_empty() && !self.refill();
        }
        let hand = self.state.hands.of_mut(seat);
        *hand = hand.or(cards);
        // The place was taken first, because the refills on the way are told after it.
        if let Some(event) = self.events.get_mut(place) {
            *event = Event::Drew { seat, count: moved, reason, cards: Some(cards) };
        }
        if exhausted {
            self.end_by_count();
            return Err(Ended);
        }
        Ok(())
    }

    /// Shuffles the pile but its top into the empty market (rules 9.3, 9.4); false if the market is exhausted.
    fn refill(&mut self) -> bool {
        let state = &mut *self.state;
        let allowed = self.options.market_empty == MarketEmpty::Reshuffle
            && state.reshuffles < u32::from(self.options.reshuffle_limit);
        let Some((top, rest)) = state.pile.as_slice().split_last().filter(|(_, rest)| allowed && !rest.is_empty())
        else {
            return false;
        };
        let (top, rest): (Card, CardSet) = (*top, rest.iter().copied().collect());
        state.reshuffles += 1;
        state.pile = [top].into_iter().collect();
        state.market = rest.iter().collect();
        shuffle(self.seed, state.reshuffles, &mut state.market);
        self.events.push(Event::Reshuffled { index: state.reshuffles, market_cards: state.market.len() });
        true
    }

    /// Ends the round for one seat that scores its hand; the other seat wins and scores nothing (rules 10.2, 10.4).
    fn end_round(&mut self, reason: RoundReason, loser: Seat) {
        let mut points = PerSeat([0; 2]);
        *points.of_mut(loser) = self.state.hands.of(loser).points();
        self.finish_round(reason, Some(loser.other()), points);
    }

    /// Ends the round by count (rules 10.3).
    fn end_by_count(&mut self) {
        let points = PerSeat(self.state.hands.0.map(CardSet::points));
        self.finish_round(RoundReason::Count, lower(points), points);
    }

    /// Writes the scoreboard and, where it decides so, ends the match (rules 10.5, 11).
    fn finish_round(&mut self, reason: RoundReason, winner: Option<Seat>, points: PerSeat<u32>) {
        let state = &mut *self.state;
        let (round, starter, hands) = (state.round, state.starter, state.hands);
        let result = RoundResult { hands, points, reason, round, seed: *self.seed, starter, winner };
        state.phase = Phase::RoundOver;
        state.turn = None;
        state.pending = None;
        state.drawn = None;
        state.history.push(HistoryEntry { points, reason, round, starter, winner });
        for seat in Seat::BOTH {
            let total = state.points.of_mut(seat);
            *total = total.saturating_add(*points.of(seat));
        }
        if let Some(winner) = winner {
            let won = state.rounds_won.of_mut(winner);
            *won = won.saturating_add(1);
        }
        state.result = Some(result);
        self.events.push(Event::RoundOver(result));
        if let Some((winner, reason)) = self.decided(reason, winner) {
            self.end_match(winner, reason);
        }
    }

    /// Who has won the match and why, after a round that ended so (rules 11.2 to 11.4).
    fn decided(&self, reason: RoundReason, round_winner: Option<Seat>) -> Option<(Seat, EndReason)> {
        let target = u32::from(self.options.match_target);
        match (reason, self.options.match_kind) {
            (RoundReason::Resign, _) => round_winner.map(|seat| (seat, EndReason::Resign)),
            (RoundReason::Timeout, _) => round_winner.map(|seat| (seat, EndReason::Timeout)),
            (_, MatchKind::Rounds) => round_winner
                .filter(|seat| *self.state.rounds_won.of(*seat) >= target)
                .map(|seat| (seat, EndReason::Target)),
            (_, MatchKind::Points) => {
                let reached = self.state.points.0.iter().any(|total| *total >= target);
                lower(self.state.points).filter(|_| reached).map(|seat| (seat, EndReason::Target))
            }
        }
    }

    fn end_match(&mut self, winner: Seat, reason: EndReason) {
        let state = &mut *self.state;
        state.phase = Phase::MatchOver;
        state.turn = None;
        state.winner = Some(winner);
        state.end_reason = Some(reason);
        let (rounds_won, points) = (state.rounds_won, state.points);
        self.events.push(Event::MatchOver { winner: Some(winner), reason, rounds_won, points });
    }
}

/// Cards of one penalty of this number (rules 8.4): 2 for a 2, 3 for a 5.
const fn penalty_cards(number: u8) -> u32 {
    if number == 5 { 3 } else { 2 }
}

/// The seat with the lower value, if they differ.
fn lower(points: PerSeat<u32>) -> Option<Seat> {
    let [zero, one] = points.0;
    match zero.cmp(&one) {
        std::cmp::Ordering::Less => Some(Seat::Zero),
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => Some(Seat::One),
    }
}
