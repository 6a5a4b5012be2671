//! Moving in from the four old services: stores of three kinds of installation, made by Python, with faults planted.
//!
//! Each story ends with people who sign in with their old passwords, a report that accounts for every row, sources that are
//! byte for byte what they were, and a central that holds exactly what the box holds.

mod out;
mod sources;
mod stories;
