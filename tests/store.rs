//! The store: what it promises, against a model, a disk that fails and a power cut at every point.

mod commits;
mod compaction;
mod crash;
pub(crate) mod damage;
pub(crate) mod disk;
mod faults;
mod file;
mod goldens;
mod idempotency;
pub(crate) mod lab;
mod log;
mod model;
