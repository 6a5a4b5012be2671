//! The box's side, coming back: orders carried out, cursors acknowledged, refused rows listed. Each step may be done twice.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use replication::HAS_RECORDS;
use replication::fence::{self, Log};
use replication::row::{Chain, Cursor, Lane, Refusal};
use replication::upstream::Directive;

use crate::app::App;
use crate::base::time::Timestamp;
use crate::catalog;
use crate::chat::service::Gate;
use crate::store::{answers, courier, dead, form, meta};
use crate::upstream::batch::signed;
use crate::upstream::courier::format::{Ack, Label, MAX_ACK, Stand};
use crate::upstream::courier::{CourierError, find, reply_key};
use crate::upstream::{Link, directives, sender};

/// What an acknowledgement came to.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The number of the bundle that it answers.
    pub number: u64,
    /// A later one was imported before: it tells nothing new.
    pub older: bool,
    /// Entries that central has confirmed by it.
    pub confirmed: u64,
    /// Entries that wait still.
    pub backlog: u64,
    /// Orders that were carried out or refused.
    pub orders: u64,
    /// Rows that central refused.
    pub refused: usize,
    /// Central stands behind what it had confirmed before: it was set back, and the next bundle holds more.
    pub rewound: bool,
}

/// Takes an acknowledgement in.
///
/// # Errors
/// [`CourierError`]; what was done stays done, and importing it again goes on there.
pub async fn import(app: &App, link: &Link, path: &Path) -> Result<Imported, CourierError> {
    let file = read(path)?;
    let label = Label::read(&file)?;
    let identity = meta::identity(&app.store.read()?)?;
    if label.box_id != identity.box_id {
        return Err(CourierError::OtherBox(label.box_id));
    }
    if label.epoch != identity.epoch {
        return Err(CourierError::OtherLife);
    }
    let ack = label.open(&reply_key(&app.secrets.master, label.bundle), &file)?;
    let at = Timestamp::from_micros(ack.at);
    let before = sender::backlog(&app.store.read()?)?;
    let known = courier::known(&app.store.read()?)?;
    let done = Imported {
        number: label.number,
        older: true,
        confirmed: 0,
        backlog: before,
        orders: 0,
        refused: 0,
        rewound: false,
    };
    if known.heard.is_some_and(|heard| heard >= at) {
        return Ok(done);
    }
    let stands = judge(app, link, &ack, identity.epoch)?;
    // First the orders: a hold must stand before anything else follows from having heard central.
    let orders = carry_out(app, &ack).await?;
    let refused: Vec<Refusal> = ack.refused.iter().filter_map(refusal).collect();
    let (count, arrived, records, number) = (refused.len(), ack.arrived, ack.schema >= HAS_RECORDS, label.number);
    let tables = catalog::tables();
    app.store
        .reserved()
        .write(move |tx, now| {
            let mut known = courier::known(tx)?;
            form::note(tx, &tables, records)?;
            for (lane, cursor, _) in stands {
                let seq = u64::try_from(cursor.seq).unwrap_or(0);
                courier::stands(tx, &mut known, lane, seq, cursor.chain)?;
                let of_lane = refused.iter().filter(|row| lane_of(row) == lane).cloned().collect::<Vec<_>>();
                dead::bury(tx, now, lane, &of_lane)?;
            }
            dead::revive(tx, &arrived)?;
            known.heard = Some(at);
            known.returned = known.returned.max(number);
            tx.put(&known)
        })
        .await?;
    // Every order that waited has been carried out, so no hold of central's is unknown.
    if app.chat.gate() == Gate::ClosedUntilHolds {
        app.chat.set_gate(Gate::Closed);
    }
    link.status.brought(at);
    link.wake.notify_one();
    let backlog = sender::backlog(&app.store.read()?)?;
    let rewound = stands.iter().any(|(_, _, rewound)| *rewound);
    let confirmed = before.saturating_sub(backlog);
    tracing::info!(number, confirmed, orders, refused = count, "an acknowledgement of central's was brought");
    Ok(Imported { older: false, confirmed, backlog, orders, refused: count, rewound, ..done })
}

fn read(path: &Path) -> Result<Vec<u8>, CourierError> {
    let failed = |error| CourierError::File { path: path.to_owned(), error };
    let mut file = Vec::new();
    File::open(path).and_then(|open| open.take(MAX_ACK + 1).read_to_end(&mut file)).map_err(failed)?;
    if file.len() as u64 > MAX_ACK { Err(CourierError::Damaged) } else { Ok(file) }
}

/// Where each lane stands, and whether central was set back; refused where the box may not go on from there.
fn judge(app: &App, link: &Link, ack: &Ack, epoch: uuid::Uuid) -> Result<[(Lane, Cursor, bool); 2], CourierError> {
    let snapshot = app.store.read()?;
    let [urgent, bulk] = &ack.lanes;
    let cursor = |stand: &Stand| {
        let chain = chain(&stand.chain).ok_or(CourierError::Damaged)?;
        Ok::<_, CourierError>(Cursor { epoch, seq: stand.seq, chain })
    };
    let mut found = [(Lane::Urgent, cursor(urgent)?, false), (Lane::Bulk, cursor(bulk)?, false)];
    for (lane, cursor, rewound) in &mut found {
        let (head, acked) = (meta::lane_head(&snapshot, *lane)?, meta::lane_ack(&snapshot, *lane)?);
        let log = Log { epoch, head: signed(head.seq), acked: signed(acked.seq) };
        let kept = sender::chain_at(&snapshot, *lane, &acked, cursor.seq)?;
        let resume = fence::judge(cursor, &log, |_| kept).inspect_err(|fence| link.status.fenced(fence))?;
        *rewound = resume.rewound;
    }
    Ok(found)
}

async fn carry_out(app: &App, ack: &Ack) -> Result<u64, CourierError> {
    let answered = answers::last(&app.store.read()?)?;
    if ack.after > answered {
        return Err(CourierError::OrdersMissing { after: ack.after, answered });
    }
    let mut done = 0;
    for order in ack.orders.iter().filter(|order| order.seq > signed(answered)) {
        let directive = Directive {
            seq: order.seq,
            kind: order.kind.clone(),
            arguments: order.arguments.clone(),
            issued_by: order.issued_by.clone(),
        };
        directives::carry_out(app, &directive).await?;
        done += 1;
    }
    Ok(done)
}

fn refusal((table, id, reason): &(String, String, String)) -> Option<Refusal> {
    Some(Refusal { table: find(table)?, id: id.clone(), reason: reason.clone() })
}

/// The lane that a table's rows travel in.
fn lane_of(row: &Refusal) -> Lane {
    let mut tables = catalog::tables().into_iter().filter_map(|info| info.upstream);
    tables.find(|goes| goes.table == row.table).map_or(Lane::Bulk, |goes| goes.lane)
}

fn chain(text: &str) -> Option<Chain> {
    let mut out = [0; 32];
    let pairs = text.as_bytes().chunks_exact(2);
    if text.len() != 64 {
        return None;
    }
    for (to, pair) in out.iter_mut().zip(pairs) {
        *to = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(out)
}
