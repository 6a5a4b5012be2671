//! A lost box, made anew from what central has: an empty folder becomes the box, under a new life of its log that central follows
//! from then on.
//!
//! ```text
//!   keys opened, central asked ─▶ marker ─▶ central follows the new life ─▶ keys ─▶ rows, table by table ─▶ compared ─▶ marker gone
//!                                 (the old box is fenced from here on)          ▲ each stretch notes how far it is
//! ```
//!
//! Cut off anywhere, the marker stays: the box does not start, and the same command goes on where it was. What a row means
//! is known to its record alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use replication::admin::{Admin, Enrolment};
use replication::error::Error as Central;
use replication::postgres::Postgres;
use replication::reader::{KnownBox, Reader};
use replication::row::{Lane, Row, Value};
use replication::settings::Settings as Login;

use crate::app::{RESTORING_FILE, STORE_FILE};
use crate::backup::check;
use crate::backup::create::SealedKeys;
use crate::backup::keys::put;
use crate::base::digest::keyed;
use crate::base::durable;
use crate::base::entropy::Entropy;
use crate::base::keys::{MasterKey, Purpose};
use crate::base::recovery::RecoveryKey;
use crate::base::secret::Secret;
use crate::base::time::{Clock, Timestamp};
use crate::catalog;
use crate::chat::audit;
use crate::chat::seal::bucket::{Bucket, BucketId};
use crate::chat::seal::file::{self, FileKeys, Wrapped};
use crate::chat::service::KEY_FILE;
use crate::game::service::Service as Game;
use crate::store::answers::Longer;
use crate::store::backups::{Phase, Restored};
use crate::store::dead::DeadLetter;
use crate::store::fault::Fault;
use crate::store::medium::FileMedium;
use crate::store::meta::{self, Identity, LAYOUT};
use crate::store::rebuild::{self, Rebuilding};
use crate::store::record::Record as _;
use crate::store::table::TableInfo;
use crate::store::writer::{Settings, Store};
use crate::store::{form, relog, upgrade};
use crate::upstream::custody::BUCKET_KEYS;
use crate::upstream::enrol;
use crate::upstream::escrow::RECOVERY_KEYS;
use crate::upstream::verify::{Outcome, Verifier, VerifyError};

/// Rows of one commit, and of one page from central.
const AT_ONCE: u32 = 500;
/// A box that was heard of within so many seconds may be running.
const MAY_RUN: i64 = 300;
/// Rows that central refused are listed there.
const DEAD_LETTERS: &str = "replication.dead_letters";
/// Keys are no more than the key file may hold.
const MOST_KEYS: u32 = 1_000_000;

/// What to rebuild, and from where.
pub struct Order<'a> {
    /// The box.
    pub box_id: Uuid,
    /// Central's operator.
    pub operator: &'a Login,
    /// The CA of central, for the box's own login.
    pub ca: Option<&'a Path>,
    /// The key of the owner's sheet.
    pub key: &'a RecoveryKey,
    /// The folder to fill: absent or empty, or what a cut rebuild left.
    pub data_dir: &'a Path,
    /// The owner says that the old box will never run again.
    pub adopt: bool,
}

/// What there is to rebuild from.
#[derive(Debug, Serialize)]
pub struct Survey {
    /// The box.
    pub box_id: Uuid,
    /// Its name.
    pub name: String,
    /// When it was last heard of.
    pub silent_seconds: Option<i64>,
    /// Rows of each table.
    pub tables: Vec<(String, i64)>,
    /// Rows of all tables.
    pub rows: i64,
    /// Rows that central had refused: they are lost with the box.
    pub refused: i64,
    /// Keys of sealed messages.
    pub chat_keys: i64,
    /// A rebuild was cut off here, and goes on.
    pub goes_on: bool,
}

/// What was rebuilt.
#[derive(Debug)]
pub struct Done {
    /// Rows that came from central.
    pub rows: u64,
    /// Rows that others left no room for; `schema.table` and id.
    pub aside: Vec<(String, String)>,
    /// Rows that central had refused: `schema.table/id`.
    pub refused: Vec<String>,
    /// Both copies compared.
    pub compared: Outcome,
}

