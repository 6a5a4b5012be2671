//! Recorded matches and what they must come to (section 18 of the rules): canonical JSON, outcomes, and the runner
//! behind `whotbox replay --vectors`.
//!
//! A record holds every hidden card, so nothing here ever serves a player. Pure: lines come in as text, a [`Report`]
//! comes out. Any line, however hostile, gets a report.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::whot::action::{Action, Actor};
use crate::whot::card::{Card, CardList, PerSeat, Seat};
use crate::whot::event::{Event, seen_by};
use crate::whot::fair::{commitment, round_seed};
use crate::whot::matches::{FullState, Match};
use crate::whot::options::{Options, Preset};
use crate::whot::position;
use crate::whot::refusal::Refusal;
use crate::whot::shuffle::{Seed, bytes_from_hex, bytes_to_hex, deck, shuffle};
use crate::whot::view::View;

/// How much of a differing value is shown; enough to recognise it, short enough for a terminal.
const SHOWN_CHARACTERS: usize = 120;
/// How many hexadecimal digits of the running digest a digest record keeps for each step (rules 18.4).
const STEP_DIGITS: usize = 8;

/// Canonical JSON (rules 18.1): keys sorted by code point, no whitespace, ASCII only.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
        Value::String(string) => write_string(string, text),
        Value::Array(items) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                text.push_str(if i > 0 { "," } else { "" });
                write_canonical(item, text);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (i, (name, item)) in fields.into_iter().enumerate() {
                text.push_str(if i > 0 { "," } else { "" });
                write_string(name, text);
                text.push(':');
                write_canonical(item, text);
            }
            text.push('}');
        }
    }
}

fn write_string(string: &str, text: &mut String) {
    let quoted = Value::from(string).to_string();
    for unit in quoted.chars() {
        if unit.is_ascii() {
            text.push(unit);
        } else {
            let mut units = [0; 2];
            unit.encode_utf16(&mut units).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}")));
        }
    }
}

/// What an accepted action comes to (rules 18.2). Fields stand in canonical order, so plain JSON of it is canonical.
#[derive(Serialize)]
pub struct Outcome<'a> {
    events: &'a [Event],
    seen: [Vec<Event>; 2],
    state: FullState<'a>,
    views: [View; 2],
}

impl<'a> Outcome<'a> {
    /// The outcome of the action that produced these events.
    pub fn of(game: &'a Match, events: &'a [Event]) -> Self {
        Self {
            events,
            seen: Seat::BOTH.map(|seat| seen_by(events, seat)),
            state: game.full_state(),
            views: Seat::BOTH.map(|seat| game.view(seat)),
        }
    }

    /// Canonical JSON: every type inside writes its fields in code point order, and a test says so.
    pub fn canonical(&self) -> String {
        // Every key is a string and every number an integer, so writing cannot fail; if it did, the text would differ.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// How one record fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The record's id, or the line it stood on.
    pub id: String,
    /// Where and how it differs, if it does.
    pub difference: Option<Difference>,
}

/// The first place where a record and the rules part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// 0 is the opening (and a record that cannot be run), 1 the first step.
    pub step: usize,
    /// What was expected and what came.
    pub what: String,
}

impl Difference {
    fn new(step: usize, what: impl Into<String>) -> Self {
        Self { step, what: what.into() }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.difference {
            None => write!(f, "{} ok", self.id),
            Some(Difference { step, what }) => write!(f, "{} step {step}: {what}", self.id),
        }
    }
}

/// Runs one line of a vector file: a full or digest record of a game or position, or a shuffle or fairness record.
/// `line` is its number, which names a record without an id.
///
/// # Errors
/// A sentence if the line is not JSON at all.
pub fn run_line(line: usize, text: &str) -> Result<Report, String> {
    let record: Value = serde_json::from_str(text).map_err(|error| format!("line {line}: not JSON: {error}"))?;
    let id = match record.get("id").and_then(Value::as_str) {
        Some(id) => shown(id),
        None => format!("line {line}"),
    };
    let result = if record.get("shuffled").is_some() {
        run_shuffle(&record)
    } else if record.get("commitment").is_some() {
        run_fairness(&record)
    } else {
        run_record(&record)
    };
    Ok(Report { id, difference: result.err() })
}

/// Runs a full or digest record (rules 18.3, 18.4).
fn run_record(record: &Value) -> Result<(), Difference> {
    let broken = |what: String| Difference::new(0, format!("the record cannot be run: {what}"));
    let (mut game, mut events) = open_record(record).map_err(broken)?;
    let opening = record.get("opening").ok_or_else(|| broken("it has no opening".to_owned()))?;
    let steps = record.get("steps").and_then(Value::as_array).ok_or_else(|| broken("it has no steps".to_owned()))?;
    let mut chain = Chain::default();
    chain.compare(0, opening, Outcome::of(&game, &events).canonical())?;
    for (step, recorded) in (1..).zip(steps) {
        let (actor, action, expected) =
            split_step(recorded).ok_or_else(|| Difference::new(step, "the step has no actor, action or outcome"))?;
        events.clear();
        let outcome = match apply_json(&mut game, &actor, &action, &mut events) {
            Ok(()) => Outcome::of(&game, &events).canonical(),
            Err(refusal) => format!("{{\"error\":\"{}\"}}", refusal.code()),
        };
        chain.compare(step, &expected, outcome)?;
    }
    match record.get("final") {
        None => Ok(()),
        Some(last) if last.as_str() == Some(bytes_to_hex(&chain.hash).as_str()) => Ok(()),
        Some(last) => Err(differs(steps.len(), "final", last, &Value::from(bytes_to_hex(&chain.hash)))),
    }
}

