//! Random matches over random option sets, a third of all actions wild: the laws of sections 12.5 and 20 at every step.

use std::collections::BTreeSet;

use serde_json::json;
use whotbox::whot::action::{Action, Actor};
use whotbox::whot::card::Seat;
use whotbox::whot::event::Event;
use whotbox::whot::matches::{Match, replay};
use whotbox::whot::options::{Options, Preset};
use whotbox::whot::record::{Outcome, canonical};
use whotbox::whot::refusal::Refusal;
use whotbox::whot::shuffle::Seed;
use whotbox::whot::state::Phase;
use whotbox::whot::stored::{StoredMatch, StoredResult};

use crate::whot::oracle::Oracle;
use crate::whot::random::{Random, for_seeds};

/// No match of the small targets used here takes more rounds; it would mean that one does not end.
const MOST_ROUNDS: u32 = 500;

/// Accepted actions of the running round, by what rules 20.2 bounds.
#[derive(Default)]
struct RoundCount {
    draws: u32,
    plays: u32,
    passes: u32,
}

impl RoundCount {
    fn note(&mut self, before: Phase, action: &Action) {
        match action {
            Action::NextRound { .. } => *self = Self::default(),
            Action::Play { .. } => self.plays += 1,
            Action::Pass => self.passes += 1,
            Action::Timeout if before == Phase::AfterDraw => self.passes += 1,
            Action::Draw | Action::Timeout => self.draws += 1,
            Action::Resign => {}
        }
    }

    #[track_caller]
    fn check(&self, game: &Match, reshuffles: u32) {
        let refills = 52 * reshuffles;
        assert!(self.draws <= 53 - 2 * u32::from(game.options().hand_size()) + refills);
        assert!(self.plays <= 53 + refills);
        assert!(self.passes <= self.draws);
    }
}

#[track_caller]
fn check_laws(game: &Match) -> StoredMatch {
    let stored = game.to_stored();
    let state = &stored.state;
    let [zero, one] = state.hands;
    let mut all = zero | one;
    state.market.iter().chain(&state.pile).for_each(|id| all |= 1 << id);
    let count = zero.count_ones() as usize + one.count_ones() as usize + state.market.len() + state.pile.len();
    assert_eq!((count, all), (54, (1 << 54) - 1), "exactly the 54 cards");
    let live = matches!(game.phase(), Phase::Play | Phase::AfterDraw);
    assert!(!live || (zero != 0 && one != 0 && !state.market.is_empty()), "a live hand or market is empty");
    stored
}

/// Tries one wild action: it gets exactly the code of the text, and a refused one changes nothing at all.
fn try_wild(random: &mut Random, oracle: &Oracle, game: &mut Match) -> Option<(Actor, Action)> {
    let (actor, action) = random.wild_action();
    let expected = oracle.code(game, actor, &action);
    let before = game.clone();
    let mut events = Vec::new();
    let refused = game.apply_into(actor, &action, &mut events).err();
    assert_eq!(
        refused.map(|refusal| refusal.code()),
        expected,
        "{actor:?} {action:?} in {:?}",
        before.view(Seat::Zero)
    );
    if refused.is_none() {
        return Some((actor, action));
    }
    assert!(*game == before && events.is_empty(), "{action:?} was refused and changed something");
    None
}

fn one_match(seed: u64) {
    let mut random = Random::new(seed);
    let (options, json) = random.options();
    let (first_starter, round_seed) = (random.seat(), random.seed());
    let oracle = Oracle::new(&json);
    let (mut game, _) = Match::start(options, first_starter, round_seed);
    let mut actions = Vec::new();
    let mut count = RoundCount::default();
    while game.phase() != Phase::MatchOver {
        let before = game.phase();
        let wild = if random.chance(30) { try_wild(&mut random, &oracle, &mut game) } else { None };
        let done = wild.unwrap_or_else(|| {
            let (actor, action) = random.fair_action(&game);
            game.apply(actor, &action).unwrap_or_else(|refusal| panic!("{action:?} is legal but {refusal}"));
            (actor, action)
        });
        actions.push(done);
        count.note(before, &done.1);
        let stored = check_laws(&game);
        count.check(&game, stored.state.reshuffles);
        if random.chance(3) {
            for seat in Seat::BOTH {
                assert_eq!(game.legal(seat), oracle.legal(&game, seat));
            }
            let restored = Match::from_stored(&stored).expect("what was stored");
            assert_eq!(restored, game);
        }
        assert!(game.round() < MOST_ROUNDS, "the match does not end");
    }
    assert_eq!(game.seq(), actions.len() as u64);
    assert!(Seat::BOTH.iter().all(|seat| game.legal(*seat).is_empty()));
    replays_the_same(&game, options, first_starter, round_seed, &actions);
}

