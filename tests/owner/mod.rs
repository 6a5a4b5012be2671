//! What the owner of a box relies on: backups and what tells when something is wrong.

mod backups;
mod broken;
mod chosen;
mod console;
mod damaged;
mod doctor;
mod full;
mod handbook;
mod memory;
mod metrics;
mod name;
mod power;
mod restoring;
mod settings;
mod support;
pub(crate) mod upgrading;
