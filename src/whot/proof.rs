//! Checking the proof of a finished game (rules 17.5), behind `whotbox replay FILE`.
//!
//! Pure: the proof comes in as JSON, what was checked goes out as lines for a person. It needs nothing of the box that
//! wrote the proof but the rules, so any copy of this program can check any game. Round by round:
//!
//! ```text
//!   (a) commitment = hash of the server seed      (b) the own nonce is among those used
//!   (c) seed = hash of game, round, server seed, nonces
//!   (d) the seed deals the hands, the start card and every card drawn, and all actions are accepted in order;
//!       with the events a player received, that this is exactly what the player was told
//! ```

use serde_json::Value;
use uuid::Uuid;

use crate::whot::action::{Action, Actor};
use crate::whot::card::{Card, CardSet, PerSeat, Seat};
use crate::whot::event::{Event, seen_by};
use crate::whot::fair::{NO_NONCE, commitment, round_seed};
use crate::whot::matches::Match;
use crate::whot::options::{Options, Preset};
use crate::whot::record::canonical;
use crate::whot::shuffle::{Seed, bytes_from_hex, bytes_to_hex};
use crate::whot::state::RoundResult;

/// What the player who checks knows beyond the proof itself. All of it may be missing.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The game's id, where the proof does not carry it.
    pub game_id: Option<Uuid>,
    /// Nonces the player sent, each with its round.
    pub nonces: Vec<(u32, [u8; 32])>,
    /// The reply of the route `events`: what the player was told.
    pub events: Option<Value>,
}

/// What was checked and how it came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Lines for a person.
    pub lines: Vec<String>,
    /// Whether everything that could be checked holds.
    pub ok: bool,
}

/// One round of a proof, read.
struct Round {
    round: u32,
    server_seed: [u8; 32],
    nonces: PerSeat<Option<[u8; 32]>>,
    seed: Seed,
    options: Options,
    first_starter: Seat,
    actions: Vec<(Actor, Action)>,
}

/// The match as it is dealt and played again, and everything it told on the way.
#[derive(Default)]
struct Replay {
    game: Option<Match>,
    told: Vec<(u64, Vec<Event>)>,
}

/// Checks a proof in the form of the route `proof`.
///
/// # Errors
/// A sentence if the proof has not that form, so that nothing can be checked.
pub fn check(proof: &Value, known: &Known) -> Result<Report, String> {
    let in_proof = proof.get("game_id").and_then(Value::as_str).and_then(|id| Uuid::parse_str(id).ok());
    let game_id = known.game_id.or(in_proof).ok_or("the proof has no game_id; give it with --game-id")?;
    let commitments = list(proof, "commitments")?;
    let rounds = list(proof, "rounds")?;
    let mut report = Report { lines: vec![format!("game {game_id}")], ok: true };
    let mut replay = Replay::default();
    for (number, value) in (1_u32..).zip(rounds) {
        let round = read_round(value).map_err(|error| format!("round {number}: {error}"))?;
        report.lines.push(format!("round {}", round.round));
        report.say(round.round == number, "order", format!("this is round {number} of the proof"));
        check_seed(&mut report, &game_id, commitments.get(usize::try_from(number - 1).unwrap_or(usize::MAX)), &round);
        check_own_nonces(&mut report, known, &round);
        check_play(&mut report, &mut replay, &round);
        if !report.ok {
            return Ok(report);
        }
    }
    for (round, _) in known.nonces.iter().filter(|(round, _)| usize::try_from(*round).is_ok_and(|r| r > rounds.len())) {
        report.say(false, "own nonce", format!("round {round} is not in the proof"));
    }
    if rounds.is_empty() {
        report.say(false, "rounds", "no round is finished, so there is nothing to check yet".to_owned());
    }
    if let Some(events) = &known.events {
        check_told(&mut report, &replay.told, events)?;
    }
    Ok(report)
}

impl Report {
    fn say(&mut self, holds: bool, what: &str, detail: String) {
        self.ok &= holds;
        self.lines.push(format!("  {} {what:<11} {detail}", if holds { "ok    " } else { "FAILED" }));
    }

