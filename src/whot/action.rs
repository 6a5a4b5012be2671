//! Actions and who sends them: JSON in both forms, and the compact code of rules 12.3.
//!
//! Parsing is strict: any field, type or value that section 12 of the rules does not name is [`Refusal::BadAction`].
//! Whether an action is allowed now is not decided here.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::whot::card::{Card, Seat, Shape};
use crate::whot::refusal::Refusal;
use crate::whot::shuffle::Seed;

const DRAW: u16 = 128;
const PASS: u16 = 129;
const RESIGN: u16 = 130;
const TIMEOUT: u16 = 131;
const NEXT_ROUND: u16 = 132;
/// Added to the code of a play that calls the last card.
const CALL: u16 = 256;
/// Code of the first Whot with the first shape; eight codes a Whot, of which five are used.
const FIRST_WHOT: u16 = 64;
const FIRST_WHOT_ID: u16 = 49;

/// Who sends an action (rules 12.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A player.
    Seat(Seat),
    /// The box itself.
    Server,
}

impl Actor {
    /// The actor of `0`, `1` or `"server"`.
    ///
    /// # Errors
    /// [`Refusal::BadAction`] for anything else.
    pub fn from_json(value: &Value) -> Result<Self, Refusal> {
        if value.as_str() == Some("server") {
            return Ok(Self::Server);
        }
        value.as_u64().and_then(Seat::from_index).map(Self::Seat).ok_or(Refusal::BadAction)
    }

    /// 0, 1, or 2 for the server, for compact storage.
    pub const fn code(self) -> u8 {
        match self {
            Self::Seat(seat) => seat.index(),
            Self::Server => 2,
        }
    }

    /// The actor of a stored code.
    pub fn from_code(code: u8) -> Option<Self> {
        if code == 2 { Some(Self::Server) } else { Seat::from_index(u64::from(code)).map(Self::Seat) }
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Seat(seat) => seat.serialize(serializer),
            Self::Server => serializer.serialize_str("server"),
        }
    }
}

/// One thing a player or the server does (rules 12.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A card is played.
    Play {
        /// The card.
        card: Card,
        /// The named shape; legal exactly with a Whot.
        shape: Option<Shape>,
        /// Whether the last card is announced.
        call: bool,
    },
    /// A card, or the penalty, is drawn.
    Draw,
    /// The card just drawn is kept.
    Pass,
    /// The match is given up.
    Resign,
    /// The turn clock ran out; sent by the server.
    Timeout,
    /// The next round starts; sent by the server.
    NextRound {
        /// The seed of the round that starts.
        seed: Seed,
    },
}

impl Action {
    /// Reads the form of rules 12.1, as in stored games and vectors.
    ///
    /// # Errors
    /// [`Refusal::BadAction`] for any other field, type or value.
    pub fn from_json(value: &Value) -> Result<Self, Refusal> {
        let object = value.as_object().ok_or(Refusal::BadAction)?;
        Self::from_object(object, |card| card.as_u64().and_then(Card::new)).ok_or(Refusal::BadAction)
    }

    /// Reads what a player's client sends: a card may also be a name such as `"C12"`, and `{"card", "shape"?}` without
    /// a type is a play. The server's own actions are malformed here. `envelope` names the fields of the surrounding
    /// request that may lie in the same object; they are passed over.
    ///
    /// # Errors
    /// [`Refusal::BadAction`] for any other field, type or value.
    pub fn from_client(value: &Value, envelope: &[&str]) -> Result<Self, Refusal> {
        let object = value.as_object().ok_or(Refusal::BadAction)?;
        let mut action: Map<String, Value> = object
            .iter()
            .filter(|(field, _)| !envelope.contains(&field.as_str()))
            .map(|(field, value)| (field.clone(), value.clone()))
            .collect();
        if !action.contains_key("type") && !action.contains_key("call") {
            action.insert("type".to_owned(), Value::from("play"));
        }
        Self::from_object(&action, card_of_client).filter(|action| action.is_players()).ok_or(Refusal::BadAction)
    }

    fn from_object(object: &Map<String, Value>, read_card: impl Fn(&Value) -> Option<Card>) -> Option<Self> {
        let only = |fields: &[&str]| object.keys().all(|field| fields.contains(&field.as_str()));
        match object.get("type")?.as_str()? {
            "play" if only(&["type", "card", "shape", "call"]) => {
                let shape = match object.get("shape") {
                    None | Some(Value::Null) => None,
                    Some(word) => Some(Shape::from_word(word.as_str()?)?),
                };
                let call = match object.get("call") {
                    None | Some(Value::Null) => false,
                    Some(call) => call.as_bool()?,
                };
                Some(Self::Play { card: read_card(object.get("card")?)?, shape, call })
            }
            "draw" if only(&["type"]) => Some(Self::Draw),
            "pass" if only(&["type"]) => Some(Self::Pass),
            "resign" if only(&["type"]) => Some(Self::Resign),
            "timeout" if only(&["type"]) => Some(Self::Timeout),
            "next_round" if only(&["type", "seed"]) => {
                Some(Self::NextRound { seed: Seed::from_hex(object.get("seed")?.as_str()?)? })
            }
            _ => None,
        }
    }

    /// Whether players send this type; the others are the server's.
    pub const fn is_players(&self) -> bool {
        !matches!(self, Self::Timeout | Self::NextRound { .. })
    }

