//! The rules of two-player Nigerian Whot, complete: pure, deterministic and total.
//!
//! Owns what a card is worth, what is legal, what happens, and what each seat may know of it. Knows no clock, no input
//! or output, no users and no store: options, seeds and actions come in, events, views and refusals come out. The same
//! input gives the same output, byte for byte. The deck and the other hand never leave through [`matches::Match::view`]
//! or [`event::Event::seen_by`], and nothing else is meant for players.
//!
//! One turn:
//!
//! ```text
//!   JSON ──action::Action::from_client──▶ Action
//!                                           │
//!   matches::Match::apply(actor, action) ◀──┘
//!        │
//!        ├─ legal:  State::refusal ──▶ Err(refusal::Refusal)         nothing has changed
//!        │          (State::playable is section 7 as a set of cards)
//!        ├─ play:   Turn::play / draw / pass / resign / time_out / deal
//!        │          └─ may end the round ─▶ scoreboard ─▶ may end the match
//!        └─ Ok(events)
//!              ├─ event::seen_by(seat)  ─▶ what each player is told
//!              ├─ Match::view(seat)     ─▶ what each player can redraw from
//!              └─ Match::to_stored      ─▶ what the store keeps (every hidden card)
//! ```
//!
//! `card` deck and containers · `options` rules 3 · `shuffle` rules 4 · `fair` rules 17 · `action` rules 12 · `legal`
//! rules 7, 12.4, 13 · `play` rules 5, 8 to 11 · `state` rules 15, 20 · `event` rules 14 · `view` rules 16 · `stored`
//! the store's form · `position`, `record` and `proof` recorded matches and how they are checked (rules 18, 17.5) ·
//! `bot` practice opponents, who know what a seat is shown and no more.

pub mod action;
pub mod bot;
pub mod card;
pub mod event;
pub mod fair;
mod legal;
pub mod matches;
pub mod options;
mod play;
mod position;
pub mod proof;
pub mod record;
pub mod refusal;
pub mod shuffle;
pub mod state;
pub mod stored;
pub mod view;
mod words;
