//! The figures of a run, as a table with what they had to be.

use std::collections::BTreeMap;

use crate::machine::Took;

/// More than so many processors used by others makes a round noisy.
const NOISY: f64 = 0.4;

/// What a figure has to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    None,
}

/// One round of a contender.
#[derive(Debug, Clone, Copy)]
struct Round {
    per_second: f64,
    /// Microseconds of processors per command. A busy machine changes it little, where it may halve the other.
    cost: f64,
}

/// The rounds of each contender, and the lines made of them.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rounds: BTreeMap<&'static str, Vec<Round>>,
    foreign: Vec<f64>,
    lines: Vec<String>,
}

impl Table {
    /// One round of a contender.
    pub(crate) fn add(&mut self, name: &'static str, commands: usize, took: &Took) {
        let commands = commands as f64;
        let round = Round { per_second: commands / took.wall, cost: took.own * 1e6 / commands };
        self.rounds.entry(name).or_default().push(round);
        self.foreign.push(took.foreign);
    }

    /// The median of the rounds' ratios of two contenders.
    pub(crate) fn ratio(&mut self, name: &str, of: &str, to: &str, goal: Goal) {
        let (Some(of), Some(to)) = (self.rounds.get(of), self.rounds.get(to)) else {
            self.lines.push(format!("{name:<42} not measured"));
            return;
        };
        let ratio = median(of.iter().zip(to).map(|(of, to)| of.per_second / to.per_second).collect());
        self.value(name, ratio, goal);
    }

    /// One figure.
    pub(crate) fn value(&mut self, name: &str, value: f64, goal: Goal) {
        let (goal, met) = match goal {
            Goal::AtLeast(least) => (format!("at least {least}"), value >= least),
            Goal::AtMost(most) => (format!("at most {most}"), value <= most),
            Goal::None => (String::new(), true),
        };
        let verdict = match (goal.is_empty(), met) {
            (true, _) => "",
            (false, true) => "met",
            (false, false) => "MISSED",
        };
        self.lines.push(format!("{name:<42} {value:>12.2}  {goal:<14} {verdict}"));
    }

    pub(crate) fn print(&self) {
        for (name, rounds) in &self.rounds {
            let rate: Vec<f64> = rounds.iter().map(|round| round.per_second).collect();
            let low = rate.iter().copied().fold(f64::INFINITY, f64::min);
            let high = rate.iter().copied().fold(0.0, f64::max);
            let cost = median(rounds.iter().map(|round| round.cost).collect());
            println!("{name:<42} {:>12.0}  commands/s, {low:.0} to {high:.0}; {cost:.0} us of CPU each", median(rate));
        }
        self.lines.iter().for_each(|line| println!("{line}"));
        let noisy = self.foreign.iter().filter(|foreign| **foreign > NOISY).count();
        let (of, most) = (self.foreign.len(), self.foreign.iter().copied().fold(0.0, f64::max));
        if noisy > 0 {
            println!("NOISY: in {noisy} of {of} measurements others used over {NOISY} processors, up to {most:.1}");
        }
    }
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