    fn tell(&mut self, what: &str, detail: String) {
        self.lines.push(format!("         {what:<11} {detail}"));
    }
}

/// (a) and (c).
fn check_seed(report: &mut Report, game_id: &Uuid, committed: Option<&Value>, round: &Round) {
    let hashed = bytes_to_hex(&commitment(&round.server_seed));
    let holds = committed.and_then(Value::as_str) == Some(hashed.as_str());
    report.say(holds, "commitment", format!("the server seed hashes to {hashed}"));
    let nonces = PerSeat(round.nonces.0.map(|nonce| nonce.unwrap_or(NO_NONCE)));
    let seed = round_seed(game_id.as_bytes(), round.round, &round.server_seed, &nonces);
    let [zero, one] = round.nonces.0.map(|nonce| nonce.map_or("none sent".to_owned(), |bytes| bytes_to_hex(&bytes)));
    report.tell("nonces", format!("seat 0 {zero}, seat 1 {one}"));
    report.say(seed == round.seed, "seed", format!("game, round, server seed and nonces hash to {}", seed.to_hex()));
}

/// (b), for each nonce the player still has.
fn check_own_nonces(report: &mut Report, known: &Known, round: &Round) {
    for (_, own) in known.nonces.iter().filter(|(number, _)| *number == round.round) {
        let seat = Seat::BOTH.into_iter().find(|seat| *round.nonces.of(*seat) == Some(*own));
        let detail = match seat {
            Some(seat) => format!("your nonce was used for seat {}", seat.index()),
            None => "your nonce was not used".to_owned(),
        };
        report.say(seat.is_some(), "own nonce", detail);
    }
}

/// (d): deals the round and plays it again.
fn check_play(report: &mut Report, replay: &mut Replay, round: &Round) {
    let opening = match replay.game.as_mut() {
        None => {
            let (game, events) = Match::start(round.options, round.first_starter, round.seed);
            replay.game = Some(game);
            Ok(events)
        }
        Some(game) if *game.options() != round.options || game.first_starter() != round.first_starter => {
            report.say(false, "options", "options or first starter changed within the match".to_owned());
            return;
        }
        Some(game) => game.apply(Actor::Server, &Action::NextRound { seed: round.seed }),
    };
    let (Some(game), Ok(opening)) = (replay.game.as_mut(), opening) else {
        report.say(false, "deal", "the round before did not end, so this one cannot start".to_owned());
        return;
    };
    tell_deal(report, &opening);
    replay.told.push((game.seq(), opening));
    let mut drawn = PerSeat([Vec::new(), Vec::new()]);
    for (number, (actor, action)) in (1..).zip(&round.actions) {
        match game.apply(*actor, action) {
            Ok(events) => {
                note_drawn(&events, &mut drawn);
                replay.told.push((game.seq(), events));
            }
            Err(refusal) => {
                report.say(false, "actions", format!("action {number} is refused: {}", refusal.code()));
                return;
            }
        }
    }
    report.say(true, "actions", format!("all {} are accepted in the recorded order", round.actions.len()));
    for seat in Seat::BOTH {
        report.tell("drawn", format!("seat {}: {}", seat.index(), drawn.of(seat).join(" ")));
    }
    match game.result() {
        Some(result) => tell_result(report, result),
        None => report.tell("result", "the round was not finished: the game was closed in the middle of it".to_owned()),
    }
    if let Some((winner, reason)) = game.outcome() {
        report.tell("match", format!("seat {} wins the match by {}", winner.index(), reason.word()));
    }
}

fn tell_deal(report: &mut Report, opening: &[Event]) {
    for event in opening {
        match event {
            Event::RoundStarted { starter, card, .. } => {
                report.tell("deal", format!("seat {} starts, start card {}", starter.index(), card.name()));
            }
            Event::Dealt { seat, cards: Some(cards) } => {
                report.tell("hand", format!("seat {}: {}", seat.index(), names(*cards)));
            }
            _ => {}
        }
    }
}

