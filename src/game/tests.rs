//! Whole matches on a store in memory.
