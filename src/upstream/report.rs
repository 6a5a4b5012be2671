//! The account of replication that people and programs read (contract, section 7).

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use replication::row::Lane;

use crate::app::App;
use crate::base::time::Timestamp;
use crate::store::fault::Fault;
use crate::store::{compared, dead, meta};
use crate::upstream::Link;
use crate::upstream::sender::{backlog, oldest_waiting};

/// Dead letters counted at most; more is as bad as that many.
const MAX_DEAD: usize = 1000;

/// `GET /api/v1/admin/replication`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReplicationReport {
    /// `disabled`, `offline`, `catching_up`, `live`, `fenced` or `stalled`.
    pub state: &'static str,
    /// Why, in every state but `live`.
    pub reason: Option<String>,
    /// What to do, in every state but `live`.
    pub advice: Option<String>,
    /// This box.
    pub box_id: Uuid,
    /// The life of its log.
    pub epoch: Uuid,
    /// The last entry of both lanes together.
    pub head_seq: u64,
    /// How far central has confirmed, of both lanes together.
    pub acked_seq: u64,
    /// Entries that central has not confirmed.
    pub backlog: u64,
    /// Age of the oldest of them, in seconds; 0 where there is none.
    pub lag_seconds: u64,
    /// When central last confirmed anything.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_sync_at: Option<Timestamp>,
    /// The last failure, also after it was overcome.
    pub last_error: Option<String>,
    /// Rows that central refuses.
    pub dead_letters: usize,
    /// When the copies were last compared; nothing before the first comparison with central.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_verified_at: Option<Timestamp>,
    /// Rows that differed then.
    pub diverged_rows: Option<u64>,
    /// Central's clock less ours at the last contact, in seconds.
    pub clock_skew_seconds: Option<f64>,
}

/// The report now.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn report(app: &App, link: &Link) -> Result<ReplicationReport, Fault> {
    let known = link.status.known();
    let snapshot = app.store.read()?;
    let identity = meta::identity(&snapshot)?;
    let (mut head_seq, mut acked_seq) = (0, 0);
    for lane in Lane::ALL {
        head_seq += meta::lane_head(&snapshot, lane)?.seq;
        acked_seq += meta::lane_ack(&snapshot, lane)?.seq;
    }
    let oldest = oldest_waiting(&snapshot)?;
    let compared = compared::last(&snapshot)?;
    Ok(ReplicationReport {
        state: known.state.name(),
        reason: known.reason,
        advice: known.advice,
        box_id: identity.box_id,
        epoch: identity.epoch,
        head_seq,
        acked_seq,
        backlog: backlog(&snapshot)?,
        lag_seconds: oldest.map_or(0, |at| app.clock.now().since(at).as_secs()),
        last_sync_at: known.last_sync_at,
        last_error: known.last_error,
        dead_letters: dead::list(&snapshot, MAX_DEAD)?.len(),
        last_verified_at: compared.as_ref().map(|last| last.finished_at),
        diverged_rows: compared.map(|last| last.diverged),
        #[expect(clippy::cast_precision_loss, reason = "a skew of more than 285 years needs no microseconds")]
        clock_skew_seconds: known.clock_skew.map(|micros| micros as f64 / 1e6),
    })
}
