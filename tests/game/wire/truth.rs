//! What a player may be sent, worked out from a match in which the hidden cards are others than in truth.
//!
//! The match's proof tells everything once it is over. For each thing that a seat received while a round was live, the
//! cards which that seat could not see are dealt anew among the places that it could not see, and what the box should
//! have sent is worked out from that. What it did send must be the same to the byte: then neither a value nor a
//! length in it depends on anything hidden.

use std::collections::HashMap;

use serde_json::{Value, json};
use whotbox::whot::action::{Action, Actor};
use whotbox::whot::card::Seat;
use whotbox::whot::event::Event;
use whotbox::whot::matches::Match;
use whotbox::whot::options::{Options, Preset};
use whotbox::whot::shuffle::{Seed, bytes_from_hex};
use whotbox::whot::state::Phase;

use super::capture::{Asked, Document};
use crate::whot::hidden::with_hidden_cards_mixed;
use crate::whot::random::Random;

/// A finished match, and what was said about it beside the cards.
pub(crate) struct Truth {
    /// The match after each action and the events of it, from the first deal on.
    pub(crate) steps: Vec<(Match, Vec<Event>)>,
    pub(crate) proof: Value,
    pub(crate) players: Value,
}

/// What must be the same in all replies of a kind, as it was first seen.
#[derive(Default)]
pub(crate) struct Constants(HashMap<String, String>);

/// What was judged.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) documents: usize,
    /// Those of a live round in which hidden cards did lie elsewhere.
    pub(crate) live: usize,
    pub(crate) refusals: usize,
}

/// Actions of one answer; long matches have more.
const MAX_EVENTS: usize = 1000;

type Verdict = Result<(), String>;

fn same(what: &str, got: &Value, expected: &Value) -> Verdict {
    if got == expected { Ok(()) } else { Err(format!("{what}: sent {got}, expected {expected}")) }
}

fn time(what: &str, value: &Value) -> Verdict {
    let good = value.as_str().is_some_and(|text| text.len() == "2026-11-22T10:00:00.000Z".len() && text.ends_with('Z'));
    if good { Ok(()) } else { Err(format!("{what} is no time: {value}")) }
}

impl Constants {
    fn hold(&mut self, what: String, value: &str) -> Verdict {
        let known = self.0.entry(what.clone()).or_insert_with(|| value.to_owned());
        if known == value { Ok(()) } else { Err(format!("{what} varies: {known:?} and {value:?}")) }
    }

    /// Headers say nothing: each reply of a kind has the same ones, but for its request's id and its length.
    fn head(&mut self, document: &Document) -> Verdict {
        let kind = match &document.asked {
            Asked::Play(_) => "play".to_owned(),
            other => format!("{other:?}"),
        };
        let kind = format!("{kind} {}", document.status);
        let names: Vec<&str> = document.headers.iter().map(|(name, _)| name.as_str()).collect();
        self.hold(format!("the headers of {kind}"), &names.join(","))?;
        for (name, value) in &document.headers {
            let good = match name.to_lowercase().as_str() {
                "x-request-id" => value.len() == 36,
                "content-length" => value.parse() == Ok(document.text.len()),
                "sec-websocket-accept" => value.len() == 28,
                "date" => value.len() == 29,
                _ => {
                    self.hold(format!("{name} of {kind}"), value)?;
                    true
                }
            };
            if !good {
                return Err(format!("{name} of {kind}: {value}"));
            }
        }
        Ok(())
    }
}

impl Truth {
    /// Plays a match again from its proof.
    pub(crate) fn of(proof: Value, players: Value) -> Self {
        let mut steps: Vec<(Match, Vec<Event>)> = Vec::new();
        for round in proof["rounds"].as_array().unwrap() {
            let seed = Seed(bytes_from_hex(round["seed"].as_str().unwrap()).unwrap());
            match steps.last() {
                None => {
                    let options = Options::from_json(Preset::Nigerian, &round["options"]).unwrap();
                    let starter = Seat::from_index(round["first_starter"].as_u64().unwrap()).unwrap();
                    steps.push(Match::start(options, starter, seed));
                }
                Some(_) => act(&mut steps, Actor::Server, &Action::NextRound { seed }),
            }
            for entry in round["actions"].as_array().unwrap() {
                let seat = Seat::from_index(entry["actor"].as_u64().unwrap()).unwrap();
                act(&mut steps, Actor::Seat(seat), &Action::from_client(&entry["action"], &[]).unwrap());
            }
        }
        Self { steps, proof, players }
    }

