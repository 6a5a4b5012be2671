//! Practice opponents as a whole: how well they play, and that they neither peek nor cheat nor change their mind.

mod rounds;

use std::env;

use rounds::{Player, play};
use whotbox::whot::action::{Action, Actor};
use whotbox::whot::bot::{Bot, Level};
use whotbox::whot::card::Seat;
use whotbox::whot::event::{Event, seen_by};
use whotbox::whot::matches::Match;
use whotbox::whot::options::{Options, Preset};
use whotbox::whot::state::Phase;

use crate::whot::hidden::with_hidden_cards_mixed;
use crate::whot::random::{Random, for_seeds};

/// Playouts of a choice here: enough to tell `hard` from `medium`, few enough for a build without optimisation. The
/// figures of the full number come from the bench `bots`.
const FEW: usize = 60;

/// Plays 400 rounds, ten times as many with `WHOTBOX_FULL=1`: whether `ours` wins this share of them, give or take two
/// standard errors. The deals are fixed, so that the figure is the same in every run.
fn wins(goal: f64, ours: Player, theirs: Player) -> bool {
    let full = env::var_os("WHOTBOX_FULL").is_some_and(|full| full == "1");
    let options = Options::preset(Preset::Nigerian);
    let score = play(options, if full { 4_000 } else { 400 }, ours, theirs, Bot::choose);
    println!("{score}; the goal is {:.0} %", 100.0 * goal);
    score.share() + 2.0 * score.error() >= goal
}

const EASY: Player = Player::Bot(Level::Easy, FEW);
const MEDIUM: Player = Player::Bot(Level::Medium, FEW);
const HARD: Player = Player::Bot(Level::Hard, FEW);
const HASTY: Player = Player::Bot(Level::Hard, FEW / 6);

#[test]
fn each_level_beats_random_play() {
    assert!(wins(0.60, EASY, Player::Random));
    assert!(wins(0.66, MEDIUM, Player::Random));
    assert!(wins(0.72, HASTY, Player::Random));
}

#[test]
fn each_level_beats_the_one_below() {
    assert!(wins(0.55, HARD, MEDIUM));
    assert!(wins(0.50, MEDIUM, EASY));
}

/// Without this the rounds above could be won by whoever is named first.
#[test]
fn random_play_does_not_beat_medium() {
    assert!(!wins(0.34, Player::Random, MEDIUM));
}

/// A match of random options and actions with a bot of each level looking on from each seat.
struct Watched {
    random: Random,
    game: Match,
    bots: Vec<(Seat, Bot)>,
}

impl Watched {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (options, _) = random.options();
        let (game, opening) = Match::start(options, random.seat(), random.seed());
        let levels =
            |seat| Level::ALL.iter().map(move |level| (seat, Bot::new(*level, options, seat).with_rollouts(6)));
        let bots = Seat::BOTH.into_iter().flat_map(levels).collect();
        let mut watched = Self { random, game, bots };
        watched.tell(&opening);
        watched
    }

    fn tell(&mut self, events: &[Event]) {
        self.bots.iter_mut().for_each(|(seat, bot)| bot.observe(&seen_by(events, *seat)));
    }

    /// Any action that the rules accept; the events as they are, for a bot that is told too much.
    fn step(&mut self) -> Vec<Event> {
        let (actor, action) = self.random.fair_action(&self.game);
        let events = self.game.apply(actor, &action).expect("legal");
        self.tell(&events);
        events
    }

    const fn is_over(&self) -> bool {
        matches!(self.game.phase(), Phase::MatchOver)
    }
}

#[test]
fn a_choice_is_legal_and_never_to_resign() {
    for_seeds(40, 2_000, |seed| {
        let mut watched = Watched::new(seed);
        while !watched.is_over() {
            let chance = watched.random.next();
            for (seat, bot) in &watched.bots {
                let view = watched.game.view(*seat);
                let chosen = bot.choose(&view, chance);
                assert_eq!(chosen.is_some(), watched.game.turn_of() == Some(*seat));
                assert!(chosen.is_none_or(|action| view.legal.contains(&action) && action != Action::Resign));
            }
            watched.step();
        }
    });
}