/// Why a box cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Something is in the folder.
    #[error("{0} is not empty: a rebuild never overwrites a box")]
    NotEmpty(String),
    /// A rebuild of another box was cut off here.
    #[error("the rebuild of box {0} was cut off in this folder")]
    Other(Uuid),
    /// Central does not know the box.
    #[error("central knows no box {0}")]
    Unknown(Uuid),
    /// The old box may be running.
    #[error("the old box was heard of {0} seconds ago: it may be running")]
    MayRun(i64),
    /// The box never gave its rows whole.
    #[error("{0} rows at central are of a box that was too old to give them whole")]
    Older(i64),
    /// The box's sheet was never printed, or not while it was linked.
    #[error("central has no recovery key of this box")]
    NoKeys,
    /// What is there opens nothing.
    #[error("the keys at central are not this box's: {0}")]
    Keys(String),
    /// Central refused, or was not reached.
    #[error(transparent)]
    Central(#[from] Central),
    /// The disk refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The store failed, or a row is none of a box.
    #[error(transparent)]
    Store(#[from] Fault),
    /// The login cannot be kept.
    #[error(transparent)]
    Login(#[from] crate::config::ConfigError),
    /// Both copies could not be compared in the end.
    #[error(transparent)]
    Compare(#[from] VerifyError),
    /// The watcher asked to stop.
    #[error("it was cut off")]
    Stopped,
}

impl RebuildError {
    /// What the owner can do, in one sentence.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::NotEmpty(_) | Self::Other(_) => "Name an empty folder with --data-dir, or move this one away first.",
            Self::Unknown(_) => "See the boxes with: whotbox upstream status --admin-url …",
            Self::MayRun(_) => "Stop it. If it will never run again, add --adopt: central shuts it out.",
            Self::Older(_) => "Restore its last backup, and enrol that.",
            Self::NoKeys => "Restore its last backup, and enrol that: without its keys messages and sign-ins are lost.",
            Self::Keys(_) => "Use the key of the sheet that was printed last.",
            Self::Central(_) | Self::Stopped => "Run the same command again: it goes on where it was.",
            Self::Io(_) | Self::Store(_) | Self::Login(_) => "Look after the disk, then run the same command again.",
            Self::Compare(_) => "Start the box and compare it: whotbox sync verify.",
        }
    }
}

/// What stands in the marker: which life was begun.
#[derive(Serialize, Deserialize)]
struct Marker {
    rebuild: Uuid,
    epoch: Uuid,
    from: Uuid,
}

/// Looks at what there is, and changes nothing.
///
/// # Errors
/// [`RebuildError`] naming what a rebuild would stop at.
pub async fn survey(order: &Order<'_>) -> Result<Survey, RebuildError> {
    let marker = marker(order)?;
    let reader = Reader::open(order.operator, order.box_id).await?;
    let known = known(order, &reader, marker.as_ref()).await?;
    drop(master(order, &reader).await?);
    look(order, &reader, known, marker.is_some()).await
}

/// Rebuilds. `watch` is told the rows that are here after each stretch, and may stop it.
///
/// # Errors
/// [`RebuildError`]; run again it goes on.
pub async fn rebuild(
    order: &Order<'_>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
    watch: &mut dyn FnMut(u64) -> bool,
) -> Result<Done, RebuildError> {
    let found = marker(order)?;
    let reader = Reader::open(order.operator, order.box_id).await?;
    let known = known(order, &reader, found.as_ref()).await?;
    let (keys, master) = master(order, &reader).await?;
    look(order, &reader, known.clone(), found.is_some()).await?;
    let marker = match found {
        Some(marker) => marker,
        None => Marker { rebuild: order.box_id, epoch: entropy.uuid(clock.now()), from: known.epoch },
    };
    prepare(order.data_dir, &marker)?;
    let login = follow(order, &known, &marker, entropy).await?;
    // From here on nobody else writes this box's rows; what is read now is the last there is.
    let reader = Reader::open(order.operator, order.box_id).await?;
    write_keys(order, &reader, &keys, &master, entropy).await?;
    let store = open(order, &marker, &master, clock, entropy)?;
    let done = complete(order, &reader, &store, (&master, &login), watch).await;
    store.close();
    let done = done?;
    fs::remove_file(order.data_dir.join(RESTORING_FILE))?;
    durable::sync_folder(order.data_dir)?;
    Ok(done)
}

/// Fills the store, unless all is in it and only its last words were cut off, and compares it with central.
async fn complete(
    order: &Order<'_>,
    reader: &Reader,
    store: &Store,
    (master, login): (&MasterKey, &Login),
    watch: &mut dyn FnMut(u64) -> bool,
) -> Result<Done, RebuildError> {
    let mut filled = Filled::default();
    if rebuild::progress(&store.read()?)?.is_some() {
        filled = fill(order, reader, store, master, watch).await?;
        close(store, &filled)?;
    }
    let (tables, central) = (catalog::tables(), Postgres::new(login.clone()));
    let compared = Verifier::new(store, &tables, &central).all().await?;
    Ok(Done { rows: filled.progress.rows, aside: filled.progress.aside, refused: filled.refused, compared })
}

/// What a cut rebuild left; an error for a folder with anything else in it.
fn marker(order: &Order<'_>) -> Result<Option<Marker>, RebuildError> {
    let folder = order.data_dir;
    let not_empty = || RebuildError::NotEmpty(folder.display().to_string());
    match fs::read(folder.join(RESTORING_FILE)) {
        Ok(bytes) => match serde_json::from_slice::<Marker>(&bytes) {
            Ok(marker) if marker.rebuild == order.box_id => Ok(Some(marker)),
            Ok(marker) => Err(RebuildError::Other(marker.rebuild)),
            Err(_) => Err(not_empty()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match fs::read_dir(folder) {
            Ok(mut entries) => {
                if entries.next().is_none() {
                    Ok(None)
                } else {
                    Err(not_empty())
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

async fn known(order: &Order<'_>, reader: &Reader, cut: Option<&Marker>) -> Result<KnownBox, RebuildError> {
    let known = reader.known().await?.ok_or(RebuildError::Unknown(order.box_id))?;
    let runs = known.silent_seconds.filter(|seconds| *seconds < MAY_RUN && !known.revoked);
    match runs {
        Some(seconds) if !order.adopt && cut.is_none() => Err(RebuildError::MayRun(seconds)),
        _ => Ok(known),
    }
}

/// The box's keys, opened by the sheet's.
async fn master(order: &Order<'_>, reader: &Reader) -> Result<(SealedKeys, MasterKey), RebuildError> {
    reader.start(&RECOVERY_KEYS, None).await?;
    let rows = reader.next(&RECOVERY_KEYS, 1).await?;
    let Some(Value::Bytes(sealed)) = rows.first().and_then(|row| row.values.get(1)) else {
        return Err(RebuildError::NoKeys);
    };
    let keys = check::open_keys(sealed, order.key).map_err(|error| RebuildError::Keys(error.to_string()))?;
    let wrong = || RebuildError::Keys("they are not of their form".to_owned());
    let bytes = Secret::new(STANDARD.decode(&keys.master).map_err(|_| wrong())?);
    let master = MasterKey::new(<[u8; 32]>::try_from(bytes.expose().as_slice()).map_err(|_| wrong())?);
    Ok((keys, master))
}

async fn look(order: &Order<'_>, reader: &Reader, known: KnownBox, goes_on: bool) -> Result<Survey, RebuildError> {
    let (mut tables, mut rows, mut refused, mut older) = (Vec::new(), 0, 0, 0);
    for info in catalog::tables() {
        let Some(upstream) = info.upstream else { continue };
        let held = reader.held(upstream.table).await?;
        if info.id == DeadLetter::TABLE {
            refused = held.rows;
            continue;
        }
        // Of most messages there is nothing that their columns do not say.
        older += if upstream.table.full_name() == "chat.messages" { 0 } else { held.without_record };
        rows += held.rows;
        tables.push((upstream.table.full_name(), held.rows));
    }
    if older > 0 {
        return Err(RebuildError::Older(older));
    }
    let chat_keys = reader.held(&BUCKET_KEYS).await?.rows;
    let (box_id, name, silent_seconds) = (order.box_id, known.name, known.silent_seconds);
    Ok(Survey { box_id, name, silent_seconds, tables, rows, refused, chat_keys, goes_on })
}

/// Makes the folder and its marker, so that what is in it is no box until all is.
fn prepare(folder: &Path, marker: &Marker) -> Result<(), RebuildError> {
    use std::os::unix::fs::PermissionsExt as _;
    durable::make_folder(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    let text = serde_json::to_vec(marker).map_err(std::io::Error::other)?;
    Ok(put(folder, RESTORING_FILE, &text)?)
}

/// Makes central follow the new life, and keeps the login to it.
async fn follow(
    order: &Order<'_>,
    known: &KnownBox,
    marker: &Marker,
    entropy: &Arc<dyn Entropy>,
) -> Result<Login, RebuildError> {
    let password = Secret::new(URL_SAFE_NO_PAD.encode(entropy.bytes::<32>()));
    let starts = Lane::ALL.map(|lane| (lane, 0, [0; 32]));
    let (box_id, name, epoch) = (order.box_id, known.name.as_str(), marker.epoch);
    let enrolment = Enrolment { box_id, name, epoch, password: password.expose(), starts };
    let login = Admin::new(order.operator.clone()).enroll(&enrolment).await?;
    enrol::keep(order.data_dir, &login.url, order.ca)?;
    Ok(Login::parse(&login.url, order.ca)?)
}

async fn write_keys(
    order: &Order<'_>,
    reader: &Reader,
    keys: &SealedKeys,
    master: &MasterKey,
    entropy: &Arc<dyn Entropy>,
) -> Result<(), RebuildError> {
    let folder = order.data_dir;
    let line = |bytes: &str| Secret::new(format!("provided {bytes}\n"));
    reader.start(&BUCKET_KEYS, None).await?;
    let rows = reader.next(&BUCKET_KEYS, MOST_KEYS).await?;
    let file_keys = FileKeys::new(master, order.box_id);
    let broken = |row: &Row| RebuildError::Keys(format!("the chat key {} does not open", row.id));
    let mut buckets: Vec<Bucket> = Vec::new();
    let mut version = 1;
    for row in &rows {
        let entry = wrapped(row).ok_or_else(|| broken(row))?;
        version = version.max(entry.wrap_version);
        buckets.push(file_keys.adopt(&entry).map_err(|_| broken(row))?);
    }
    put(folder, "master.key", line(&STANDARD.encode(master.expose())).expose().as_bytes())?;
    // A token that came from a variable of the old services is not of this form, and stays with the variable.
    let s2s = keys.s2s.as_deref().filter(|text| STANDARD.decode(text).is_ok_and(|bytes| bytes.len() == 32));
    if let Some(s2s) = s2s {
        put(folder, "s2s.key", line(s2s).expose().as_bytes())?;
    }
    if !buckets.is_empty() {
        let bytes = file_keys.encode(version, buckets.iter(), &**entropy);
        file::replace(&folder.join(KEY_FILE), &bytes).map_err(|error| RebuildError::Keys(error.to_string()))?;
    }
    Ok(())
}

fn wrapped(row: &Row) -> Option<Wrapped> {
    match row.values.as_slice() {
        [Value::Bytes(kind), Value::Time(created), Value::BigInt(version), Value::Bytes(key)] => Some(Wrapped {
            id: BucketId::from_bytes(row.id.parse::<Uuid>().ok()?.into_bytes()),
            created_at: Timestamp::from_micros(*created),
            kind: kind.clone(),
            wrap_version: u32::try_from(*version).ok()?,
            key: key.clone(),
        }),
        _ => None,
    }
}

fn open(
    order: &Order<'_>,
    marker: &Marker,
    master: &MasterKey,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Store, RebuildError> {
    let path: PathBuf = order.data_dir.join(STORE_FILE);
    let store = Store::open(Settings {
        medium: Arc::new(FileMedium { path, reserve: 0 }),
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
        digest_key: master.derive(Purpose::ChangeLog),
        listener: Arc::new(|_| {}),
        checkpoints_beside: false,
    })?;
    if meta::identity(&store.read()?).is_ok() {
        return Ok(store);
    }
    let now = clock.now();
    let was = Identity {
        box_id: order.box_id,
        epoch: marker.from,
        parent_epoch: None,
        logging: false,
        key_check: keyed(&master.derive(Purpose::Check), &[b"store"]),
        created_at: now,
        layout: LAYOUT,
    };
    let restored = Restored {
        at: now,
        backup: Uuid::nil(),
        backup_at: now,
        from_epoch: marker.from,
        epoch: marker.epoch,
        phase: Phase::Loading,
    };
    store.write_blocking(move |tx, _| {
        rebuild::begin(tx, &restored, &was)?;
        // Rows come in the forms in which they were sent once: the first start brings them to the present ones. There is no
        // earlier program whose store would have to be copied before.
        upgrade::mark(tx, &catalog::tables(), true)
    })?;
    Ok(store)
}

/// What the rows left behind.
#[derive(Default)]
struct Filled {
    progress: Rebuilding,
    refused: Vec<String>,
    archive_days: Option<u32>,
}

async fn fill(
    order: &Order<'_>,
    reader: &Reader,
    store: &Store,
    master: &MasterKey,
    watch: &mut dyn FnMut(u64) -> bool,
) -> Result<Filled, RebuildError> {
    let mut progress = rebuild::progress(&store.read()?)?.unwrap_or_default();
    let tables = catalog::tables();
    let first = progress.table;
    let wanted = |info: &&TableInfo| info.id.number >= first && info.id != DeadLetter::TABLE;
    for info in tables.iter().filter(wanted) {
        let Some(upstream) = info.upstream else { continue };
        if info.id.number != progress.table {
            progress = Rebuilding { table: info.id.number, after: None, ..progress };
        }
        reader.start(upstream.table, progress.after.as_deref()).await?;
        loop {
            let rows = reader.next(upstream.table, AT_ONCE).await?;
            let whole = rows.len() < usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
            progress = lay(store, *info, rows, progress).await?;
            if !watch(progress.rows) {
                return Err(RebuildError::Stopped);
            }
            if whole {
                break;
            }
        }
    }
    match audit::verify(&store.read()?)? {
        Ok(_) => {}
        Err(broken) => tracing::error!(%broken, "the audit trail that central had is broken"),
    }
    Game::new(master).remake(store)?;
    let table = DeadLetter::UPSTREAM.map(|upstream| upstream.table);
    let mut refused = Vec::new();
    if let Some(table) = table {
        reader.start(table, None).await?;
        loop {
            let rows = reader.next(table, AT_ONCE).await?;
            if rows.is_empty() {
                break;
            }
            refused.extend(rows.into_iter().map(|row| row.id));
        }
    }
    let archive_days = reader.archive_days().await?.and_then(|days| u32::try_from(days).ok());
    tracing::info!(box_id = %order.box_id, rows = progress.rows, "all rows are here");
    Ok(Filled { progress, refused, archive_days })
}

/// Writes a stretch of rows and how far they reach, whole or not at all.
async fn lay(
    store: &Store,
    info: TableInfo,
    rows: Vec<Row>,
    mut progress: Rebuilding,
) -> Result<Rebuilding, RebuildError> {
    let Some(upstream) = info.upstream else { return Ok(progress) };
    let laid = store.write(move |tx, _| {
        for row in rows {
            match (info.rebuild)(tx, &row.id, &row.values) {
                Ok(()) => progress.rows += 1,
                // Two lanes may have stopped at different moments: what a later row left no room for is named, and kept out.
                Err(Fault::Duplicate { .. }) => progress.aside.push((upstream.table.full_name(), row.id.clone())),
                Err(fault) => return Err(fault),
            }
            progress.after = Some(row.id);
        }
        rebuild::note(tx, &progress)?;
        Ok::<_, Fault>(progress)
    });
    Ok(laid.await?)
}

/// The last write. What central holds and this box does not is entered into the log, so that it is deleted there.
fn close(store: &Store, filled: &Filled) -> Result<(), Fault> {
    let (refused, aside) = (filled.refused.clone(), filled.progress.aside.clone());
    let archive_days = filled.archive_days;
    store.write_blocking(move |tx, _| {
        if let Some(archive_days) = archive_days {
            tx.put(&Longer { archive_days })?;
        }
        form::whole(tx)?;
        rebuild::end(tx)?;
        let tables = catalog::tables();
        let letters = refused.iter().map(|id| (DEAD_LETTERS, id));
        for (table, id) in letters.chain(aside.iter().map(|(table, id)| (table.as_str(), id))) {
            let goes = |info: &&TableInfo| info.upstream.is_some_and(|goes| goes.table.full_name() == table);
            if let Some(info) = tables.iter().find(goes)
                && let Some(key) = (info.upstream_key)(id)
            {
                relog::again(tx, info, &key);
            }
        }
        Ok(())
    })
}
