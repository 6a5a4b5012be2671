//! Why an action is refused: the codes of section 13 of the rules, in the order in which they are tested.

use thiserror::Error;

/// The code of a refused action; nothing has changed. The order of the variants is the order of the tests.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// Malformed, or an actor that may not send this type.
    #[error("The action is malformed or not yours to send.")]
    BadAction,
    /// The match is over.
    #[error("The match is over.")]
    MatchOver,
    /// `next_round` while the round is live.
    #[error("The round is still being played.")]
    RoundLive,
    /// `play`, `draw`, `pass` or `timeout` between rounds.
    #[error("The round is over; the next one has not started.")]
    RoundOver,
    /// `play`, `draw` or `pass` by the seat that is not on turn.
    #[error("It is not your turn.")]
    NotYourTurn,
    /// The card is not in the hand.
    #[error("You do not hold that card.")]
    CardNotInHand,
    /// After a draw only the drawn card may be played.
    #[error("Only the card just drawn may be played now.")]
    MustPlayDrawn,
    /// A Whot without a shape.
    #[error("A Whot must name a shape.")]
    ShapeRequired,
    /// A card other than a Whot with a shape.
    #[error("Only a Whot may name a shape.")]
    ShapeNotAllowed,
    /// The card cannot answer the penalty.
    #[error("That card does not answer the penalty.")]
    PenaltyPending,
    /// The card follows neither shape nor number.
    #[error("That card does not follow the top card.")]
    NoMatch,
    /// The last card may not be a special card.
    #[error("The last card may not be a special card.")]
    SpecialFinish,
    /// The last card was called when it may not be.
    #[error("The last card may not be called now.")]
    BadCall,
    /// A second draw in one turn.
    #[error("You have drawn already: play the card or pass.")]
    AlreadyDrew,
    /// A draw while a play is legal and `voluntary_draw` is off.
    #[error("You hold a card that may be played and must play.")]
    MustPlay,
    /// A pass without a draw before it.
    #[error("You may pass only after drawing.")]
    CannotPass,
}

impl Refusal {
    /// Every refusal, in the order of the tests.
    pub const ALL: [Self; 16] = [
        Self::BadAction,
        Self::MatchOver,
        Self::RoundLive,
        Self::RoundOver,
        Self::NotYourTurn,
        Self::CardNotInHand,
        Self::MustPlayDrawn,
        Self::ShapeRequired,
        Self::ShapeNotAllowed,
        Self::PenaltyPending,
        Self::NoMatch,
        Self::SpecialFinish,
        Self::BadCall,
        Self::AlreadyDrew,
        Self::MustPlay,
        Self::CannotPass,
    ];

    /// The code clients see.
    pub const fn code(self) -> &'static str {
        match self {
            Self::BadAction => "bad_action",
            Self::MatchOver => "match_over",
            Self::RoundLive => "round_live",
            Self::RoundOver => "round_over",
            Self::NotYourTurn => "not_your_turn",
            Self::CardNotInHand => "card_not_in_hand",
            Self::MustPlayDrawn => "must_play_drawn",
            Self::ShapeRequired => "shape_required",
            Self::ShapeNotAllowed => "shape_not_allowed",
            Self::PenaltyPending => "penalty_pending",
            Self::NoMatch => "no_match",
            Self::SpecialFinish => "special_finish",
            Self::BadCall => "bad_call",
            Self::AlreadyDrew => "already_drew",
            Self::MustPlay => "must_play",
            Self::CannotPass => "cannot_pass",
        }
    }
}
