//! The option set of a match (section 3 of the rules), its presets, and its strict reading.
//!
//! An [`Options`] value is always inside the table of rules 3.1: it is made by [`Options::preset`],
//! [`Options::from_json`] or [`Options::from_stored`] and by nothing else. Knows nothing of play.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::whot::card::CardSet;
use crate::whot::words::words;

/// The words of `pick_two`: a 2 cannot be switched off.
const PICK_TWO: &str = "stack cancel none";

words! {
    /// Which card may open the pile (rules 5.4).
    StartCard {
        /// Neither a Whot nor a special card.
        Plain = "plain",
        /// Any card but a Whot.
        Any = "any",
    }
}
words! {
    /// How a penalty number works (rules 8.4, 8.5).
    Pick {
        /// Answering adds to the penalty.
        Stack = "stack",
        /// Answering clears it.
        Cancel = "cancel",
        /// No answer: the other draws at once and the player goes on.
        None = "none",
        /// The number is plain; only for 5.
        Off = "off",
    }
}
words! {
    /// Who goes on after a 14.
    GeneralMarket {
        /// The same player.
        Keep = "keep",
        /// The other.
        Pass = "pass",
    }
}
words! {
    /// What happens when the market runs out (rules 9.3).
    MarketEmpty {
        /// The round ends by count.
        Count = "count",
        /// The pile is shuffled into a new market.
        Reshuffle = "reshuffle",
    }
}
words! {
    /// Announcement of the last card (rules 8.7).
    LastCardCall {
        /// The box announces it.
        Auto = "auto",
        /// The player must call it.
        Required = "required",
    }
}
words! {
    /// How the match is decided (rules 11).
    MatchKind {
        /// First to win so many rounds.
        Rounds = "rounds",
        /// The lower total once the higher has reached the target.
        Points = "points",
    }
}
words! {
    /// A named option set (rules 3.2).
    Preset {
        /// The default.
        Nigerian = "nigerian",
        /// As described on pagat.com.
        Pagat = "pagat",
        /// One short round.
        Quick = "quick",
        /// No stacking, no special finish, calls required.
        Strict = "strict",
    }
}

impl Preset {
    /// The preset of this name.
    ///
    /// # Errors
    /// [`BadOptions`] naming the field `preset`.
    pub fn from_name(name: &str) -> Result<Self, BadOptions> {
        Self::from_word(name).ok_or_else(|| BadOptions::one_of("preset", Self::WORDS))
    }
}

/// Options that are refused, code `bad_options`: which field, and what would be right.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{field}: {message}")]
pub struct BadOptions {
    /// The field at fault, or `options` for the whole.
    pub field: String,
    /// What the field must be, as a sentence.
    pub message: String,
}

impl BadOptions {
    /// The code of rules 3.1.
    pub const CODE: &'static str = "bad_options";

    fn new(field: &str, message: String) -> Self {
        Self { field: field.to_owned(), message }
    }

    fn one_of(field: &str, words: &str) -> Self {
        Self::new(field, format!("Must be one of: {}.", words.trim_end().replace(' ', ", ")))
    }

    fn between(field: &str, low: u16, high: u16) -> Self {
        Self::new(field, format!("Must be a whole number from {low} to {high}."))
    }
}

/// The rules of one match, fixed at its start (rules 3.1). Fields stand in canonical order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Options {
    pub(in crate::whot) draw_then_play: bool,
    pub(in crate::whot) general_market: GeneralMarket,
    pub(in crate::whot) hand_size: u8,
    pub(in crate::whot) last_card_call: LastCardCall,
    pub(in crate::whot) market_empty: MarketEmpty,
    pub(in crate::whot) match_kind: MatchKind,
    pub(in crate::whot) match_target: u16,
    pub(in crate::whot) pick_three: Pick,
    pub(in crate::whot) pick_two: Pick,
    pub(in crate::whot) reshuffle_limit: u8,
    pub(in crate::whot) special_finish: bool,
    pub(in crate::whot) start_card: StartCard,
    pub(in crate::whot) timeout_limit: u8,
    pub(in crate::whot) turn_seconds: u16,
    pub(in crate::whot) voluntary_draw: bool,
    pub(in crate::whot) whot_defends: bool,
}

