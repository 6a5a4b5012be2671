//! Lines and centrals of all kinds, simulated: every answer's time is computed, so nothing here depends on a machine.

use std::collections::VecDeque;
use std::time::Duration;

use super::{FIRST_WINDOW, LONGEST, Launch, MAX_WINDOW, Pace};
use crate::base::time::{Clock as _, Instant, ManualClock, Timestamp};

const MB: u64 = 1_000_000;
/// After so long without any answer a line is taken to be dead (`replication::settings::Limits`).
const ANSWER: Duration = Duration::from_secs(25);

/// A line with a central behind it.
#[derive(Clone, Copy)]
struct Line {
    round_trip: Duration,
    /// Bytes per second of the line, and of central.
    carries: u64,
    applies: u64,
    /// What each commit costs central.
    commit: Duration,
}

const NEAR: Line = Line {
    round_trip: Duration::from_micros(200),
    carries: 500 * MB,
    applies: 30 * MB,
    commit: Duration::from_millis(3),
};
const FAR: Line = Line { round_trip: Duration::from_millis(200), carries: 100 * MB, ..NEAR };
const SLOW: Line = Line { round_trip: Duration::from_millis(600), carries: 10_000, ..NEAR };

/// What a drain came to.
#[derive(Debug)]
struct Drained {
    took: Duration,
    /// The longest time between two answers while one was awaited.
    silence: Duration,
    most_flying: usize,
    last_round_trip: Duration,
}

/// Time and what is on the line.
struct World {
    start: Instant,
    now: Duration,
    flying: VecDeque<(Duration, Launch, usize)>,
    line_free: Duration,
    central_free: Duration,
}

fn world() -> World {
    World {
        start: ManualClock::at(Timestamp::from_micros(0)).monotonic(),
        now: Duration::ZERO,
        flying: VecDeque::new(),
        line_free: Duration::ZERO,
        central_free: Duration::ZERO,
    }
}

fn time_for(bytes: usize, rate: u64) -> Duration {
    Duration::from_micros(bytes as u64 * 1_000_000 / rate)
}

impl World {
    fn send(&mut self, pace: &mut Pace, line: Line, bytes: usize, last: bool) {
        let launch = pace.launch(self.start.plus(self.now), bytes, last);
        self.line_free = self.line_free.max(self.now) + time_for(bytes, line.carries);
        let arrived = self.line_free + line.round_trip / 2;
        self.central_free = self.central_free.max(arrived) + time_for(bytes, line.applies) + line.commit;
        self.flying.push_back((self.central_free + line.round_trip / 2, launch, bytes));
    }

    /// Sends so much in one turn, as fast as the pace lets it.
    fn drain(&mut self, pace: &mut Pace, line: Line, total: usize) -> Drained {
        pace.turn();
        let (began, mut left, mut heard) = (self.now, total, self.now);
        let (mut silence, mut most_flying, mut last_round_trip) = (Duration::ZERO, 0, Duration::ZERO);
        loop {
            if let Some(room) = pace.room().filter(|_room| left > 0) {
                let bytes = room.min(left);
                left -= bytes;
                self.send(pace, line, bytes, left == 0);
                most_flying = most_flying.max(self.flying.iter().map(|(_, _, bytes)| bytes).sum());
                continue;
            }
            let Some((answered, launch, _)) = self.flying.pop_front() else { break };
            self.now = answered;
            last_round_trip = (self.start.plus(answered)).since(launch.at);
            silence = silence.max(answered - heard);
            heard = answered;
            pace.answered(launch, self.start.plus(answered));
        }
        Drained { took: self.now - began, silence, most_flying, last_round_trip }
    }
}

fn drain(line: Line, total: usize) -> Drained {
    world().drain(&mut Pace::default(), line, total)
}

