//! The clock rules with time that the test moves.

use std::time::Duration;

use super::*;
use crate::base::time::{Clock, ManualClock};

const NOON: Timestamp = Timestamp::from_micros(1_795_341_600_000_000);

/// A match between two people at a table whose clock the test moves.
struct Hall {
    clock: ManualClock,
    clocks: Clocks,
    seats: [Option<Presence>; 2],
    watched: Watched,
}

fn id<T: From<crate::base::id::RawId>>(n: u128) -> T {
    T::from(crate::base::id::RawId::from_uuid(uuid::Uuid::from_u128(n)))
}

fn game() -> GameId {
    id(9)
}

fn hall(turn_seconds: u16) -> Hall {
    let watched = Watched {
        seq: 3,
        turn: Some(Seat::One),
        between_rounds: false,
        turn_seconds,
        users: PerSeat([Some(id(1)), Some(id(2))]),
        updated_at: NOON,
    };
    let mut hall =
        Hall { clock: ManualClock::at(NOON), clocks: Clocks::default(), seats: [None; 2], watched: watched.clone() };
    hall.moved(watched);
    hall
}

impl Hall {
    fn moved(&mut self, watched: Watched) {
        self.watched = watched.clone();
        self.clocks.watch(game(), watched, self.clock.monotonic());
    }

    fn comes(&mut self, seat: usize) {
        self.seats[seat] = Some(Presence { online: true, since: self.clock.monotonic() });
        self.due();
    }

    fn goes(&mut self, seat: usize) {
        self.seats[seat] = Some(Presence { online: false, since: self.clock.monotonic() });
        self.due();
    }

    fn due(&mut self) -> Option<Due> {
        let seats = self.seats;
        let presence = |_, user| if user == id(1) { seats[0] } else { seats[1] };
        let due = self.clocks.due(self.clock.monotonic(), self.clock.wall(), presence);
        due.first().map(|(_, due)| *due)
    }

    fn after(&mut self, seconds: u64) -> Option<Due> {
        self.clock.advance(Duration::from_secs(seconds));
        self.due()
    }
}

#[test]
fn a_turn_runs_out_after_its_seconds() {
    let mut hall = hall(20);
    hall.comes(0);
    hall.comes(1);
    assert_eq!(hall.after(19), None);
    assert_eq!(hall.clocks.remaining(game(), 3, 20, hall.clock.monotonic(), true), Some(Duration::from_secs(1)));
    assert_eq!(hall.after(1), Some(Due::TimeOut { seq: 3 }));
    assert_eq!(hall.after(0), Some(Due::TimeOut { seq: 3 }), "what is not done stays due");
    hall.moved(Watched { seq: 4, turn: Some(Seat::Zero), ..hall.watched.clone() });
    assert_eq!(hall.after(19), None, "the next turn has its own seconds");
}

#[test]
fn zero_seconds_are_no_clock() {
    let mut hall = hall(0);
    hall.comes(0);
    hall.comes(1);
    assert_eq!(hall.after(3600), None);
    assert_eq!(hall.clocks.remaining(game(), 3, 0, hall.clock.monotonic(), true), None);
}

#[test]
fn a_lost_connection_leaves_a_minute() {
    let mut hall = hall(20);
    hall.comes(0);
    hall.comes(1);
    assert_eq!(hall.after(15), None);
    hall.goes(1);
    assert_eq!(hall.after(20), None, "35 s of the turn, but 20 since the loss");
    assert_eq!(hall.after(39), None);
    assert_eq!(hall.after(1), Some(Due::TimeOut { seq: 3 }));
}

#[test]
fn a_player_who_was_never_there_has_a_minute_and_a_whole_turn_after_coming() {
    let mut hall = hall(20);
    hall.comes(0);
    assert_eq!(hall.after(50), None, "the minute");
    hall.comes(1);
    assert_eq!(hall.after(19), None, "a whole turn");
    assert_eq!(hall.after(1), Some(Due::TimeOut { seq: 3 }));
    let mut hall = self::hall(20);
    hall.comes(0);
    assert_eq!(hall.after(60), Some(Due::TimeOut { seq: 3 }), "nobody came");
}