impl Options {
    /// The option set of a preset (rules 3.2).
    pub const fn preset(preset: Preset) -> Self {
        let nigerian = Self {
            draw_then_play: false,
            general_market: GeneralMarket::Keep,
            hand_size: 6,
            last_card_call: LastCardCall::Auto,
            market_empty: MarketEmpty::Count,
            match_kind: MatchKind::Rounds,
            match_target: 3,
            pick_three: Pick::Stack,
            pick_two: Pick::Stack,
            reshuffle_limit: 2,
            special_finish: true,
            start_card: StartCard::Plain,
            timeout_limit: 3,
            turn_seconds: 20,
            voluntary_draw: true,
            whot_defends: false,
        };
        match preset {
            Preset::Nigerian => nigerian,
            Preset::Pagat => Self {
                start_card: StartCard::Any,
                general_market: GeneralMarket::Pass,
                market_empty: MarketEmpty::Reshuffle,
                last_card_call: LastCardCall::Required,
                match_kind: MatchKind::Points,
                match_target: 100,
                ..nigerian
            },
            Preset::Quick => Self {
                hand_size: 4,
                pick_two: Pick::None,
                pick_three: Pick::None,
                voluntary_draw: false,
                match_target: 1,
                ..nigerian
            },
            Preset::Strict => Self {
                hand_size: 5,
                pick_two: Pick::Cancel,
                pick_three: Pick::Cancel,
                special_finish: false,
                last_card_call: LastCardCall::Required,
                ..nigerian
            },
        }
    }

    /// The preset with the fields of a JSON object laid over it (rules 3.1).
    ///
    /// # Errors
    /// [`BadOptions`] for an unknown field, a wrong type, or a value outside the table.
    pub fn from_json(preset: Preset, value: &Value) -> Result<Self, BadOptions> {
        let object = value.as_object().ok_or_else(|| BadOptions::new("options", "Must be an object.".to_owned()))?;
        let mut options = Self::preset(preset);
        for (field, value) in object {
            options.set(field, value)?;
        }
        options.checked()
    }

    fn set(&mut self, field: &str, value: &Value) -> Result<(), BadOptions> {
        let word = |words: &'static str| value.as_str().ok_or_else(|| BadOptions::one_of(field, words));
        let flag = || value.as_bool().ok_or_else(|| BadOptions::new(field, "Must be true or false.".to_owned()));
        // The bounds of the table are tested in `checked`; here a number only has to fit its type.
        let byte = |low, high| {
            value.as_u64().and_then(|n| u8::try_from(n).ok()).ok_or_else(|| BadOptions::between(field, low, high))
        };
        let number = |low, high| {
            value.as_u64().and_then(|n| u16::try_from(n).ok()).ok_or_else(|| BadOptions::between(field, low, high))
        };
        macro_rules! choice {
            ($kind:ty) => {
                <$kind>::from_word(word(<$kind>::WORDS)?).ok_or_else(|| BadOptions::one_of(field, <$kind>::WORDS))?
            };
        }
        match field {
            "draw_then_play" => self.draw_then_play = flag()?,
            "general_market" => self.general_market = choice!(GeneralMarket),
            "hand_size" => self.hand_size = byte(3, 10)?,
            "last_card_call" => self.last_card_call = choice!(LastCardCall),
            "market_empty" => self.market_empty = choice!(MarketEmpty),
            "match_kind" => self.match_kind = choice!(MatchKind),
            "match_target" => self.match_target = number(1, 1000)?,
            "pick_three" => self.pick_three = choice!(Pick),
            "pick_two" => {
                self.pick_two = Pick::from_word(word(PICK_TWO)?).ok_or_else(|| BadOptions::one_of(field, PICK_TWO))?;
            }
            "reshuffle_limit" => self.reshuffle_limit = byte(0, 10)?,
            "special_finish" => self.special_finish = flag()?,
            "start_card" => self.start_card = choice!(StartCard),
            "timeout_limit" => self.timeout_limit = byte(0, 10)?,
            "turn_seconds" => self.turn_seconds = number(0, 600)?,
            "voluntary_draw" => self.voluntary_draw = flag()?,
            "whot_defends" => self.whot_defends = flag()?,
            _ => return Err(BadOptions::new(field, "There is no such option.".to_owned())),
        }
        Ok(())
    }

