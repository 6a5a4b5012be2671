//! The rules as a whole: vectors, properties and the commands that check recorded matches.

mod vectors;
