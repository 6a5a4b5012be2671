//! A full disk: who may still write, and when there is room again.
//!
//! ```text
//!   a reserve is kept ──the disk takes no more──▶ it is given free; only who may use it writes ──it can be kept again──▶ all do
//! ```
//!
//! The journal's own room comes on top: it was written when the store was made.

use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::store::fault::Fault;
use crate::store::writer::{Command, Shared};

/// How the disk's room stands.
#[derive(Debug, Default)]
pub(super) struct Room {
    short: AtomicBool,
    stuck: AtomicBool,
}

impl Room {
    /// Whether there is no room but the reserve.
    pub(super) fn is_short(&self) -> bool {
        self.short.load(Ordering::Relaxed)
    }

    /// Whether the reserve did not help either: the journal takes what it can, and no checkpoint is tried in vain.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }
}

impl Shared {
    /// Keeps the reserve, where there is room for it.
    pub(super) fn keep_reserve(&self) {
        let kept = self.settings.medium.keep_reserve();
        match kept {
            Ok(()) => {
                if self.room.short.swap(false, Ordering::Relaxed) {
                    tracing::info!("there is room on the disk again; everything is written");
                }
                self.room.stuck.store(false, Ordering::Relaxed);
            }
            Err(error) if error.kind() == ErrorKind::StorageFull => {
                if !self.room.short.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        "the disk is nearly full; only sign-outs, holds, audits and what makes room is written"
                    );
                }
            }
            // A file system without such a call, or one that cannot be asked: the box is no worse off than without it.
            Err(error) if !self.room.is_short() => tracing::warn!(%error, "no room can be kept for a full disk"),
            Err(_) => {}
        }
    }

    /// The disk took no more: the reserve is given free.
    pub(super) fn use_reserve(&self) {
        if self.room.short.swap(true, Ordering::Relaxed) {
            self.room.stuck.store(true, Ordering::Relaxed);
            return;
        }
        tracing::error!("the disk is full; only sign-outs, holds, audits and what makes room is written");
        if let Err(error) = self.settings.medium.spend_reserve() {
            tracing::error!(%error, "the room that was kept cannot be given free");
        }
    }

    /// Whether there is room again.
    pub(super) fn look_for_room(&self) {
        if self.room.is_short() {
            self.keep_reserve();
        }
    }

    /// The command, where it may be run now; on a full disk one that may not use the reserve is refused.
    pub(super) fn admit(&self, command: Box<dyn Command>) -> Option<Box<dyn Command>> {
        if self.room.is_short() && !command.may_use_reserve() {
            command.answer(Err(Fault::Full));
            return None;
        }
        Some(command)
    }
}