/// Bots that have been told everything, in a match whose hidden cards lie elsewhere, do what the others do.
#[test]
fn a_choice_does_not_depend_on_the_other_hand_or_the_market() {
    for_seeds(40, 2_000, |seed| {
        let mut watched = Watched::new(seed);
        let fresh = Watched::new(seed);
        let mut told_too_much = fresh.bots;
        let mut moved = 0;
        while !watched.is_over() {
            let Watched { random, game, bots } = &mut watched;
            if let Some(seat) = game.turn_of() {
                let mixed = with_hidden_cards_mixed(game, seat, random);
                moved += u32::from(mixed != *game);
                let chance = random.next();
                for ((own, bot), (_, peeking)) in bots.iter().zip(&told_too_much) {
                    if *own == seat {
                        assert_eq!(bot.choose(&game.view(seat), chance), peeking.choose(&mixed.view(seat), chance));
                    }
                }
            }
            let events = watched.step();
            told_too_much.iter_mut().for_each(|(_, bot)| bot.observe(&events));
        }
        assert!(moved > 0, "nothing hidden was ever moved");
    });
}

#[test]
fn the_events_of_the_round_are_enough_after_a_restart() {
    for_seeds(40, 2_000, |seed| {
        let mut watched = Watched::new(seed);
        let mut of_the_round: Vec<Event> = vec![];
        while !watched.is_over() {
            if let (Some(seat), false) = (watched.game.turn_of(), of_the_round.is_empty()) {
                let (view, chance) = (watched.game.view(seat), watched.random.next());
                for (_, bot) in watched.bots.iter().filter(|(own, _)| *own == seat) {
                    let mut again = Bot::new(bot.level(), *watched.game.options(), seat).with_rollouts(6);
                    again.observe(&seen_by(&of_the_round, seat));
                    assert_eq!(again.choose(&view, chance), bot.choose(&view, chance));
                }
            }
            let events = watched.step();
            if matches!(events.first(), Some(Event::RoundStarted { .. })) {
                of_the_round.clear();
            }
            if !of_the_round.is_empty() || matches!(events.first(), Some(Event::RoundStarted { .. })) {
                of_the_round.extend(events);
            }
        }
    });
}

/// The negative control of the tests above: the seed, the events and the view do matter to `hard`.
#[test]
fn hard_thinks_with_its_seed_its_memory_and_its_view() {
    let mut differs = [false; 3];
    let mut random = Random::new(8);
    for _ in 0..60 {
        let (mut game, opening) = Match::start(Options::default(), Seat::Zero, random.seed());
        let new = || Bot::new(Level::Hard, Options::default(), Seat::Zero).with_rollouts(FEW);
        let mut bot = new();
        bot.observe(&opening);
        while let Some(seat) = game.turn_of() {
            if seat == Seat::Zero {
                let view = game.view(seat);
                let chosen = bot.choose(&view, 1);
                let mut poorer = view.clone();
                poorer.opponent_cards = 1;
                differs[0] |= bot.choose(&view, 2) != chosen;
                differs[1] |= new().choose(&view, 1) != chosen;
                differs[2] |= bot.choose(&poorer, 1) != chosen;
            }
            let (actor, action) = random.fair_action(&game);
            bot.observe(&seen_by(&game.apply(actor, &action).expect("legal"), Seat::Zero));
        }
    }
    assert_eq!(differs, [true; 3]);
}

/// With nothing told, not even the opening, a bot still plays what the view shows.
#[test]
fn a_bot_that_has_seen_nothing_plays_all_the_same() {
    let (game, _) = Match::start(Options::default(), Seat::Zero, Random::new(9).seed());
    for level in Level::ALL {
        let bot = Bot::new(*level, Options::default(), Seat::Zero).with_rollouts(FEW);
        let action = bot.choose(&game.view(Seat::Zero), 1).expect("on turn");
        assert_eq!(game.refusal(Actor::Seat(Seat::Zero), &action), None);
        assert_eq!(bot.choose(&game.view(Seat::One), 1), None, "another seat's view");
    }
}