    /// The bounds of the table of rules 3.1, and that only a 5 can be switched off.
    fn checked(self) -> Result<Self, BadOptions> {
        let target = match self.match_kind {
            MatchKind::Rounds => (1, 20),
            MatchKind::Points => (20, 1000),
        };
        let bounds = [
            ("hand_size", u16::from(self.hand_size), (3, 10)),
            ("match_target", self.match_target, target),
            ("reshuffle_limit", u16::from(self.reshuffle_limit), (0, 10)),
            ("timeout_limit", u16::from(self.timeout_limit), (0, 10)),
            ("turn_seconds", self.turn_seconds, (0, 600)),
        ];
        for (field, value, (low, high)) in bounds {
            if !(low..=high).contains(&value) {
                return Err(BadOptions::between(field, low, high));
            }
        }
        if self.pick_two == Pick::Off {
            return Err(BadOptions::one_of("pick_two", PICK_TWO));
        }
        Ok(self)
    }

    /// Seconds a player has for a turn; 0 is no clock. The rules never read it (rules 19.3).
    pub const fn turn_seconds(&self) -> u16 {
        self.turn_seconds
    }

    /// Cards dealt to each seat.
    pub const fn hand_size(&self) -> u8 {
        self.hand_size
    }

    /// Whether the last card must be called.
    pub fn call_required(&self) -> bool {
        self.last_card_call == LastCardCall::Required
    }

    /// The mode of a penalty number, 2 or 5 (rules 8.6); any other number is never a penalty.
    pub(in crate::whot) const fn pick(&self, number: u8) -> Pick {
        match number {
            2 => self.pick_two,
            5 => self.pick_three,
            _ => Pick::Off,
        }
    }

    /// The cards with a special number (rules 2.5).
    pub(in crate::whot) fn specials(&self) -> CardSet {
        let always = [1, 2, 8, 14, 20].map(CardSet::with_number).into_iter().fold(CardSet::EMPTY, CardSet::or);
        if self.pick_three == Pick::Off { always } else { always.or(CardSet::with_number(5)) }
    }

    /// The form for the store.
    pub const fn to_stored(&self) -> StoredOptions {
        StoredOptions {
            draw_then_play: self.draw_then_play,
            general_market: self.general_market.code(),
            hand_size: self.hand_size,
            last_card_call: self.last_card_call.code(),
            market_empty: self.market_empty.code(),
            match_kind: self.match_kind.code(),
            match_target: self.match_target,
            pick_three: self.pick_three.code(),
            pick_two: self.pick_two.code(),
            reshuffle_limit: self.reshuffle_limit,
            special_finish: self.special_finish,
            start_card: self.start_card.code(),
            timeout_limit: self.timeout_limit,
            turn_seconds: self.turn_seconds,
            voluntary_draw: self.voluntary_draw,
            whot_defends: self.whot_defends,
        }
    }

