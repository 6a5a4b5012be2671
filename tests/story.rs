//! Whole evenings through the real program: what a person does, in the order in which a person does it.

mod bad_input;
mod compare;
mod evening;
mod kill;
mod link;
mod match_play;
mod secrecy;
