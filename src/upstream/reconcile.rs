//! A box and a central that have parted: what state that is, by name; what either side has alone; and the one way back that needs no new machine,
//! in which central follows this box from here on.
//!
//! ```text
//!   judge   cursors and epoch at central, against this box's log ─▶ state, reason, advice
//!   count   row by row, by digests, whatever epoch central follows ─▶ what either way would lose
//!   keep    central follows this box ─▶ everything is sent ─▶ what central alone had is gone ─▶ compared
//! ```
//! The other way, in which central's copy wins, is a rebuild in an empty folder. Counting changes nothing on either side.

use std::path::Path;

use replication::admin::Admin;
use replication::digest::{self, Digest, Digester};
use replication::error::Error as Central;
use replication::fence::{self, Fence, Log};
use replication::postgres::Postgres;
use replication::row::{Lane, Row};
use replication::settings::Settings;
use replication::upstream::{Among, Range, Upstream};

use crate::app::App;
use crate::catalog;
use crate::store::fault::Fault;
use crate::store::meta;
use crate::store::table::TableInfo;
use crate::upstream::batch::signed;
use crate::upstream::compare::{self, Repaired};
use crate::upstream::enrol::{self, EnrolError};
use crate::upstream::verify::VerifyError;
use crate::upstream::walk::Walk;
use crate::upstream::{Link, sender};

/// Rows read here at once.
const PAGE: usize = 1000;
/// Rows listed by central at once.
const LISTED: u32 = 20_000;
/// How long a lane must have stood still before another copy of the box is taken to have ended.
const QUIET_SECONDS: i64 = 300;

/// How a box and central stand to each other. Each has a name, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// They agree; what waits is sent by itself.
    InStep,
    /// Central was set back, not further than this box's log reaches: it is fed again by itself.
    Rewound,
    /// This store was restored from a backup, or adopted: its log began anew, and central follows the life before.
    Restored,
    /// Central follows another life of the box, begun elsewhere: this is the older copy, or one of two.
    OtherCopy,
    /// Central was set back further than this box's log reaches.
    CentralRestored,
    /// Central does not know this login any more: it was wiped, or the box was shut out.
    Unknown,
}

impl State {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InStep => "in_step",
            Self::Rewound => "central_rewound",
            Self::Restored => "box_restored",
            Self::OtherCopy => "other_copy",
            Self::CentralRestored => "central_restored",
            Self::Unknown => "not_known_at_central",
        }
    }

    /// What it means, in a sentence.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::InStep => "Central follows this box and holds a beginning of its log.",
            Self::Rewound => {
                "Central was set back to an older point, which this box's log still reaches: it is fed again by itself."
            }
            Self::Restored => "This box was restored from a backup; central still follows its earlier life.",
            Self::OtherCopy => {
                "Another copy of this box was enrolled or has written since: this is the older one, or one of two."
            }
            Self::CentralRestored => "Central was set back to a point that this box's log no longer reaches.",
            Self::Unknown => "Central does not know this box's login: it was wiped, or the box was shut out.",
        }
    }

    /// What to do.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::InStep | Self::Rewound => "Nothing to do; to compare the copies: whotbox sync verify.",
            Self::Restored => {
                "Where central alone has rows that count, rebuild from it: whotbox sync rebuild, in an empty folder. Else: whotbox sync \
                 reconcile --keep box --admin-url …"
            }
            Self::OtherCopy => {
                "Decide which copy goes on and stop the other for good. This one: whotbox sync reconcile --keep box --admin-url … The other: wipe this one."
            }
            Self::CentralRestored | Self::Unknown => {
                "Have central follow this box anew: whotbox sync reconcile --keep box --admin-url …"
            }
        }
    }

    /// Whether nothing goes on by itself.
    #[must_use]
    pub const fn parted(self) -> bool {
        !matches!(self, Self::InStep | Self::Rewound)
    }
}

