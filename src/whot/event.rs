//! What happened, as section 14 of the rules names it, and what of it each seat may see.
//!
//! An event is a small value without allocation. The cards of `dealt` and `drew` are private to their seat:
//! [`Event::seen_by`] takes them away, and it is the only place that decides so.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::whot::card::{Card, CardSet, PerSeat, Seat, Shape};
use crate::whot::state::{EndReason, Phase, RoundResult};
use crate::whot::words::words;

words! {
    /// Why cards were drawn (rules 14.1).
    DrawReason {
        /// An ordinary draw.
        Market = "market",
        /// A penalty was taken.
        Penalty = "penalty",
        /// The other played a 14.
        GeneralMarket = "general_market",
        /// The last card was not called.
        NoCall = "no_call",
    }
}
words! {
    /// What cleared a penalty (rules 8.4).
    ClearedBy {
        /// A card with the penalty's number.
        Number = "number",
        /// A Whot.
        Whot = "whot",
    }
}

/// One thing that happened (rules 14.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "The fields are those of rules 14.1, in its words.")]
pub enum Event {
    /// A round opened with this start card.
    RoundStarted { round: u32, starter: Seat, hand_size: u8, card: Card, market_cards: u8 },
    /// A seat got its hand; the cards are its own.
    Dealt { seat: Seat, cards: Option<CardSet> },
    /// A card was played; the shape is there only for a Whot.
    Played { seat: Seat, card: Card, shape: Option<Shape> },
    /// Two cards are left.
    SemiLastCard { seat: Seat },
    /// One card is left.
    LastCard { seat: Seat },
    /// This seat was skipped by a 1 or an 8.
    Skipped { seat: Seat, number: u8 },
    /// This seat faces a penalty of `count` cards in total.
    Penalty { seat: Seat, number: u8, count: u32 },
    /// This seat cleared the penalty.
    PenaltyCleared { seat: Seat, by: ClearedBy },
    /// This seat did not call its last card.
    CallMissed { seat: Seat },
    /// Cards were drawn; which ones is the seat's own.
    Drew { seat: Seat, count: u8, reason: DrawReason, cards: Option<CardSet> },
    /// The market was refilled from the pile.
    Reshuffled { index: u32, market_cards: u8 },
    /// The drawn card was kept.
    Passed { seat: Seat },
    /// The turn clock ran out, so many times in a row.
    TimedOut { seat: Seat, count: u32 },
    /// The match was given up.
    Resigned { seat: Seat },
    /// This seat is on turn.
    Turn { seat: Seat, phase: Phase },
    /// The round is over; hands and seed are open from here.
    RoundOver(RoundResult),
    /// The match is over.
    MatchOver { winner: Option<Seat>, reason: EndReason, rounds_won: PerSeat<u32>, points: PerSeat<u32> },
}

impl Event {
    /// The event as this seat may see it: the other's dealt and drawn cards are missing.
    #[must_use]
    pub fn seen_by(mut self, viewer: Seat) -> Self {
        match &mut self {
            Self::Dealt { seat, cards } | Self::Drew { seat, cards, .. } => {
                if *seat != viewer {
                    *cards = None;
                }
            }
            Self::RoundStarted { .. }
            | Self::Played { .. }
            | Self::SemiLastCard { .. }
            | Self::LastCard { .. }
            | Self::Skipped { .. }
            | Self::Penalty { .. }
            | Self::PenaltyCleared { .. }
            | Self::CallMissed { .. }
            | Self::Reshuffled { .. }
            | Self::Passed { .. }
            | Self::TimedOut { .. }
            | Self::Resigned { .. }
            | Self::Turn { .. }
            | Self::RoundOver(_)
            | Self::MatchOver { .. } => {}
        }
        self
    }

    /// The word in the field `type`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::RoundStarted { .. } => "round_started",
            Self::Dealt { .. } => "dealt",
            Self::Played { .. } => "played",
            Self::SemiLastCard { .. } => "semi_last_card",
            Self::LastCard { .. } => "last_card",
            Self::Skipped { .. } => "skipped",
            Self::Penalty { .. } => "penalty",
            Self::PenaltyCleared { .. } => "penalty_cleared",
            Self::CallMissed { .. } => "call_missed",
            Self::Drew { .. } => "drew",
            Self::Reshuffled { .. } => "reshuffled",
            Self::Passed { .. } => "passed",
            Self::TimedOut { .. } => "timed_out",
            Self::Resigned { .. } => "resigned",
            Self::Turn { .. } => "turn",
            Self::RoundOver(_) => "round_over",
            Self::MatchOver { .. } => "match_over",
        }
    }
}

/// Writes the given fields and `type` as one map; the caller lists them in code point order.
macro_rules! fields {
    ($map:ident, $($name:literal: $value:expr),+) => {{ $($map.serialize_entry($name, $value)?;)+ }};
}

/// Fields in code point order, so that the text is canonical (rules 18.1).
impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let kind = self.kind();
        match self {
            Self::RoundStarted { round, starter, hand_size, card, market_cards } => {
                fields!(map, "card": card, "hand_size": hand_size, "market_cards": market_cards);
                fields!(map, "round": round, "starter": starter, "type": kind);
            }
            Self::Dealt { seat, cards } => {
                if let Some(cards) = cards {
                    fields!(map, "cards": cards);
                }
                fields!(map, "seat": seat, "type": kind);
            }
            Self::Played { seat, card, shape } => {
                fields!(map, "card": card, "seat": seat);
                if let Some(shape) = shape {
                    fields!(map, "shape": shape);
                }
                fields!(map, "type": kind);
            }
            Self::SemiLastCard { seat }
            | Self::LastCard { seat }
            | Self::CallMissed { seat }
            | Self::Passed { seat }
            | Self::Resigned { seat } => fields!(map, "seat": seat, "type": kind),
            Self::Skipped { seat, number } => fields!(map, "number": number, "seat": seat, "type": kind),
            Self::Penalty { seat, number, count } => {
                fields!(map, "count": count, "number": number, "seat": seat, "type": kind);
            }
            Self::PenaltyCleared { seat, by } => fields!(map, "by": by, "seat": seat, "type": kind),
            Self::Drew { seat, count, reason, cards } => {
                if let Some(cards) = cards {
                    fields!(map, "cards": cards);
                }
                fields!(map, "count": count, "reason": reason, "seat": seat, "type": kind);
            }
            Self::Reshuffled { index, market_cards } => {
                fields!(map, "index": index, "market_cards": market_cards, "type": kind);
            }
            Self::TimedOut { seat, count } => fields!(map, "count": count, "seat": seat, "type": kind),
            Self::Turn { seat, phase } => fields!(map, "phase": phase, "seat": seat, "type": kind),
            Self::RoundOver(result) => {
                let RoundResult { round, starter, reason, winner, points, hands, seed } = result;
                fields!(map, "hands": hands, "points": points, "reason": reason, "round": round, "seed": seed);
                fields!(map, "starter": starter, "type": kind, "winner": winner);
            }
            Self::MatchOver { winner, reason, rounds_won, points } => {
                fields!(map, "points": points, "reason": reason, "rounds_won": rounds_won);
                fields!(map, "type": kind, "winner": winner);
            }
        }
        map.end()
    }
}

/// The events of one action as this seat may see them, in order.
pub fn seen_by(events: &[Event], viewer: Seat) -> Vec<Event> {
    events.iter().map(|event| event.seen_by(viewer)).collect()
}