    /// The code of rules 12.3. The seed of a `next_round` is kept beside it. None for a play that names a shape without
    /// being a Whot or the reverse: such a play is never accepted, so it is never stored.
    pub fn code(&self) -> Option<u16> {
        match *self {
            Self::Play { card, shape, call } => {
                let id = u16::from(card.id());
                let code = match (card.is_whot(), shape) {
                    (false, None) => id,
                    (true, Some(shape)) => FIRST_WHOT + 8 * (id - FIRST_WHOT_ID) + u16::from(shape.index()),
                    (false, Some(_)) | (true, None) => return None,
                };
                Some(if call { code + CALL } else { code })
            }
            Self::Draw => Some(DRAW),
            Self::Pass => Some(PASS),
            Self::Resign => Some(RESIGN),
            Self::Timeout => Some(TIMEOUT),
            Self::NextRound { .. } => Some(NEXT_ROUND),
        }
    }

    /// The action of a code (rules 12.3); `seed` must be there exactly for `next_round`.
    pub fn from_code(code: u16, seed: Option<Seed>) -> Option<Self> {
        if code == NEXT_ROUND {
            return seed.map(|seed| Self::NextRound { seed });
        }
        if seed.is_some() {
            return None;
        }
        match code {
            DRAW => return Some(Self::Draw),
            PASS => return Some(Self::Pass),
            RESIGN => return Some(Self::Resign),
            TIMEOUT => return Some(Self::Timeout),
            _ => {}
        }
        let (play, call) = if code >= CALL { (code - CALL, true) } else { (code, false) };
        if play < FIRST_WHOT_ID {
            return Some(Self::Play { card: Card::new(u64::from(play))?, shape: None, call });
        }
        let whot = play.checked_sub(FIRST_WHOT)?;
        let card = Card::new(u64::from(FIRST_WHOT_ID + whot / 8))?;
        let shape = Shape::from_index(u8::try_from(whot % 8).ok()?)?;
        Some(Self::Play { card, shape: Some(shape), call })
    }

    const fn word(&self) -> &'static str {
        match self {
            Self::Play { .. } => "play",
            Self::Draw => "draw",
            Self::Pass => "pass",
            Self::Resign => "resign",
            Self::Timeout => "timeout",
            Self::NextRound { .. } => "next_round",
        }
    }
}

fn card_of_client(value: &Value) -> Option<Card> {
    match value.as_str() {
        Some(name) => Card::from_name(name),
        None => value.as_u64().and_then(Card::new),
    }
}

/// Fields in code point order, so that the text is canonical (rules 18.1); absent optional fields are omitted.
impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Play { card, shape, call } => {
                if *call {
                    map.serialize_entry("call", call)?;
                }
                map.serialize_entry("card", card)?;
                if let Some(shape) = shape {
                    map.serialize_entry("shape", shape)?;
                }
            }
            Self::NextRound { seed } => map.serialize_entry("seed", seed)?,
            Self::Draw | Self::Pass | Self::Resign | Self::Timeout => {}
        }
        map.serialize_entry("type", self.word())?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Action, Actor};
    use crate::whot::card::{Card, Seat, Shape};
    use crate::whot::refusal::Refusal;
    use crate::whot::shuffle::Seed;

    #[test]
    fn every_code_is_one_action_and_back() {
        let seed = Seed([9; 32]);
        let valid = (0..=u16::MAX).filter(|code| {
            let given = (*code == 132).then_some(seed);
            let Some(action) = Action::from_code(*code, given) else { return false };
            assert_eq!(action.code(), Some(*code));
            assert_eq!(Action::from_json(&json!(action)), Ok(action));
            true
        });
        // 49 cards and 5 Whots with 5 shapes, with and without call, and 5 other actions.
        assert_eq!(valid.count(), 2 * (49 + 25) + 5);
        assert_eq!(Action::from_code(132, None), None);
        assert_eq!(Action::from_code(0, Some(seed)), None);
    }

    #[test]
    fn a_client_may_name_a_card_and_leave_out_the_type() {
        let play = Action::Play { card: Card::new(9).expect("a card"), shape: None, call: false };
        for form in [json!({"card": "C12"}), json!({"card": 9, "shape": null}), json!({"type": "play", "card": "C12"})]
        {
            assert_eq!(Action::from_client(&form, &[]), Ok(play), "{form}");
        }
        let body = json!({"type": "play", "card": 9, "client_id": "a", "expected_seq": 4});
        assert_eq!(Action::from_client(&body, &["client_id", "expected_seq"]), Ok(play));
        let whot = Action::Play { card: Card::new(49).expect("a card"), shape: Some(Shape::Star), call: false };
        assert_eq!(Action::from_client(&json!({"card": "W1", "shape": "star"}), &[]), Ok(whot));
    }

    #[test]
    fn what_a_client_may_not_send_is_malformed() {
        for form in [
            json!({"type": "timeout"}),
            json!({"type": "next_round", "seed": "0".repeat(64)}),
            json!({"type": "draw", "client_id": "a"}),
            json!({"card": "c12"}),
            json!({"card": 9, "call": true}),
            json!({}),
            json!([]),
            json!({"type": null, "card": 9}),
        ] {
            assert_eq!(Action::from_client(&form, &[]), Err(Refusal::BadAction), "{form}");
        }
        assert_eq!(Action::from_json(&json!({"type": "play", "card": "C12"})), Err(Refusal::BadAction));
    }

    #[test]
    fn actors_are_two_seats_and_the_server() {
        assert_eq!(Actor::from_json(&json!(1)), Ok(Actor::Seat(Seat::One)));
        assert_eq!(Actor::from_json(&json!("server")), Ok(Actor::Server));
        for bad in [json!(2), json!(-1), json!("0"), json!(null), json!(1.0), json!(true)] {
            assert_eq!(Actor::from_json(&bad), Err(Refusal::BadAction), "{bad}");
        }
    }
}