    fn at(&self, seq: u64) -> Result<&(Match, Vec<Event>), String> {
        self.steps.get(usize::try_from(seq).unwrap()).ok_or(format!("there is no action {seq}"))
    }

    /// Judges one thing that a seat received. `errors` are the refused actions that its socket sent, by their `ref`.
    pub(crate) fn judge(
        &self,
        seat: Seat,
        document: &Document,
        errors: &[(u64, Value)],
        constants: &mut Constants,
        judged: &mut Judged,
    ) -> Verdict {
        judged.documents += 1;
        if document.status != 0 {
            constants.head(document)?;
        }
        if document.asked == Asked::Open {
            return Ok(());
        }
        let body: Value = serde_json::from_str(&document.text).map_err(|error| error.to_string())?;
        // No blank, no field that stands twice, nothing that JSON would swallow.
        let tight = serde_json::to_string(&body).unwrap().len();
        if tight != document.text.len() {
            return Err(format!("{} bytes say what {tight} do", document.text.len()));
        }
        let mut view = Seen { truth: self, seat, judged };
        match &document.asked {
            Asked::Frame => view.frame(&body, errors, constants),
            Asked::Play(action) if document.status != 200 => view.refusal(&body, document.seq, action, constants),
            Asked::Play(_) => view.moved(&body, json!({})),
            Asked::Ready => view.game(&body),
            Asked::List => {
                same("a page", &body["next_cursor"], &Value::Null)?;
                view.game(&body["items"][0])?;
                same("a page", &json!(body["items"].as_array().map(Vec::len)), &json!(1))
            }
            Asked::Get(what) => view.part(what, &body, document.seq),
            Asked::Open => Ok(()),
        }
    }
}

fn act(steps: &mut Vec<(Match, Vec<Event>)>, actor: Actor, action: &Action) {
    let mut game = steps.last().unwrap().0.clone();
    let events = game.apply(actor, action).unwrap();
    steps.push((game, events));
}

/// The events with the other's own cards taken out (rules 14.1), by this test's own reading of them.
fn redacted(events: &[Event], seat: Seat) -> Value {
    let mut events = json!(events);
    for event in events.as_array_mut().unwrap() {
        if event["seat"] != json!(seat) {
            event.as_object_mut().unwrap().remove("cards");
        }
    }
    events
}

/// One seat's eyes.
struct Seen<'a> {
    truth: &'a Truth,
    seat: Seat,
    judged: &'a mut Judged,
}

