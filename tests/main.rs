//! The tests of the box.