#[test]
fn coming_back_does_not_shorten_that_minute() {
    let mut hall = hall(20);
    hall.comes(0);
    hall.comes(1);
    hall.goes(1);
    assert_eq!(hall.after(30), None);
    hall.comes(1);
    assert_eq!(hall.after(29), None);
    assert_eq!(hall.after(1), Some(Due::TimeOut { seq: 3 }));
}

#[test]
fn the_other_seat_s_loss_changes_nothing() {
    let mut hall = hall(20);
    hall.comes(0);
    hall.comes(1);
    hall.goes(0);
    assert_eq!(hall.after(20), Some(Due::TimeOut { seq: 3 }));
}

#[test]
fn the_clock_stands_still_while_both_are_away() {
    let mut hall = hall(20);
    hall.comes(0);
    hall.comes(1);
    assert_eq!(hall.after(10), None);
    hall.goes(0);
    hall.goes(1);
    assert_eq!(hall.after(3600), None);
    hall.comes(0);
    hall.comes(1);
    assert_eq!(hall.after(9), None, "nineteen of twenty seconds have counted");
    assert_eq!(hall.after(1), Some(Due::TimeOut { seq: 3 }));
}

#[test]
fn after_a_restart_the_clock_starts_anew() {
    let mut before = hall(20);
    before.comes(0);
    before.comes(1);
    assert_eq!(before.after(19), None);
    // Nothing of a clock is stored: a box that starts knows the match alone.
    let mut after = hall(20);
    after.comes(0);
    after.comes(1);
    assert_eq!(after.after(19), None);
    assert_eq!(after.after(1), Some(Due::TimeOut { seq: 3 }));
}

#[test]
fn the_next_round_comes_by_itself_if_both_are_there() {
    let mut hall = hall(20);
    hall.moved(Watched { seq: 8, turn: None, between_rounds: true, ..hall.watched.clone() });
    hall.comes(0);
    assert_eq!(hall.after(40), None, "one of the two is missing");
    hall.comes(1);
    assert_eq!(hall.due(), Some(Due::NextRound { seq: 8 }));
    let mut hall = self::hall(20);
    hall.moved(Watched { seq: 8, turn: None, between_rounds: true, ..hall.watched.clone() });
    hall.comes(0);
    hall.comes(1);
    assert_eq!(hall.after(29), None);
    assert_eq!(hall.after(1), Some(Due::NextRound { seq: 8 }));
}

#[test]
fn a_day_untouched_is_void() {
    let mut hall = hall(0);
    let day = UNTOUCHED.as_secs();
    assert_eq!(hall.after(day - 1), None);
    hall.moved(Watched { updated_at: hall.clock.now(), ..hall.watched.clone() });
    assert_eq!(hall.after(1), None, "it was touched");
    let updated_at = hall.watched.updated_at;
    assert_eq!(hall.after(day), Some(Due::Void { updated_at }));
}

#[test]
fn a_wall_clock_that_nobody_vouches_for_voids_nothing() {
    let mut hall = hall(0);
    let later = NOON.plus(UNTOUCHED * 3);
    hall.clock.set(later, false);
    assert_eq!(hall.due(), None);
    hall.clock.set(later, true);
    assert_eq!(hall.due(), Some(Due::Void { updated_at: NOON }), "the control");
}

#[test]
fn a_bot_is_there_when_its_player_is() {
    let mut hall = hall(20);
    let users = PerSeat([Some(id(1)), None]);
    hall.moved(Watched { seq: 8, turn: None, between_rounds: true, users, ..hall.watched.clone() });
    assert_eq!(hall.after(40), None);
    hall.comes(0);
    assert_eq!(hall.due(), Some(Due::NextRound { seq: 8 }));
}
