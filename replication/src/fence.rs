//! Where to go on from, given where central says a lane stands: one pure judgement.
//!
//! Must not know how the cursor was learnt nor how the log is stored.
//!
//! ```text
//!   log of the box:   oldest ········ acked ·········· head
//!   cursor upstream:     ^ resume here     ^ the usual place
//!                        (central was restored)
//! ```

use uuid::Uuid;

use crate::row::{Chain, Cursor};

/// What a box knows of one lane of its own log.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    /// The epoch it writes.
    pub epoch: Uuid,
    /// The last entry.
    pub head: i64,
    /// The highest entry that central ever acknowledged.
    pub acked: i64,
}

/// Go on from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Send the entries above this one.
    pub after: i64,
    /// Central had acknowledged more than it now holds: it was restored to an older point, and is being fed again.
    pub rewound: bool,
}

/// Replication stops, the box goes on, and its operator decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fence {
    /// Central follows another life of this box: it, or another copy of it, was enrolled again.
    #[error("central follows another epoch of this box")]
    OtherEpoch {
        /// The epoch upstream.
        central: Uuid,
    },
    /// Central holds entries that this box never wrote: this store is an older copy, or another box uses its login.
    #[error("central holds entries up to {central}, this box has only {head}")]
    AheadOfUs {
        /// The cursor upstream.
        central: i64,
        /// The box's last entry.
        head: i64,
    },
    /// The same number, another history: two copies of this box have written.
    #[error("central's history differs from this box's at entry {seq}")]
    OtherHistory {
        /// The cursor upstream.
        seq: i64,
    },
    /// Central was restored to a point that the box's log no longer reaches: it must be filled again.
    #[error("central was restored to entry {central}, which this box's log no longer holds")]
    LogTooShort {
        /// The cursor upstream.
        central: i64,
    },
}

impl Fence {
    /// The name of the state's reason, stable for programs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::OtherEpoch { .. } => "other_epoch",
            Self::AheadOfUs { .. } => "ahead_of_us",
            Self::OtherHistory { .. } => "other_history",
            Self::LogTooShort { .. } => "central_restored",
        }
    }

    /// What the operator can do, in one sentence.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::OtherEpoch { .. } | Self::AheadOfUs { .. } | Self::OtherHistory { .. } => {
                "Make sure that only one copy of this box runs; what either side has alone, and the ways back: whotbox sync reconcile --dry-run."
            }
            Self::LogTooShort { .. } => {
                "Have central filled from this box again: whotbox sync reconcile --keep box --admin-url …"
            }
        }
    }
}

/// Judges where a lane goes on. `chain_at` gives the log's chain behind an entry, `None` where it is no longer kept.
///
/// # Errors
/// A [`Fence`] where sending on could destroy what another copy of this box has written.
pub fn judge(cursor: &Cursor, log: &Log, chain_at: impl FnOnce(i64) -> Option<Chain>) -> Result<Resume, Fence> {
    if cursor.epoch != log.epoch {
        return Err(Fence::OtherEpoch { central: cursor.epoch });
    }
    if cursor.seq > log.head {
        return Err(Fence::AheadOfUs { central: cursor.seq, head: log.head });
    }
    match chain_at(cursor.seq) {
        None => Err(Fence::LogTooShort { central: cursor.seq }),
        Some(chain) if chain != cursor.chain => Err(Fence::OtherHistory { seq: cursor.seq }),
        Some(_) => Ok(Resume { after: cursor.seq, rewound: cursor.seq < log.acked }),
    }
}

#[cfg(test)]
mod tests {
    use crate::fence::{Fence, Log, Resume, judge};
    use crate::row::{Chain, Cursor};
    use uuid::Uuid;

    const EPOCH: Uuid = Uuid::from_u128(1);
    const LOG: Log = Log { epoch: EPOCH, head: 20, acked: 10 };

    fn at(seq: i64) -> Cursor {
        Cursor { epoch: EPOCH, seq, chain: [u8::try_from(seq).unwrap(); 32] }
    }

    /// The log keeps its entries from 5 on.
    fn chain_at(seq: i64) -> Option<Chain> {
        (seq >= 5).then(|| [u8::try_from(seq).unwrap(); 32])
    }

    #[test]
    fn the_usual_place_and_an_acknowledgement_that_was_lost() {
        assert_eq!(judge(&at(10), &LOG, chain_at), Ok(Resume { after: 10, rewound: false }));
        assert_eq!(judge(&at(13), &LOG, chain_at), Ok(Resume { after: 13, rewound: false }));
    }

    #[test]
    fn a_restored_central_is_fed_again_as_far_as_the_log_reaches() {
        assert_eq!(judge(&at(7), &LOG, chain_at), Ok(Resume { after: 7, rewound: true }));
        assert_eq!(judge(&at(4), &LOG, chain_at), Err(Fence::LogTooShort { central: 4 }));
    }

    #[test]
    fn copies_and_other_lives_are_fenced() {
        let other = Uuid::from_u128(2);
        assert_eq!(
            judge(&Cursor { epoch: other, ..at(10) }, &LOG, chain_at),
            Err(Fence::OtherEpoch { central: other })
        );
        assert_eq!(judge(&at(21), &LOG, chain_at), Err(Fence::AheadOfUs { central: 21, head: 20 }));
        assert_eq!(judge(&Cursor { chain: [9; 32], ..at(10) }, &LOG, chain_at), Err(Fence::OtherHistory { seq: 10 }));
    }
}