/// Rows of one table on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// `schema.table`.
    pub table: String,
    /// Rows of the box.
    pub here: u64,
    /// Rows of central.
    pub central: u64,
    /// Rows that the box alone has.
    pub only_here: u64,
    /// Rows that central alone has: lost if the box is kept.
    pub only_central: u64,
    /// Rows that both have, and not the same.
    pub different: u64,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// How they stand.
    pub state: State,
    /// What the fence says, where there is one.
    pub fence: Option<Fence>,
    /// Changes of this box that central has not confirmed.
    pub backlog: u64,
    /// Tables that differ; nothing where central could not be asked.
    pub tables: Vec<Count>,
}

/// Why it came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// They agree.
    #[error("there is nothing to reconcile: central follows this box")]
    Nothing,
    /// Another copy wrote a moment ago.
    #[error("another copy of this box has written to central {0} seconds ago")]
    StillRuns(i64),
    /// Central refused, or was not reached.
    #[error(transparent)]
    Central(#[from] Central),
    /// The copies cannot be compared.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// Central does not take this box.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] Fault),
}

/// What keeping this box came to.
#[derive(Debug)]
pub struct Kept {
    /// How they stood before.
    pub before: State,
    /// The last comparison; `None` where central could not be reached in time for it.
    pub repaired: Option<Repaired>,
}

/// Judges how this box and central stand, and counts what either has alone. Nothing is changed.
///
/// # Errors
/// [`ReconcileError`] where central cannot be asked.
pub async fn examine(app: &App) -> Result<Verdict, ReconcileError> {
    let settings = compare::settings(app)?.ok_or(VerifyError::NotLinked)?;
    let central = Postgres::new(settings);
    let backlog = sender::backlog(&app.store.read()?)?;
    match judge(app, &central).await {
        Ok((state, fence)) => {
            let tables = if state == State::InStep { Vec::new() } else { count(app, &central).await? };
            Ok(Verdict { state, fence, backlog, tables })
        }
        Err(ReconcileError::Central(Central::NotAllowed { .. })) => {
            Ok(Verdict { state: State::Unknown, fence: None, backlog, tables: Vec::new() })
        }
        Err(error) => Err(error),
    }
}

async fn judge(app: &App, central: &impl Upstream) -> Result<(State, Option<Fence>), ReconcileError> {
    let mut state = State::InStep;
    for lane in Lane::ALL {
        let cursor = central.cursor(lane).await?;
        let snapshot = app.store.read()?;
        let identity = meta::identity(&snapshot)?;
        let (head, acked) = (meta::lane_head(&snapshot, lane)?, meta::lane_ack(&snapshot, lane)?);
        let log = Log { epoch: identity.epoch, head: signed(head.seq), acked: signed(acked.seq) };
        let chain = sender::chain_at(&snapshot, lane, &acked, cursor.seq)?;
        match fence::judge(&cursor, &log, |_| chain) {
            Ok(resume) if resume.rewound => state = State::Rewound,
            Ok(_) => {}
            Err(fence) => {
                let named = match fence {
                    Fence::OtherEpoch { central } if identity.parent_epoch == Some(central) => State::Restored,
                    Fence::LogTooShort { .. } => State::CentralRestored,
                    Fence::OtherEpoch { .. } | Fence::AheadOfUs { .. } | Fence::OtherHistory { .. } => State::OtherCopy,
                };
                return Ok((named, Some(fence)));
            }
        }
    }
    Ok((state, None))
}

/// The tables that differ, row by row.
async fn count(app: &App, central: &impl Upstream) -> Result<Vec<Count>, ReconcileError> {
    let schema = central.schema().await?;
    let mut found = Vec::new();
    for info in catalog::tables() {
        let Some(upstream) = info.upstream else { continue };
        let digester = Digester::at(upstream.table, schema);
        let ours = Ours { app, info, digester };
        let (here, digest) = ours.sum()?;
        let sums = central.sums(upstream.table, &[Range::default()]).await?;
        let (theirs, their_digest) = sums.ranges.first().copied().unwrap_or((0, digest::range([])));
        let mut count = Count {
            table: upstream.table.full_name(),
            here,
            central: u64::try_from(theirs).unwrap_or(0),
            only_here: 0,
            only_central: 0,
            different: 0,
        };
        if digest != their_digest {
            ours.tell_apart(central, &mut count).await?;
            found.push(count);
        }
    }
    Ok(found)
}

