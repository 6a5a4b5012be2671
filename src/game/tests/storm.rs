//! Many matches of random rules, played by people who err, repeat themselves and run out of time.
//!
//! After every step the stored actions must replay to the stored match, and what a seat was told must name only cards
//! that it may know. A failure names its seed; `WHOTBOX_STORM_SEED` plays that one again, `WHOTBOX_STORM` sets how many.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::table::{Table, options, table};
use crate::base::entropy::{Entropy, SeededEntropy};
use crate::base::id::GameId;
use crate::base::text::ClientId;
use crate::game::history::{Frame, replay};
use crate::game::play::Play;
use crate::game::records::Board;
use crate::whot::action::Action;
use crate::whot::card::{Card, Seat, Shape};
use crate::whot::state::Phase;

/// A run of steps that no match reaches under these options.
const PATIENCE: usize = 5_000;

struct Dice(Box<dyn Entropy>);

impl Dice {
    fn below(&self, n: usize) -> usize {
        usize::from(u16::from_le_bytes(self.0.bytes())) % n
    }

    fn pick<T: Clone>(&self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn options(&self) -> Value {
        json!({
            "hand_size": 3 + self.below(8),
            "start_card": self.pick(&["plain", "any"]),
            "pick_two": self.pick(&["stack", "cancel", "none"]),
            "pick_three": self.pick(&["stack", "cancel", "none", "off"]),
            "whot_defends": self.pick(&[true, false]),
            "general_market": self.pick(&["keep", "pass"]),
            "market_empty": self.pick(&["count", "reshuffle"]),
            "reshuffle_limit": self.below(3),
            "voluntary_draw": self.pick(&[true, false]),
            "draw_then_play": self.pick(&[true, false]),
            "special_finish": self.pick(&[true, false]),
            "last_card_call": self.pick(&["auto", "required"]),
            "match_target": 1 + self.below(3),
            "timeout_limit": self.pick(&[0, 3]),
        })
    }

    /// Anything a client could send: mostly illegal.
    fn action(&self) -> Action {
        let card = Card::new(self.below(54) as u64).unwrap();
        let shape = self.pick(&[None, Some(Shape::Star), Some(Shape::Circle)]);
        self.pick(&[Action::Draw, Action::Pass, Action::Play { card, shape, call: self.pick(&[true, false]) }])
    }
}

/// Something happens to the match. Whether it goes on.
fn step(table: &Table, game: GameId, dice: &Dice) -> bool {
    let view = table.shown(game, Seat::Zero).view;
    if view.phase == Phase::MatchOver {
        return false;
    }
    let seat = dice.pick(&Seat::BOTH);
    match (view.turn, dice.below(10)) {
        (_, 0..3) => {
            // A refusal changes nothing; by chance it may be legal, which is as good.
            let before = table.session(game);
            if table.play(game, seat, dice.action()).is_err() {
                assert!(table.session(game) == before);
            }
        }
        (Some(turn), 3) => {
            let seq = view.seq;
            let done = table.run(move |service, tx, now| service.time_out(tx, now, game, seq));
            assert!(done.unwrap(), "{turn:?} runs out of time");
        }
        (None, _) => table.ready(game, seat).unwrap(),
        (Some(turn), _) => {
            let mut legal = table.shown(game, turn).view.legal;
            legal.pop();
            let client_id = Some(format!("{}", view.seq).parse::<ClientId>().unwrap());
            let play = Play { action: dice.pick(&legal), client_id, expected_seq: Some(view.seq) };
            let (first, again) = (table.send(game, turn, play.clone()).unwrap(), table.send(game, turn, play));
            assert!(again.is_ok_and(|again| again.replayed && again.seq == first.seq));
        }
    }
    true
}

/// Every card that a frame names, wherever it stands.
fn named(frame: &Frame) -> BTreeSet<u64> {
    let mut cards = BTreeSet::new();
    let mut add = |value: &Value| match value {
        Value::Array(list) => cards.extend(list.iter().filter_map(Value::as_u64)),
        one => cards.extend(one.as_u64()),
    };
    let view = json!(frame.shown.view);
    ["hand", "pile", "drawn"].iter().for_each(|field| add(&view[*field]));
    let listed = view["legal"]
        .as_array()
        .unwrap()
        .iter()
        .chain(json!(frame.events).as_array().unwrap())
        .cloned()
        .collect::<Vec<_>>();
    for item in &listed {
        add(&item["card"]);
        add(&item["cards"]);
    }
    cards
}

/// Plays the whole match again from its rows beside what each seat is told; how many frames told of a live round.
fn compare(table: &Table, game: GameId) -> (usize, usize) {
    let (session, mut live, mut foreign) = (table.session(game), 0, 0);
    let told = Seat::BOTH.map(|seat| table.frames(game, seat, None).items);
    let mut at = 0;
    for round in table.rounds(game).iter().filter(|round| round.seed.is_some()) {
        let last = replay(&session, round, |game, _| {
            for seat in Seat::BOTH {
                let frame = &told[usize::from(seat.index())][at];
                assert_eq!((frame.seq, frame.shown.view.seq), (game.seq(), game.seq()));
                if session.void || !game.phase().is_live() {
                    continue;
                }
                let state = json!(game.full_state());
                let cards =
                    |value: &Value| value.as_array().unwrap().iter().filter_map(Value::as_u64).collect::<BTreeSet<_>>();
                let hand = |seat: Seat| cards(&state["hands"][usize::from(seat.index())]);
                let known = &hand(seat) | &cards(&state["pile"]);
                assert!(named(frame).is_subset(&known), "seq {}: {:?}", frame.seq, seat);
                live += 1;
                let others = &hand(seat.other()) | &cards(&state["pile"]);
                foreign += usize::from(!named(frame).is_subset(&others));
            }
            at += 1;
        });
        if round.round == session.dealt().unwrap().state.round {
            assert!(Board::Dealt(last.unwrap().to_stored()) == session.board);
        }
    }
    assert_eq!(at, told[0].len(), "no frame is left over");
    (live, foreign)
}

fn storm(seed: u64) {
    let (table, dice) = (table(), Dice(Box::new(SeededEntropy::new(seed))));
    let game = table.open(options(&dice.options()));
    let ended = (0..PATIENCE).any(|n| {
        if n % 64 == 0 {
            compare(&table, game);
        }
        !step(&table, game, &dice)
    });
    assert!(ended, "the match ends");
    let (live, foreign) = compare(&table, game);
    assert!(live > 0 && foreign > 0, "the control: by the other's cards the same check fails");
}

#[test]
fn whatever_players_do_the_rows_replay_and_nothing_hidden_is_told() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("WHOTBOX_STORM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WHOTBOX_STORM").unwrap_or(10),
    };
    for seed in seeds {
        eprintln!("WHOTBOX_STORM_SEED={seed}");
        storm(seed);
    }
}
