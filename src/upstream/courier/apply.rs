//! Central's side: a bundle is checked whole, then applied through the functions that the box itself would call, with its own login; what is to
//! be said in return is sealed for the box alone.
//!
//! ```text
//!   first reading: every byte, the digest, the signature ─▶ nothing has been changed yet
//!   second reading: each batch placed where its lane stands ─ known ─▶ passed over
//!                                                            ─ due ──▶ applied, refused rows noted first
//! ```

use std::fs::{self, File};
use std::io::{BufReader, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use replication::carried::{Carried, Part, Placed, Unreadable};
use replication::courier::Bundle;
use replication::error::Error as Central;
use replication::postgres::Postgres;
use replication::row::{Batch, Cursor, Lane, Slice};
use replication::settings::Settings;
use replication::upstream::Upstream as _;

use crate::base::digest::hex;
use crate::base::entropy::Entropy;
use crate::base::recovery::{self, RecoveryError, RecoveryKey};
use crate::base::secret::Secret;
use crate::upstream::courier::format::{Ack, Head, Label, Order, Reader, Stand, unreadable};
use crate::upstream::courier::{ACK, CourierError, file_name, find, write_whole};

/// Orders asked for at once.
const AT_ONCE: u32 = 500;
/// Orders that one acknowledgement takes; what is beyond comes with the next.
const MOST_ORDERS: usize = 10_000;
/// How often a batch is placed anew before it is given up: each time something else moved the lane, or an answer was lost.
const TRIES: usize = 20;

/// What a bundle came to.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// The box.
    pub box_id: Uuid,
    /// The bundle's number.
    pub number: u64,
    /// The highest number that had come before; 0 where none had.
    pub last: i64,
    /// Entries that central had not got.
    pub entries: i64,
    /// Rows that are new or changed by them.
    pub rows: u64,
    /// Rows that were refused now.
    pub refused: usize,
    /// Orders that go back.
    pub orders: usize,
    /// The acknowledgement.
    pub ack: PathBuf,
}

/// Applies a bundle, and writes its acknowledgement into a folder.
///
/// # Errors
/// [`CourierError`]; whatever was applied stays so, and applying the bundle again goes on there.
pub async fn apply(
    path: &Path,
    key: &RecoveryKey,
    folder: &Path,
    ca: Option<&Path>,
    entropy: &dyn Entropy,
) -> Result<Delivered, CourierError> {
    let failed = |error| CourierError::File { path: path.to_owned(), error };
    let mut file = File::open(path).map_err(failed)?;
    let mut whole = reader(&file, key, path)?;
    while let Some(bytes) = whole.next()? {
        Part::decode(&bytes, &find).map_err(unknown)?;
    }
    drop(whole);
    file.rewind().map_err(failed)?;
    let mut again = reader(&file, key, path)?;
    let head = again.head().clone();
    let mut delivery = Delivery::begin(head, ca, folder).await?;
    if let Some(missing) = delivery.missing() {
        // The box learns all the same where central stands, so that the next bundle fits.
        delivery.finish(folder, entropy).await?;
        return Err(missing);
    }
    while let Some(bytes) = again.next()? {
        match Part::decode(&bytes, &find).map_err(unknown)? {
            Part::Batch(carried) => delivery.batch(&carried).await?,
            Part::Slice(slice) => delivery.slice(&slice).await?,
        }
    }
    delivery.finish(folder, entropy).await
}

type Stream<'a> = Reader<Box<dyn std::io::Read + 'a>>;

fn reader<'a>(file: &'a File, key: &RecoveryKey, path: &Path) -> Result<Stream<'a>, CourierError> {
    let opened = recovery::open(key, BufReader::new(file)).map_err(|error| match error {
        RecoveryError::OtherKey => CourierError::OtherKey,
        RecoveryError::Io(error) if unreadable(&error) => CourierError::File { path: path.to_owned(), error },
        RecoveryError::Io(_) | RecoveryError::Damaged => CourierError::Damaged,
        other => CourierError::Sealing(other),
    })?;
    Reader::open(opened)
}

fn unknown(error: Unreadable) -> CourierError {
    match error {
        Unreadable::Damaged => CourierError::Damaged,
        Unreadable::Newer(what) => CourierError::Newer(what),
    }
}