    /// The options of a stored form.
    ///
    /// # Errors
    /// [`BadOptions`] if a value lies outside the table, as only a damaged row has it.
    pub fn from_stored(stored: &StoredOptions) -> Result<Self, BadOptions> {
        macro_rules! choice {
            ($kind:ty, $field:ident) => {
                <$kind>::from_code(stored.$field)
                    .ok_or_else(|| BadOptions::one_of(stringify!($field), <$kind>::WORDS))?
            };
        }
        Self {
            draw_then_play: stored.draw_then_play,
            general_market: choice!(GeneralMarket, general_market),
            hand_size: stored.hand_size,
            last_card_call: choice!(LastCardCall, last_card_call),
            market_empty: choice!(MarketEmpty, market_empty),
            match_kind: choice!(MatchKind, match_kind),
            match_target: stored.match_target,
            pick_three: choice!(Pick, pick_three),
            pick_two: choice!(Pick, pick_two),
            reshuffle_limit: stored.reshuffle_limit,
            special_finish: stored.special_finish,
            start_card: choice!(StartCard, start_card),
            timeout_limit: stored.timeout_limit,
            turn_seconds: stored.turn_seconds,
            voluntary_draw: stored.voluntary_draw,
            whot_defends: stored.whot_defends,
        }
        .checked()
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::preset(Preset::Nigerian)
    }
}

/// Options as the store keeps them: a word is its position in rules 3.1. Field order is part of the stored format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "The fields are those of rules 3.1 and of `Options`.")]
pub struct StoredOptions {
    pub draw_then_play: bool,
    pub general_market: u8,
    pub hand_size: u8,
    pub last_card_call: u8,
    pub market_empty: u8,
    pub match_kind: u8,
    pub match_target: u16,
    pub pick_three: u8,
    pub pick_two: u8,
    pub reshuffle_limit: u8,
    pub special_finish: bool,
    pub start_card: u8,
    pub timeout_limit: u8,
    pub turn_seconds: u16,
    pub voluntary_draw: bool,
    pub whot_defends: bool,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Options, Preset};

    fn read(value: &Value) -> Result<Options, String> {
        Options::from_json(Preset::Nigerian, value).map_err(|error| error.field)
    }

    #[test]
    fn a_missing_field_takes_the_preset_and_a_full_set_reads_back() {
        for preset in Preset::ALL {
            let options = Options::from_json(*preset, &json!({"hand_size": 7})).expect("valid");
            assert_eq!(options.hand_size, 7);
            assert_eq!(read(&json!(options)), Ok(options));
            assert_eq!(Options::from_stored(&options.to_stored()), Ok(options));
        }
    }

    #[test]
    fn every_value_outside_the_table_is_refused_by_name() {
        for (field, value) in [
            ("hand_size", json!(2)),
            ("hand_size", json!(11)),
            ("hand_size", json!(6.0)),
            ("hand_size", json!("6")),
            ("hand_size", json!(262)),
            ("start_card", json!("whot")),
            ("pick_two", json!("off")),
            ("pick_three", json!(null)),
            ("whot_defends", json!(1)),
            ("reshuffle_limit", json!(11)),
            ("match_target", json!(21)),
            ("match_target", json!(0)),
            ("turn_seconds", json!(601)),
            ("timeout_limit", json!(-1)),
            ("Hand_size", json!(6)),
        ] {
            assert_eq!(read(&json!({field: value.clone()})), Err(field.to_owned()), "{field} {value}");
        }
        assert_eq!(read(&json!([])), Err("options".to_owned()));
    }

    #[test]
    fn the_target_is_judged_by_the_match_kind() {
        assert_eq!(read(&json!({"match_kind": "points"})), Err("match_target".to_owned()));
        assert!(read(&json!({"match_kind": "points", "match_target": 20})).is_ok());
        assert!(read(&json!({"match_target": 20, "match_kind": "rounds"})).is_ok());
    }

    #[test]
    fn a_damaged_stored_set_is_refused() {
        let mut stored = Options::default().to_stored();
        stored.pick_two = 3;
        assert!(Options::from_stored(&stored).is_err());
        stored.pick_two = 200;
        assert!(Options::from_stored(&stored).is_err());
    }
}
