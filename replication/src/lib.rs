//! Change batches of one box to a central PostgreSQL, with the effect of each exactly once.

pub mod row;