#[test]
fn a_far_line_is_kept_full_on_a_short_drain_too() {
    let chat_rows = |rows: usize| rows * 850;
    let (near, far) = (drain(NEAR, chat_rows(1_000_000)), drain(FAR, chat_rows(1_000_000)));
    assert!(far.took < near.took * 11 / 10, "{far:?} {near:?}");
    let (near, far) = (drain(NEAR, chat_rows(100_000)), drain(FAR, chat_rows(100_000)));
    assert!(far.took < near.took * 3 / 2, "{far:?} {near:?}");
    // Negative control: the same line with as much on its way as at the beginning and no more.
    let mut still = Pace { growing: None, ..Pace::default() };
    still.window = FIRST_WINDOW;
    let mut world = world();
    let mut held = Duration::ZERO;
    for _ in 0..chat_rows(100_000) / FIRST_WINDOW {
        held += world.drain(&mut still.clone(), FAR, FIRST_WINDOW).took;
    }
    assert!(held > far.took * 4, "{held:?}");
}

#[test]
fn central_is_kept_busy_and_what_waits_in_front_of_it_is_bounded() {
    let near = drain(NEAR, 300 * MB as usize);
    let alone = time_for(300 * MB as usize, NEAR.applies);
    assert!(near.took < alone * 5 / 4, "{near:?} {alone:?}");
    assert!(near.most_flying < MAX_WINDOW + 2 * super::MAX_BATCH, "{near:?}");
    assert!(near.last_round_trip < Duration::from_secs(1), "an urgent row would wait: {near:?}");
}

#[test]
fn a_slow_line_is_no_stall_and_gets_no_more_than_it_answers_for_soon() {
    for carries in [10_000, 30_000, 125_000] {
        let line = Line { carries, ..SLOW };
        let (mut pace, mut world) = (Pace::default(), world());
        let drained = world.drain(&mut pace, line, 2 * MB as usize);
        assert!(drained.silence < ANSWER, "{carries}: {drained:?}");
        assert!(drained.took < time_for(2 * MB as usize, carries) * 4 / 3, "{carries}: {drained:?}");
        assert!(drained.last_round_trip < LONGEST * 2, "{carries}: {drained:?}");
    }
}

#[test]
fn a_line_that_changes_is_followed_both_ways() {
    let (mut pace, mut world) = (Pace::default(), world());
    let slower = Line { carries: 200_000, ..FAR };
    world.drain(&mut pace, FAR, 80 * MB as usize);
    // The first turn finds out; then nothing waits long.
    let first = world.drain(&mut pace, slower, 20 * MB as usize);
    assert!(first.silence < ANSWER, "{first:?}");
    let second = world.drain(&mut pace, slower, 4 * MB as usize);
    assert!(second.last_round_trip < LONGEST * 2, "{second:?}");
    // It is fast again: within a few turns it is as full as ever.
    for _ in 0..3 {
        world.drain(&mut pace, FAR, 20 * MB as usize);
    }
    let again = world.drain(&mut pace, FAR, 80 * MB as usize);
    assert!(again.took < time_for(80 * MB as usize, FAR.applies) * 3 / 2, "{again:?}");
}

#[test]
fn a_box_that_had_little_to_send_knows_nothing_against_its_line() {
    let (mut pace, mut world) = (Pace::default(), world());
    for _ in 0..1000 {
        world.drain(&mut pace, FAR, 300);
        world.now += Duration::from_secs(1);
    }
    let (after, fresh) = (world.drain(&mut pace, FAR, 85 * MB as usize), drain(FAR, 85 * MB as usize));
    assert!(after.took <= fresh.took * 11 / 10, "{after:?} {fresh:?}");
}

#[test]
fn a_batch_without_answer_leaves_a_quarter_and_the_floor_still_sends() {
    let mut pace = Pace::default();
    pace.failed();
    assert_eq!(pace.window, FIRST_WINDOW / 4);
    for _ in 0..20 {
        pace.failed();
    }
    let room = pace.room().unwrap();
    assert!((4000..16_000).contains(&room), "{room}");
    // 500 bytes a second are enough for that, and a line that is well again is soon full.
    let mut world = world();
    let crawl = Line { carries: 500, ..SLOW };
    assert!(world.drain(&mut pace, crawl, 20_000).silence < ANSWER);
    let mut pace = Pace::default();
    (0..20).for_each(|_| pace.failed());
    let again = world.drain(&mut pace, FAR, 85 * MB as usize);
    assert!(again.took < drain(FAR, 85 * MB as usize).took * 2, "{again:?}");
}
