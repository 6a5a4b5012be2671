//! Whole evenings through the real program: what a person does, in the order in which a person does it.

mod backup;
mod bad_input;
pub(crate) mod compare;
pub(crate) mod evening;
mod kill;
mod link;
pub(crate) mod match_play;
mod mixed;
mod orders;
mod rebuild;
mod rebuild_killed;
mod recorded;
mod refresh;
pub(crate) mod secrecy;
mod stalled;
mod sync;
mod whispers;