/// This box's rows of one table.
struct Ours<'a> {
    app: &'a App,
    info: TableInfo,
    digester: Digester,
}

impl Ours<'_> {
    /// The next rows' ids and digests; fewer than a page at the end.
    fn page(&self, walk: &mut Walk) -> Result<Vec<(String, Digest)>, Fault> {
        let rows = walk.next(&self.app.store.read()?, PAGE)?;
        let digest = |found: crate::upstream::walk::Found| {
            let (id, values) = (self.info.upstream_row)(&found.key, &found.stored)?;
            let digest = self.digester.row(&Row { id, values });
            Ok((found.id, digest))
        };
        rows.into_iter().map(digest).collect()
    }

    fn sum(&self) -> Result<(u64, Digest), Fault> {
        let mut walk = Walk::new(&self.app.store.read()?, &self.info)?;
        let mut all: Vec<Digest> = Vec::new();
        loop {
            let page = self.page(&mut walk)?;
            let end = page.len() < PAGE;
            all.extend(page.into_iter().map(|(_, digest)| digest));
            if end {
                return Ok((all.len() as u64, digest::range(all)));
            }
        }
    }

    /// Both sides in the order of their ids, side by side.
    async fn tell_apart(&self, central: &impl Upstream, count: &mut Count) -> Result<(), ReconcileError> {
        let Some(upstream) = self.info.upstream else { return Ok(()) };
        let mut walk = Walk::new(&self.app.store.read()?, &self.info)?;
        let (mut ours, mut over) = (std::collections::VecDeque::new(), false);
        let mut after: Option<String> = None;
        loop {
            let range = [Range { after: after.as_deref(), upto: None }];
            let theirs = central.list(upstream.table, Among::Ranges(&range), LISTED).await?.rows;
            let last = theirs.len() < usize::try_from(LISTED).unwrap_or(usize::MAX);
            after = theirs.last().map(|(id, _)| id.clone());
            for (id, digest) in theirs {
                loop {
                    if ours.is_empty() && !over {
                        let page = self.page(&mut walk)?;
                        over = page.len() < PAGE;
                        ours.extend(page);
                    }
                    match ours.front() {
                        Some((mine, _)) if *mine < id => count.only_here += 1,
                        Some((mine, same)) if *mine == id => {
                            count.different += u64::from(*same != digest);
                            ours.pop_front();
                            break;
                        }
                        _ => {
                            count.only_central += 1;
                            break;
                        }
                    }
                    ours.pop_front();
                }
            }
            if last {
                break;
            }
        }
        loop {
            count.only_here += ours.len() as u64;
            ours.clear();
            if over {
                return Ok(());
            }
            let page = self.page(&mut walk)?;
            over = page.len() < PAGE;
            ours.extend(page);
        }
    }
}

/// Has central follow this box from here on: everything is sent again, and what central alone had is taken away.
/// `alone` says that no other copy runs, whatever central has heard.
///
/// # Errors
/// [`ReconcileError`]; cut off anywhere, the same command goes on, or the box itself does.
pub async fn keep_box(
    app: &App,
    link: &Link,
    operator: &Settings,
    ca: Option<&Path>,
    alone: bool,
) -> Result<Kept, ReconcileError> {
    let verdict = examine(app).await?;
    if !verdict.state.parted() {
        return Err(ReconcileError::Nothing);
    }
    let admin = Admin::new(operator.clone());
    let known = admin.fleet().await?.into_iter().find(|one| one.box_id == app.box_id);
    if verdict.state == State::OtherCopy && !alone {
        let still = admin.quiet_seconds(app.box_id).await?.filter(|quiet| *quiet < QUIET_SECONDS);
        if let Some(seconds) = still {
            return Err(ReconcileError::StillRuns(seconds));
        }
    }
    let name = known.map_or_else(|| "whotbox".to_owned(), |known| known.name);
    enrol::enrol(app, link, operator, ca, &name).await?;
    let arrived = compare::sent(app, link).await?;
    let repaired = if arrived { Some(compare::repair(app, link, false).await?) } else { None };
    Ok(Kept { before: verdict.state, repaired })
}