/// One bundle on its way into central.
struct Delivery {
    central: Postgres,
    head: Head,
    last: i64,
    cursors: [Cursor; 2],
    entries: i64,
    rows: u64,
    refused: usize,
    arrived: Vec<(String, String)>,
}

impl Delivery {
    /// Judges the whole bundle by where central stands, before anything of it is applied.
    async fn begin(head: Head, ca: Option<&Path>, folder: &Path) -> Result<Self, CourierError> {
        let central = Postgres::new(settings(&head, ca, folder)?);
        let cursors = [central.cursor(Lane::Urgent).await?, central.cursor(Lane::Bulk).await?];
        if cursors.iter().any(|cursor| cursor.epoch != head.epoch) {
            return Err(CourierError::OtherLife);
        }
        let key = STANDARD.decode(&head.signer).map_err(|_| CourierError::Damaged)?;
        let [urgent, bulk] = head.lanes;
        let bundle = Bundle {
            number: i64::try_from(head.number).map_err(|_| CourierError::Damaged)?,
            epoch: head.epoch,
            signer: &key,
            made_at: head.made_at.micros(),
            ends: [urgent.upto, bulk.upto],
        };
        let last = central.note_bundle(&bundle).await?;
        Ok(Self { central, head, last, cursors, entries: 0, rows: 0, refused: 0, arrived: Vec::new() })
    }

    /// What central lacks before this bundle.
    fn missing(&self) -> Option<CourierError> {
        let mut lanes = Lane::ALL.into_iter().zip(&self.cursors).zip(&self.head.lanes);
        lanes.find(|((_, cursor), stretch)| cursor.seq < stretch.after).map(|((lane, cursor), stretch)| {
            let (lane, central, starts) = (lane.name(), cursor.seq, stretch.after);
            CourierError::Missing { lane, central, starts, last: self.last }
        })
    }

    fn at(&mut self, lane: Lane) -> &mut Cursor {
        let [urgent, bulk] = &mut self.cursors;
        match lane {
            Lane::Urgent => urgent,
            Lane::Bulk => bulk,
        }
    }

    async fn batch(&mut self, carried: &Carried) -> Result<(), CourierError> {
        let lane = carried.batch.lane;
        let mut tries = 0;
        loop {
            let here = *self.at(lane);
            let batch = match carried.place(&here) {
                Placed::Known => return Ok(()),
                Placed::Apply(batch) => batch,
                Placed::OtherEpoch => return Err(CourierError::OtherLife),
                Placed::OtherHistory => {
                    return Err(CourierError::OtherHistory { lane: lane.name(), seq: here.seq });
                }
                Placed::Early => {
                    let starts = carried.batch.prev_seq;
                    return Err(CourierError::Missing {
                        lane: lane.name(),
                        central: here.seq,
                        starts,
                        last: self.last,
                    });
                }
            };
            let (from, end) = (batch.prev_seq, batch.end());
            match self.send(batch).await {
                Ok(()) => {
                    self.entries += end.seq - from;
                    *self.at(lane) = end;
                    return Ok(());
                }
                Err(Central::Elsewhere { cursor }) if tries < TRIES => *self.at(lane) = cursor,
                Err(Central::Unknown { .. } | Central::Busy { .. }) if tries < TRIES => {
                    *self.at(lane) = self.central.cursor(lane).await?;
                }
                Err(error) => return Err(error.into()),
            }
            tries += 1;
        }
    }

    /// Applies a batch; rows that are refused are noted at central before the others go on without them.
    async fn send(&mut self, mut batch: Batch) -> Result<(), Central> {
        loop {
            match self.central.apply(&batch).await {
                Ok(_) => break,
                Err(Central::Refused(refused)) if !refused.is_empty() => {
                    let before = batch.len();
                    let number = i64::try_from(self.head.number).unwrap_or(i64::MAX);
                    self.central.note_refusals(number, self.head.epoch, &refused).await?;
                    batch = batch.without(&refused);
                    if batch.len() == before {
                        return Err(Central::Broken { reason: "it refused rows that were not sent".to_owned() });
                    }
                    self.refused += refused.len();
                }
                Err(error) => return Err(error),
            }
        }
        self.rows += batch.len() as u64;
        if !self.head.refused.is_empty() {
            let puts =
                batch.puts.iter().flat_map(|puts| puts.rows.iter().map(|row| (puts.table.full_name(), row.id.clone())));
            let gone =
                batch.deletes.iter().flat_map(|gone| gone.ids.iter().map(|id| (gone.table.full_name(), id.clone())));
            self.arrived.extend(puts.chain(gone).filter(|row| self.head.refused.contains(row)));
        }
        Ok(())
    }

