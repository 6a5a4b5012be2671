//! The clock rules with a clock that the test moves.