/// The match of a record before its first step, with the events of the opening.
fn open_record(record: &Value) -> Result<(Match, Vec<Event>), String> {
    let field = |name: &str| record.get(name).ok_or_else(|| format!("it has no {name}"));
    let options = Options::from_json(Preset::Nigerian, field("options")?).map_err(|error| error.to_string())?;
    let first_starter = field("first_starter")?.as_u64().and_then(Seat::from_index);
    let first_starter = first_starter.ok_or("its first_starter is no seat")?;
    let seed = field("seed")?.as_str().and_then(Seed::from_hex).ok_or("its seed is not 64 hexadecimal digits")?;
    match (record.get("kind").map(Value::as_str), record.get("state")) {
        (None | Some(Some("game")), None) => Ok(Match::start(options, first_starter, seed)),
        (None | Some(Some("position")), Some(state)) => {
            let game = position::load(options, first_starter, seed, state).map_err(|error| error.to_string())?;
            Ok((game, Vec::new()))
        }
        _ => Err("its kind is neither a game without nor a position with a state".to_owned()),
    }
}

/// Actor, action and expected outcome of a step in either form.
fn split_step(step: &Value) -> Option<(Value, Value, Value)> {
    match step {
        Value::Array(parts) => match parts.as_slice() {
            [actor, action, digest] => Some((actor.clone(), action.clone(), digest.clone())),
            _ => None,
        },
        Value::Object(fields) => {
            let mut outcome = fields.clone();
            Some((outcome.remove("actor")?, outcome.remove("action")?, Value::Object(outcome)))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Applies an action in the form of rules 12.1, as records keep it.
///
/// # Errors
/// The first failing line of rules 13, a malformed action or actor being the first of them.
pub fn apply_json(game: &mut Match, actor: &Value, action: &Value, events: &mut Vec<Event>) -> Result<(), Refusal> {
    game.apply_into(Actor::from_json(actor)?, &Action::from_json(action)?, events)
}

/// The running digest of a record (rules 18.4).
#[derive(Default)]
struct Chain {
    hash: [u8; 32],
    begun: bool,
}

impl Chain {
    /// Takes in one outcome and compares it with what the record expects: its digest or the outcome itself.
    fn compare(&mut self, step: usize, expected: &Value, outcome: String) -> Result<(), Difference> {
        let mut hash = Sha256::new();
        if self.begun {
            hash.update(self.hash);
        }
        self.hash = hash.chain_update(&outcome).finalize().into();
        self.begun = true;
        if expected.is_string() {
            let digest: String = bytes_to_hex(&self.hash).chars().take(STEP_DIGITS).collect();
            return if expected.as_str() == Some(digest.as_str()) {
                Ok(())
            } else {
                let what = format!("expected digest {}, got {digest} for {}", shown_value(expected), shown(&outcome));
                Err(Difference::new(step, what))
            };
        }
        if canonical(expected) == outcome {
            return Ok(());
        }
        let outcome = serde_json::from_str(&outcome).unwrap_or(Value::String(outcome));
        Err(first_difference(step, "", expected, &outcome))
    }
}

/// The first place, in canonical order, where two values differ. They do differ.
fn first_difference(step: usize, path: &str, expected: &Value, got: &Value) -> Difference {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            let names: std::collections::BTreeSet<&String> = expected.keys().chain(got.keys()).collect();
            for name in names {
                let (one, two) = (expected.get(name), got.get(name));
                if one != two {
                    let path = if path.is_empty() { shown(name) } else { format!("{path}.{}", shown(name)) };
                    return match (one, two) {
                        (Some(one), Some(two)) => first_difference(step, &path, one, two),
                        (None, _) => Difference::new(step, format!("{path}: is not in the record")),
                        (_, None) => Difference::new(step, format!("{path}: is only in the record")),
                    };
                }
            }
        }
        (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
            for (i, (one, two)) in expected.iter().zip(got).enumerate() {
                if one != two {
                    return first_difference(step, &format!("{path}[{i}]"), one, two);
                }
            }
        }
        _ => {}
    }
    differs(step, path, expected, got)
}

fn differs(step: usize, path: &str, expected: &Value, got: &Value) -> Difference {
    let place = if path.is_empty() { "outcome" } else { path };
    Difference::new(step, format!("{place}: expected {}, got {}", shown_value(expected), shown_value(got)))
}

fn shown_value(value: &Value) -> String {
    shown(&canonical(value))
}

/// At most so many characters, control characters escaped: a record must not write to the terminal as it likes.
fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN_CHARACTERS).flat_map(char::escape_default).collect();
    short = short.replace("\\\"", "\"").replace("\\'", "'");
    if text.chars().count() > SHOWN_CHARACTERS {
        short.push('…');
    }
    short
}