/// Rules 20.3, through the compact codes of 12.3.
fn replays_the_same(game: &Match, options: Options, first_starter: Seat, seed: Seed, actions: &[(Actor, Action)]) {
    let coded = actions.iter().map(|(actor, action)| {
        let seed = if let Action::NextRound { seed } = action { Some(*seed) } else { None };
        let code = action.code().expect("an accepted action has a code");
        let back = Actor::from_code(actor.code()).zip(Action::from_code(code, seed)).expect("its code");
        assert_eq!(back, (*actor, *action));
        back
    });
    let mut told = 0;
    let again = replay(options, first_starter, seed, coded, |_, events| told += events.len()).expect("accepted");
    assert_eq!(again, *game);
    assert!(told > actions.len());
}

#[test]
fn random_matches_obey_every_law() {
    for_seeds(5_000, 100_000, one_match);
}

/// Without this the wild actions could all be refused for one dull reason.
#[test]
fn wild_actions_meet_every_refusal() {
    let mut met = BTreeSet::new();
    let mut random = Random::new(5);
    for _ in 0..200 {
        let mut game = random.start();
        while game.phase() != Phase::MatchOver {
            for _ in 0..3 {
                let (actor, action) = random.wild_action();
                met.extend(game.refusal(actor, &action));
            }
            let (actor, action) = random.fair_action(&game);
            game.apply(actor, &action).expect("legal");
        }
        met.extend(game.refusal(Actor::Seat(Seat::Zero), &Action::Resign));
    }
    assert_eq!(met.into_iter().collect::<Vec<_>>(), Refusal::ALL);
}

#[test]
fn outcomes_are_written_canonically_as_they_stand() {
    for_seeds(20, 500, |seed| {
        let mut random = Random::new(seed);
        let mut game = random.start();
        while game.phase() != Phase::MatchOver {
            let (actor, action) = random.fair_action(&game);
            let events: Vec<Event> = game.apply(actor, &action).expect("legal");
            let outcome = Outcome::of(&game, &events);
            let text = serde_json::to_string(&outcome).expect("JSON");
            assert_eq!(text, canonical(&serde_json::from_str(&text).expect("JSON")));
        }
    });
}

#[test]
fn a_stored_match_survives_and_a_damaged_one_is_refused() {
    let mut random = Random::new(1);
    let (good, _) = Match::start(Options::default(), Seat::One, random.seed());
    let text = serde_json::to_string(&good.to_stored()).expect("JSON");
    let stored: StoredMatch = serde_json::from_str(&text).expect("JSON");
    assert_eq!(Match::from_stored(&stored), Ok(good));

    let damage: [fn(&mut StoredMatch); 15] = [
        |m| m.state.hands[0] = 0,
        |m| m.state.hands[0] |= 1 << 60,
        |m| m.state.market[0] = m.state.market[1],
        |m| m.state.market[0] = 54,
        |m| m.state.pile.clear(),
        |m| m.state.turn = None,
        |m| m.state.phase = 4,
        |m| m.state.called = Some(0),
        |m| m.state.pending = Some((3, 2)),
        |m| m.state.pending = Some((2, 1)),
        |m| m.state.round = 0,
        |m| m.state.winner = Some(0),
        |m| m.state.result = Some(a_result()),
        |m| (m.state.phase, m.state.drawn) = (1, m.state.market.first().copied()),
        |m| m.options.hand_size = 2,
    ];
    for (i, damage) in damage.into_iter().enumerate() {
        let mut bad = stored.clone();
        damage(&mut bad);
        assert!(Match::from_stored(&bad).is_err(), "damage {i}");
    }
}

/// The result of some finished round.
fn a_result() -> StoredResult {
    let (mut game, _) = Match::start(Options::default(), Seat::One, Random::new(1).seed());
    game.apply(Actor::Seat(Seat::One), &Action::Resign).expect("always legal");
    game.to_stored().state.result.expect("a finished round")
}

/// A timeout can only stand before a pass in a position that was made; the text counts all the same (rules 9.5).
#[test]
fn a_pass_ends_a_row_of_timeouts() {
    let mut random = Random::new(6);
    let options = Options::from_json(Preset::Nigerian, &json!({"draw_then_play": true})).expect("options");
    let (mut game, _) = Match::start(options, Seat::Zero, random.seed());
    while game.phase() != Phase::AfterDraw {
        let seat = game.turn_of().expect("still live");
        game.apply(Actor::Seat(seat), &Action::Draw).expect("always legal here");
    }
    let seat = game.turn_of().expect("still live");
    let mut stored = game.to_stored();
    stored.state.timeouts = [2, 2];
    let mut game = Match::from_stored(&stored).expect("a possible state");
    game.apply(Actor::Seat(seat), &Action::Pass).expect("legal after a draw");
    assert_eq!(*game.view(seat).timeouts.of(seat), 0);
    assert_eq!(*game.view(seat).timeouts.of(seat.other()), 2);
}

#[test]
fn debug_shows_no_hidden_card() {
    let (game, _) = Match::start(Options::default(), Seat::Zero, Random::new(2).seed());
    let text = format!("{game:?}");
    assert!(
        text.ends_with("seed: Seed(hidden), state: State { seq: 0, round: 1, phase: Play, turn: Some(Zero), .. } }"),
        "{text}"
    );
}
