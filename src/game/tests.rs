//! Whole matches on a store in memory.

mod exactly_once;
mod fairness;
mod hidden;
mod invites;
mod lifecycle;
mod present;
mod storm;
mod table;
