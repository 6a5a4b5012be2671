//! The Whot box as a library: `main.rs` and the tests are its two users.
