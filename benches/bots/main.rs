//! How well the practice opponents play with all their playouts, and how long `hard` thinks on one core.
//!
//! The rounds are those of `tests/bots.rs`, ten times as many. Run it with `cargo bench --bench bots`.

// Said for the lints: a bench may unwrap and print as a test may.
#![cfg(test)]

#[path = "../../tests/bots/rounds.rs"]
mod rounds;

use rounds::{Player, play};
use whotbox::base::time::{Clock, SystemClock};
use whotbox::whot::bot::{Bot, Level, ROLLOUTS};
use whotbox::whot::options::{Options, Preset};

/// Rounds of each pair.
const ROUNDS: u64 = 4_000;
/// Rounds whose choices are timed.
const TIMED: u64 = 200;
/// Milliseconds that a choice may take.
const PATIENCE: f64 = 300.0;

const EASY: Player = Player::Bot(Level::Easy, ROLLOUTS);
const MEDIUM: Player = Player::Bot(Level::Medium, ROLLOUTS);
const HARD: Player = Player::Bot(Level::Hard, ROLLOUTS);

fn main() {
    let pairs = [
        ("easy against random play", EASY, Player::Random, None),
        ("medium against random play", MEDIUM, Player::Random, Some(0.66)),
        ("medium against easy", MEDIUM, EASY, None),
        ("hard against random play", HARD, Player::Random, Some(0.72)),
        ("hard against easy", HARD, EASY, None),
        ("hard against medium", HARD, MEDIUM, Some(0.55)),
    ];
    for (name, ours, theirs, goal) in pairs {
        let score = play(Options::preset(Preset::Nigerian), ROUNDS, ours, theirs, Bot::choose);
        let goal = goal.map_or(String::new(), |goal| {
            let verdict = if score.share() >= goal { "met" } else { "MISSED" };
            format!("at least {:.0} %  {verdict}", 100.0 * goal)
        });
        println!("{name:<28} {:<34} {goal}", score.to_string());
    }
    for preset in Preset::ALL {
        times(preset.word(), Options::preset(*preset));
    }
    let wide = serde_json::json!({"hand_size": 10, "market_empty": "reshuffle", "reshuffle_limit": 10});
    times("ten cards, ten refills", Options::from_json(Preset::Nigerian, &wide).unwrap());
}

/// How long the choices of `hard` take, over rounds with these options.
fn times(name: &str, options: Options) {
    let clock = SystemClock::new();
    let mut took = vec![];
    play(options, TIMED, HARD, MEDIUM, |bot, view, seed| {
        let began = clock.monotonic();
        let action = bot.choose(view, seed);
        took.push(1e3 * clock.monotonic().since(began).as_secs_f64());
        action
    });
    took.sort_by(f64::total_cmp);
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    let verdict = if at(1.0) <= PATIENCE { "met" } else { "MISSED" };
    let (half, most, last) = (at(0.5), at(0.99), at(1.0));
    println!(
        "hard thinks, {name:<22} p50 {half:.2} ms, p99 {most:.2}, longest {last:.2}; at most {PATIENCE}  {verdict}"
    );
}
