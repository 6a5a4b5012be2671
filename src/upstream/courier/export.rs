//! The box's side, going out: everything that central has not confirmed, in one file that only the courier's key opens.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use replication::carried::{Carried, Part};
use replication::row::{Lane, Slice};

use crate::app::App;
use crate::base::recovery::{self, RecoveryPublic};
use crate::catalog;
use crate::config::ConfigError;
use crate::store::change::entries_after;
use crate::store::page::MAX_PAGE;
use crate::store::snapshot::Snapshot;
use crate::store::table::TableInfo;
use crate::store::{answers, courier, dead, meta, relog};
use crate::upstream::batch::{self, MAX_BYTES, Place, signed};
use crate::upstream::courier::format::{Head, Stretch, Writer};
use crate::upstream::courier::pouch::Pouch;
use crate::upstream::courier::{BUNDLE, CourierError, file_name, place_of, reply_key, signer, write_whole};
use crate::upstream::custody::Custody;
use crate::upstream::enrol;
use crate::upstream::escrow::Escrow;

/// Rows that one step enters into the log when everything is to be sent anew.
const RELOG: usize = 2000;

/// A bundle that was made.
#[derive(Debug, Clone)]
pub struct Exported {
    /// Where it is.
    pub path: PathBuf,
    /// Its number.
    pub number: u64,
    /// Entries of both lanes that are in it.
    pub entries: u64,
    /// Rows that are in it; one that changed often is there once.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
}

/// Writes a bundle into a folder.
///
/// # Errors
/// [`CourierError`]; then no file of that name is there, and nothing is lost.
pub async fn export(app: &Arc<App>, to: &RecoveryPublic, folder: &Path) -> Result<Exported, CourierError> {
    if !meta::identity(&app.store.read()?)?.logging {
        return Err(CourierError::NotLinked);
    }
    let login = enrol::login(&app.config)?.ok_or(CourierError::NotLinked)?;
    let tables = catalog::tables();
    while relog::pending(&app.store.read()?)? {
        let tables = tables.clone();
        app.store.write(move |tx, _| relog::step(tx, &tables, RELOG)).await?;
    }
    let number = app.store.write(courier::number).await?;
    // The keys come after the rows: one that is destroyed in between belonged to rows that were doomed.
    let snapshot = app.store.read()?;
    let slices = gathered(app).await?;
    let ca = login.ca.as_deref().map(|path| {
        let failed = |error: std::io::Error| ConfigError::File { path: path.to_owned(), reason: error.to_string() };
        fs::read_to_string(path).map_err(failed)
    });
    let identity = meta::identity(&snapshot)?;
    let (secrets, id) = (&app.secrets, app.entropy.uuid(app.clock.now()));
    let mut lanes = [Stretch { after: 0, upto: 0 }; 2];
    for lane in Lane::ALL {
        let (after, upto) = (courier::start(&snapshot, lane)?.0, meta::lane_head(&snapshot, lane)?.seq);
        if let Some(stretch) = lanes.get_mut(place_of(lane)) {
            *stretch = Stretch { after: signed(after), upto: signed(upto.max(after)) };
        }
    }
    let refused = dead::list(&snapshot, MAX_PAGE)?.into_iter().map(|row| (row.table, row.id)).collect();
    let head = Head {
        id,
        number,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: app.clock.now(),
        box_id: identity.box_id,
        epoch: identity.epoch,
        signer: STANDARD.encode(signer(&secrets.master).public()),
        lanes,
        answered: answers::last(&snapshot)?,
        returned: courier::known(&snapshot)?.returned,
        refused,
        reply: STANDARD.encode(reply_key(&secrets.master, id).expose()),
        url: login.url.expose().clone(),
        ca: ca.transpose()?,
    };
    let job = Job { app: Arc::clone(app), to: to.clone(), folder: folder.to_owned(), tables, snapshot, slices, head };
    let made = tokio::task::spawn_blocking(move || job.run()).await;
    made.map_err(|error| CourierError::File { path: folder.to_owned(), error: std::io::Error::other(error) })?
}

/// The chat's keys as they are, and the master key sealed to the owner's sheet.
async fn gathered(app: &Arc<App>) -> Result<Vec<Slice>, CourierError> {
    let pouch = Pouch::default();
    Escrow::default().step(app, &pouch).await?;
    let mut custody = Custody::new(app.store.clone(), Arc::clone(&app.chat), Arc::clone(&app.clock), pouch);
    custody.send().await?;
    Ok(custody.central().take())
}

struct Job {
    app: Arc<App>,
    to: RecoveryPublic,
    folder: PathBuf,
    tables: Vec<TableInfo>,
    snapshot: Snapshot,
    slices: Vec<Slice>,
    head: Head,
}

impl Job {
    fn run(self) -> Result<Exported, CourierError> {
        let name = file_name(self.head.box_id, self.head.epoch, self.head.number, BUNDLE);
        let mut rows = 0;
        let path = write_whole(&self.folder, &name, |file| {
            rows = self.write(file)?;
            Ok(())
        })?;
        let bytes = fs::metadata(&path).map_or(0, |found| found.len());
        let length = |stretch: &Stretch| u64::try_from(stretch.upto - stretch.after).unwrap_or(0);
        let entries = self.head.lanes.iter().map(length).sum();
        tracing::info!(number = self.head.number, entries, rows, bytes, "a bundle for central was made");
        Ok(Exported { path, number: self.head.number, entries, rows, bytes })
    }

    fn write(&self, file: &File) -> Result<u64, CourierError> {
        let failed = |error| CourierError::File { path: self.folder.clone(), error };
        let mut sealer = recovery::seal(&[&self.to], BufWriter::new(file)).map_err(CourierError::Sealing)?;
        let mut writer = Writer::begin(&mut sealer, &self.head).map_err(failed)?;
        let mut rows = 0;
        for lane in Lane::ALL {
            let (seq, chain) = courier::start(&self.snapshot, lane)?;
            let mut place = Place { seq, chain };
            while let Some((batch, _bytes)) =
                batch::next(&self.snapshot, &self.tables, lane, self.head.epoch, place, MAX_BYTES)?
            {
                let length = usize::try_from(batch.seq - batch.prev_seq).unwrap_or(0);
                let entries = entries_after(&self.snapshot, lane, place.seq, length)?;
                place = Place { seq: place.seq.saturating_add(length as u64), chain: batch.chain };
                rows += batch.len() as u64;
                let chains = entries.iter().map(|entry| entry.chain).collect();
                writer.part(&Part::Batch(Carried { batch, chains }).encode()).map_err(failed)?;
            }
        }
        for slice in &self.slices {
            writer.part(&Part::Slice(slice.clone()).encode()).map_err(failed)?;
        }
        writer.end(&signer(&self.app.secrets.master)).map_err(failed)?;
        sealer.finish().map_err(failed)?;
        Ok(rows)
    }
}