/// Runs a record of section 4: `shuffled` must be `cards` shuffled with stream `index` of `seed`.
fn run_shuffle(record: &Value) -> Result<(), Difference> {
    let broken = || Difference::new(0, "the shuffle record is malformed");
    let seed = record.get("seed").and_then(Value::as_str).and_then(Seed::from_hex).ok_or_else(broken)?;
    let k = record.get("index").and_then(Value::as_u64).and_then(|k| u32::try_from(k).ok()).ok_or_else(broken)?;
    let mut cards = record.get("cards").and_then(cards_of).ok_or_else(broken)?;
    shuffle(&seed, k, &mut cards);
    compare_field(record, "shuffled", serde_json::json!(cards))
}

/// Runs a record of section 17.
fn run_fairness(record: &Value) -> Result<(), Difference> {
    let broken = || Difference::new(0, "the fairness record is malformed");
    let bytes = |value: Option<&Value>| value.and_then(Value::as_str).and_then(bytes_from_hex).ok_or_else(broken);
    let session = record.get("session_id").and_then(Value::as_str).and_then(|id| uuid::Uuid::parse_str(id).ok());
    let session = session.ok_or_else(broken)?;
    let round = record.get("round").and_then(Value::as_u64).and_then(|round| u32::try_from(round).ok());
    let server_seed = bytes(record.get("server_seed"))?;
    let nonces = PerSeat([bytes(record.pointer("/nonces/0"))?, bytes(record.pointer("/nonces/1"))?]);
    let seed = round_seed(session.as_bytes(), round.ok_or_else(broken)?, &server_seed, &nonces);
    compare_field(record, "commitment", Value::from(bytes_to_hex(&commitment(&server_seed))))?;
    compare_field(record, "round_seed", Value::from(seed.to_hex()))?;
    compare_field(record, "deck", serde_json::json!(deck(&seed)))
}

fn compare_field(record: &Value, name: &str, got: Value) -> Result<(), Difference> {
    match record.get(name) {
        Some(expected) if *expected == got => Ok(()),
        Some(expected) => Err(first_difference(0, name, expected, &got)),
        None => Err(Difference::new(0, format!("{name}: is not in the record"))),
    }
}

/// Cards of a list of ids; at most a deck of them, as `below` serves no longer list.
fn cards_of(value: &Value) -> Option<CardList> {
    let ids = value.as_array().filter(|ids| ids.len() <= crate::whot::card::DECK_SIZE)?;
    ids.iter().map(|id| id.as_u64().and_then(Card::new)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Outcome, apply_json, canonical, open_record};

    /// Every value inside a JSON value, by its path.
    fn places(value: &Value, path: &str, all: &mut Vec<String>) {
        all.push(path.to_owned());
        match value {
            Value::Array(items) => (0..).zip(items).for_each(|(i, item)| places(item, &format!("{path}/{i}"), all)),
            Value::Object(fields) => {
                fields.iter().for_each(|(name, item)| places(item, &format!("{path}/{name}"), all))
            }
            _ => {}
        }
    }

    /// Loads the record and, if that works, plays all its steps whatever they come to.
    fn plays(record: &Value) -> bool {
        let Ok((mut game, mut events)) = open_record(record) else { return false };
        for step in record["steps"].as_array().expect("steps") {
            events.clear();
            let refused = apply_json(&mut game, &step["actor"], &step["action"], &mut events).is_err();
            assert!(refused || !Outcome::of(&game, &events).canonical().is_empty());
        }
        true
    }

    /// The rules are total: a position that cannot be gets some answer, never a panic or a loop.
    #[test]
    fn mutilated_positions_get_an_answer() {
        let wild = [
            json!(null),
            json!([]),
            json!(0),
            json!(1),
            json!(53),
            json!(u32::MAX),
            json!("play"),
            json!("after_draw"),
        ];
        let (mut loaded, mut refused) = (0, 0);
        for line in include_str!("../../tests/vectors/corner.jsonl").lines().step_by(7) {
            let record: Value = serde_json::from_str(line).expect("JSON");
            let mut all = Vec::new();
            places(&record["state"], "/state", &mut all);
            for place in all {
                for value in &wild {
                    let mut record = record.clone();
                    *record.pointer_mut(&place).expect("a place") = value.clone();
                    *if plays(&record) { &mut loaded } else { &mut refused } += 1;
                }
            }
        }
        assert!(loaded > 1_000 && refused > 1_000, "{loaded} {refused}");
    }

    #[test]
    fn canonical_json_is_sorted_and_plain() {
        let value = json!({"b": [1, {"z": null, "a": "é\u{1f600}\n\""}], "B": true, "a": -5});
        assert_eq!(canonical(&value), r#"{"B":true,"a":-5,"b":[1,{"a":"\u00e9\ud83d\ude00\n\"","z":null}]}"#);
    }
}