impl Seen<'_> {
    /// The match after an action, with other hidden cards if they are still hidden then.
    fn elsewhere(&mut self, seq: u64) -> Result<Match, String> {
        let game = &self.truth.at(seq)?.0;
        if !game.phase().is_live() {
            return Ok(game.clone());
        }
        let mut random = Random::new(seq);
        for _ in 0..5 {
            let mixed = with_hidden_cards_mixed(game, self.seat, &mut random);
            if mixed != *game {
                self.judged.live += 1;
                return Ok(mixed);
            }
        }
        Ok(game.clone())
    }

    /// A `Game` must be the view of that other match.
    fn game(&mut self, sent: &Value) -> Verdict {
        let mut sent = sent.clone();
        let deadline = sent.as_object_mut().and_then(|fields| fields.remove("turn_deadline")).ok_or("no deadline")?;
        if !deadline.is_null() {
            time("turn_deadline", &deadline)?;
        }
        let seq = sent["seq"].as_u64().ok_or("no seq")?;
        let game = self.elsewhere(seq)?;
        let round = usize::try_from(game.round()).unwrap() - usize::from(game.phase() != Phase::RoundOver);
        let mut expected = json!(game.view(self.seat));
        let fields = expected.as_object_mut().unwrap();
        fields.insert("game_id".to_owned(), self.truth.proof["game_id"].clone());
        fields.insert("players".to_owned(), self.truth.players.clone());
        fields.insert("options".to_owned(), json!(game.options()));
        fields.insert("commitment".to_owned(), self.truth.proof["commitments"][round].clone());
        same("a match", &sent, &expected)
    }

    /// What an action did, and the match after it; `rest` is what else the message has.
    fn moved(&mut self, sent: &Value, rest: Value) -> Verdict {
        self.game(&sent["game"])?;
        let seq = sent["game"]["seq"].as_u64().unwrap();
        let mut expected =
            json!({"seq": seq, "events": redacted(&self.truth.at(seq)?.1, self.seat), "game": sent["game"]});
        expected.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        same("an action", sent, &expected)
    }

    fn frame(&mut self, sent: &Value, errors: &[(u64, Value)], constants: &mut Constants) -> Verdict {
        match sent["type"].as_str().unwrap_or_default() {
            "snapshot" => {
                self.game(&sent["game"])?;
                let seq = &sent["game"]["seq"];
                same("a snapshot", sent, &json!({"type": "snapshot", "seq": seq, "game": sent["game"]}))
            }
            "events" => self.moved(sent, json!({"type": "events"})),
            "presence" => {
                if !sent["since"].is_null() {
                    time("since", &sent["since"])?;
                }
                let word = if sent["opponent"] == "online" { "online" } else { "offline" };
                same("presence", sent, &json!({"type": "presence", "opponent": word, "since": sent["since"]}))
            }
            "ack" => same("an ack", sent, &json!({"type": "ack", "ref": sent["ref"], "seq": sent["seq"].as_u64()})),
            "error" => {
                let place = usize::try_from(sent["ref"].as_u64().ok_or("no ref")?).unwrap();
                let (seq, action) = errors.get(place).ok_or("nothing was asked")?;
                let code = self.code(*seq, action)?;
                constants.hold(format!("detail of {code}"), &sent["detail"].to_string())?;
                let expected = json!({"type": "error", "ref": place, "code": code, "detail": sent["detail"]});
                same("an error", sent, &expected)
            }
            other => Err(format!("a frame of type {other}: {sent}")),
        }
    }

    /// Why the action is refused, as that other match says.
    fn code(&mut self, seq: u64, action: &Value) -> Result<&'static str, String> {
        self.judged.refusals += 1;
        let Ok(action) = Action::from_client(action, &[]) else { return Ok("bad_action") };
        let refusal = self.elsewhere(seq)?.refusal(Actor::Seat(self.seat), &action);
        refusal.map(whotbox::whot::refusal::Refusal::code).ok_or("it is legal".to_owned())
    }

    fn refusal(&mut self, sent: &Value, seq: u64, action: &Value, constants: &mut Constants) -> Verdict {
        let code = self.code(seq, action)?;
        same("a refusal", &sent["code"], &json!(code))?;
        for (field, value) in sent.as_object().unwrap() {
            match field.as_str() {
                "request_id" => same("its length", &json!(value.as_str().map(str::len)), &json!(36))?,
                "instance" => {
                    let request = sent["request_id"].as_str().unwrap_or_default();
                    same("instance", value, &json!(format!("urn:whotbox:request:{request}")))?;
                }
                _ => constants.hold(format!("{field} of the problem {code}"), &value.to_string())?,
            }
        }
        Ok(())
    }

    fn part(&mut self, what: &str, sent: &Value, seq: u64) -> Verdict {
        let proof = &self.truth.proof;
        let game = self.elsewhere(seq)?;
        match what {
            "" => self.game(sent),
            "/events?after=-1" => {
                let step = |seq: u64| Ok(json!({"seq": seq, "events": redacted(&self.truth.at(seq)?.1, self.seat)}));
                let items = (0..=seq).take(MAX_EVENTS).map(step).collect::<Result<Vec<_>, String>>()?;
                same(what, sent, &json!({"items": items, "last_seq": seq}))
            }
            "/scoreboard" => {
                let view = game.view(self.seat);
                let mut players = self.truth.players.clone();
                for (seat, player) in Seat::BOTH.iter().zip(players.as_array_mut().unwrap()) {
                    player["rounds_won"] = json!(view.rounds_won.of(*seat));
                    player["points"] = json!(view.points.of(*seat));
                }
                let expected = json!({
                    "game_id": proof["game_id"], "players": players, "history": view.history, "winner": view.winner,
                    "end_reason": view.end_reason,
                });
                same(what, sent, &expected)
            }
            "/proof" => {
                let over = game.view(self.seat).history.len();
                let published = over + usize::from(game.phase() != Phase::MatchOver);
                let first = |field: &str, count: usize| json!(proof[field].as_array().unwrap()[..count]);
                let expected = json!({
                    "game_id": proof["game_id"], "commitments": first("commitments", published),
                    "rounds": first("rounds", over),
                });
                same(what, sent, &expected)
            }
            "/reconnect-token" => {
                time(what, &sent["expires_at"])?;
                let length = sent["reconnect_token"].as_str().map(str::len);
                same(what, &json!([length, sent.as_object().map(serde_json::Map::len)]), &json!([43, 2]))
            }
            other => Err(format!("nothing is known of {other}")),
        }
    }
}