    /// What goes past the log counts only where the bundle is the latest that central has: an older state of the keys would bring back
    /// what was destroyed since.
    async fn slice(&mut self, slice: &Slice) -> Result<(), CourierError> {
        for lane in Lane::ALL {
            *self.at(lane) = self.central.cursor(lane).await?;
        }
        let latest = self.cursors.iter().zip(&self.head.lanes).all(|(cursor, stretch)| cursor.seq == stretch.upto);
        if latest && slice.epoch == self.head.epoch {
            self.central.replace(slice).await?;
        }
        Ok(())
    }

    async fn finish(mut self, folder: &Path, entropy: &dyn Entropy) -> Result<Delivered, CourierError> {
        let mut orders: Vec<Order> = Vec::new();
        loop {
            let after = orders.last().map_or_else(|| i64::try_from(self.head.answered).unwrap_or(i64::MAX), |o| o.seq);
            let more = self.central.directives(after, AT_ONCE).await?;
            if more.is_empty() || orders.len() >= MOST_ORDERS {
                break;
            }
            orders.extend(more.into_iter().map(|order| Order {
                seq: order.seq,
                kind: order.kind,
                arguments: order.arguments,
                issued_by: order.issued_by,
            }));
        }
        let after = i64::try_from(self.head.returned).unwrap_or(i64::MAX);
        let (refused, at) = self.central.refusals_after(after, self.head.epoch).await?;
        for lane in Lane::ALL {
            *self.at(lane) = self.central.cursor(lane).await?;
        }
        let refused: Vec<_> = refused.into_iter().map(|row| (row.table, row.id, row.reason)).collect();
        let listed = |row: &(String, String)| refused.iter().any(|(table, id, _)| (table, id) == (&row.0, &row.1));
        let ack = Ack {
            at,
            schema: self.central.schema().await?,
            lanes: self.cursors.map(|cursor| Stand { seq: cursor.seq, chain: hex(&cursor.chain) }),
            after: self.head.answered,
            arrived: self.arrived.iter().filter(|row| !listed(row)).cloned().collect(),
            orders,
            refused,
        };
        let Head { box_id, epoch, id, number, .. } = self.head;
        let label = Label { box_id, epoch, bundle: id, number };
        let key = STANDARD.decode(&self.head.reply).ok().and_then(|key| key.try_into().ok());
        let key = Secret::new(key.ok_or(CourierError::Damaged)?);
        let path = write_whole(folder, &file_name(box_id, epoch, number, ACK), |mut file| {
            let written = label.seal(&key, entropy, &ack).and_then(|bytes| file.write_all(&bytes));
            written.map_err(|error| CourierError::File { path: folder.to_owned(), error })
        })?;
        Ok(Delivered {
            box_id,
            number,
            last: self.last,
            entries: self.entries,
            rows: self.rows,
            refused: self.refused,
            orders: ack.orders.len(),
            ack: path,
        })
    }
}

/// How the box reaches central. A CA that came along is read from a file beside the acknowledgement, which goes at once.
fn settings(head: &Head, ca: Option<&Path>, folder: &Path) -> Result<Settings, CourierError> {
    let Some(pem) = head.ca.as_ref().filter(|_| ca.is_none()) else { return Ok(Settings::parse(&head.url, ca)?) };
    let path = folder.join(format!(".{}.pem", head.id.simple()));
    fs::write(&path, pem).map_err(|error| CourierError::File { path: path.clone(), error })?;
    let parsed = Settings::parse(&head.url, Some(&path));
    drop(fs::remove_file(&path));
    Ok(parsed?)
}
