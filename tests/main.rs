//! The tests of the box.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "A test stops at the first thing that is not as expected; clippy knows that only inside the test functions."
)]

mod whot;