fn note_drawn(events: &[Event], drawn: &mut PerSeat<Vec<String>>) {
    for event in events {
        if let Event::Drew { seat, cards: Some(cards), .. } = event {
            drawn.of_mut(*seat).push(names(*cards));
        }
    }
}

fn tell_result(report: &mut Report, result: &RoundResult) {
    let winner = result.winner.map_or("nobody wins".to_owned(), |seat| format!("seat {} wins", seat.index()));
    let [zero, one] = result.points.0;
    report.tell("result", format!("{winner} by {}, points {zero} and {one}", result.reason.word()));
}

fn names(cards: CardSet) -> String {
    cards.iter().map(Card::name).collect::<Vec<_>>().join(" ")
}

/// (d), against what the player was told: every received event is what the replay tells that seat.
fn check_told(report: &mut Report, told: &[(u64, Vec<Event>)], received: &Value) -> Result<(), String> {
    let items = list(received, "items")?;
    let fits = |seat: Seat, item: &Value| {
        let seq = item.get("seq").and_then(Value::as_u64);
        let Some((_, events)) = told.iter().find(|(at, _)| Some(*at) == seq) else { return true };
        let ours = serde_json::to_string(&seen_by(events, seat)).unwrap_or_default();
        item.get("events").is_some_and(|theirs| canonical(theirs) == ours)
    };
    let wrong = |seat: Seat| items.iter().find(|item| !fits(seat, item));
    let seat = Seat::BOTH.into_iter().find(|seat| wrong(*seat).is_none());
    let detail = match seat {
        Some(seat) => format!("what you were told ({} actions) is what seat {} was dealt", items.len(), seat.index()),
        None => {
            let first =
                |seat: Seat| wrong(seat).and_then(|item| item.get("seq")).map_or(String::new(), Value::to_string);
            format!(
                "what you were told differs from seq {} (seat 0) and {} (seat 1) on",
                first(Seat::Zero),
                first(Seat::One)
            )
        }
    };
    report.lines.push("events".to_owned());
    report.say(seat.is_some(), "told", detail);
    Ok(())
}

fn read_round(value: &Value) -> Result<Round, String> {
    let field = |name: &str| value.get(name).ok_or_else(|| format!("it has no {name}"));
    let hex = |name: &str, value: &Value| {
        value.as_str().and_then(bytes_from_hex).ok_or_else(|| format!("{name} is not 64 lower-case hexadecimal digits"))
    };
    let nonce = |value: &Value| if value.is_null() { Ok(None) } else { hex("a nonce", value).map(Some) };
    let nonces = match list(value, "nonces")? {
        [zero, one] => PerSeat([nonce(zero)?, nonce(one)?]),
        _ => return Err("its nonces are not two".to_owned()),
    };
    let round = field("round")?.as_u64().and_then(|round| u32::try_from(round).ok()).ok_or("its round is no number")?;
    let first_starter = field("first_starter")?.as_u64().and_then(Seat::from_index);
    let actions = list(value, "actions")?.iter().enumerate().map(|(i, step)| {
        let part = |name| step.get(name).unwrap_or(&Value::Null);
        let actor = Actor::from_json(part("actor"));
        let action = Action::from_json(part("action"));
        actor.and_then(|actor| Ok((actor, action?))).map_err(|_| format!("action {} is malformed", i + 1))
    });
    Ok(Round {
        round,
        server_seed: hex("server_seed", field("server_seed")?)?,
        nonces,
        seed: Seed(hex("seed", field("seed")?)?),
        options: Options::from_json(Preset::Nigerian, field("options")?).map_err(|error| error.to_string())?,
        first_starter: first_starter.ok_or("its first_starter is no seat")?,
        actions: actions.collect::<Result<_, String>>()?,
    })
}

fn list<'a>(value: &'a Value, name: &str) -> Result<&'a [Value], String> {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).ok_or_else(|| format!("there is no list of {name}"))
}
