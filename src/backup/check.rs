//! Checking a backup: every byte, every signature, and the drill, which fills a scratch store and looks into it.

use std::fs::{self, File};
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::{App, STORE_FILE};
use crate::backup::create::{SealedKeys, facts_of};
use crate::backup::error::Error;
use crate::backup::format::{End, Head, Reader};
use crate::backup::{folder, keys};
use crate::base::durable;
use crate::base::entropy::Entropy;
use crate::base::recovery::{self, RecoveryKey};
use crate::base::secret::Secret;
use crate::base::time::{Clock, Timestamp};
use crate::catalog;
use crate::store::backups::{self, Phase, Restored};
use crate::store::bulk;
use crate::store::fault::Fault;
use crate::store::medium::FileMedium;
use crate::store::meta::{self, Identity};
use crate::store::read::{Pair, Read, Space};
use crate::store::record::Record as _;
use crate::store::writer::{Settings, Store};

/// Pairs of one command while a store is filled: a few megabytes of a commit.
const AT_ONCE: usize = 4000;
/// The sealed keys are the key file, half a million keys at most, in base64.
const MAX_SEALED: u64 = 128 << 20;

/// What a check says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Checked {
    /// The backup.
    pub id: Uuid,
    /// The box it is of.
    pub box_id: Uuid,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: Timestamp,
    /// The program that made it.
    pub version: String,
    /// Rows.
    pub rows: u64,
    /// Index entries, each of which has its row.
    pub indexes: u64,
    /// Matches that go on after a restore.
    pub live_matches: u64,
    /// Conversations under legal hold.
    pub holds: u64,
    /// Links of the audit trail, which is whole.
    pub audits: u64,
    /// What the recovery sheet calls the box's signature.
    pub fingerprint: String,
}

impl Checked {
    /// The account of a backup that was read to its end.
    #[must_use]
    pub fn of(head: &Head, end: &End) -> Self {
        Self {
            id: head.id,
            box_id: head.box_id,
            made_at: head.made_at,
            version: head.version.clone(),
            rows: end.total(),
            indexes: end.indexes,
            live_matches: head.facts.live_matches,
            holds: head.facts.holds,
            audits: head.facts.audits,
            fingerprint: keys::fingerprint_of(&head.signer),
        }
    }
}

/// Where a store is filled.
pub struct Target {
    /// The folder of the store's files.
    pub folder: PathBuf,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
    /// The key of the change log's digests.
    pub digest_key: crate::base::digest::Key,
    /// The life that begins.
    pub restored: Restored,
}

/// Opens a backup's stream.
///
/// # Errors
/// [`Error::Seal`] for another key, [`Error::Broken`].
pub fn open<'a>(path: &Path, key: &RecoveryKey) -> Result<Reader<Box<dyn std::io::Read + 'a>>, Error> {
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::NotFound,
        _ => error.into(),
    })?;
    Reader::begin(recovery::open(key, BufReader::with_capacity(1 << 16, file))?)
}

/// Opens the keys of a backup, which only the recovery key does.
///
/// # Errors
/// [`Error::Seal`], [`Error::Broken`].
pub fn open_keys(sealed: &[u8], key: &RecoveryKey) -> Result<SealedKeys, Error> {
    let mut plain = Vec::new();
    recovery::open(key, sealed)?
        .take(MAX_SEALED)
        .read_to_end(&mut plain)
        .map_err(|_| Error::Broken("its keys are damaged".into()))?;
    let plain = Secret::new(plain);
    serde_json::from_slice(plain.expose()).map_err(|_| Error::Broken("its keys are not of their form".into()))
}

/// Reads a backup from end to end: digests, counts, signature. Nothing is written.
///
/// # Errors
/// [`Error`] naming the first thing that is wrong.
pub fn read_through(path: &Path, key: &RecoveryKey) -> Result<(Head, Vec<u8>, End), Error> {
    let mut reader = open(path, key)?;
    while reader.pairs()?.is_some() {}
    let end = reader.end().cloned().ok_or_else(|| Error::Broken("it has no end".into()))?;
    Ok((reader.head, reader.sealed, end))
}

/// The drill: fills a scratch store in the data folder, looks into it as a restore would, and removes it.
///
/// # Errors
/// [`Error`] naming the first thing that is wrong; another signer than `signer` is wrong too.
pub fn drill(path: &Path, key: &RecoveryKey, app: &App, signer: Option<&[u8]>) -> Result<Checked, Error> {
    let folder = app.config.data_dir.join("drill.scratch");
    durable::remove_folder(&folder)?;
    fs::create_dir(&folder)?;
    let result = drill_in(&folder, path, key, (&app.clock, &app.entropy), signer);
    durable::remove_folder(&folder)?;
    result
}

/// The drill of a listed backup, with its result noted.
///
/// # Errors
/// As [`drill`]; that it failed is noted too.
pub async fn now(app: &Arc<App>, name: &str) -> Result<Checked, Error> {
    let path = folder::find(app, name)?;
    let alone = folder::hold(&folder::path(app))?;
    let own = keys::own(&app.config.data_dir)?;
    let signer = keys::signer(&app.secrets.master).public();
    let with = Arc::clone(app);
    let work = tokio::task::spawn_blocking(move || drill(&path, &own, &with, Some(&signer)));
    let checked = work.await.map_err(|_| Error::Broken("checking it was cut off".into()))?;
    drop(alone);
    let fault = checked.as_ref().err().map(ToString::to_string);
    let (name, now) = (name.to_owned(), app.clock.now());
    app.store
        .reserved()
        .write(move |tx, _| match backups::runs(tx)?.into_iter().find(|run| run.file == name) {
            Some(run) => backups::note(tx, &backups::BackupRun { checked_at: Some(now), fault, ..run }),
            None => Ok(()),
        })
        .await?;
    checked
}

/// [`drill`] in a folder that the caller makes and removes.
///
/// # Errors
/// As [`drill`].
pub fn drill_in(
    folder: &Path,
    path: &Path,
    key: &RecoveryKey,
    (clock, entropy): (&Arc<dyn Clock>, &Arc<dyn Entropy>),
    signer: Option<&[u8]>,
) -> Result<Checked, Error> {
    let reader = open(path, key)?;
    if signer.is_some_and(|signer| STANDARD.encode(signer) != reader.head.signer) {
        return Err(Error::Broken("another box has signed it".into()));
    }
    let now = clock.now();
    let head = &reader.head;
    let restored = Restored {
        at: now,
        backup: head.id,
        backup_at: head.made_at,
        from_epoch: head.epoch,
        epoch: entropy.uuid(now),
        phase: Phase::Loading,
    };
    let (clock, entropy) = (Arc::clone(clock), Arc::clone(entropy));
    let digest_key = Secret::new([0; 32]);
    let target = Target { folder: folder.to_owned(), clock, entropy, digest_key, restored };
    let (store, head, end) = fill(reader, target)?;
    store.close();
    Ok(Checked::of(&head, &end))
}

/// Fills an empty store from a backup, under a new life from its first write on, and looks whether all is there.
///
/// # Errors
/// [`Error`]; the store is then useless and says so of itself.
pub fn fill<R: std::io::Read>(mut reader: Reader<R>, target: Target) -> Result<(Store, Head, End), Error> {
    let store = Store::open(Settings {
        medium: Arc::new(FileMedium { path: target.folder.join(STORE_FILE), reserve: 0 }),
        clock: target.clock,
        entropy: target.entropy,
        digest_key: target.digest_key,
        listener: Arc::new(|_| {}),
        checkpoints_beside: false,
    })?;
    let (restored, was) = (target.restored, identity(&reader.head)?);
    store.write_blocking(move |tx, _| backups::begin(tx, &restored, &was))?;
    let mut batch = Vec::new();
    while let Some(pairs) = reader.pairs()? {
        for (space, pair) in pairs {
            if space == Space::Rows {
                readable(&pair)?;
            }
            batch.push((space, pair));
        }
        if batch.len() > AT_ONCE {
            let batch = std::mem::take(&mut batch);
            store.write_blocking(move |tx, _| bulk::lay(tx, batch))?;
        }
    }
    store.write_blocking(move |tx, _| bulk::lay(tx, batch))?;
    store.write_blocking(|tx, _| backups::end(tx))?;
    let end = reader.end().cloned().ok_or_else(|| Error::Broken("it has no end".into()))?;
    look(&store, &reader.head)?;
    Ok((store, reader.head, end))
}

fn identity(head: &Head) -> Result<Identity, Error> {
    let byte = |at: usize| head.key_check.get(2 * at..2 * at + 2).and_then(|two| u8::from_str_radix(two, 16).ok());
    let check: Option<Vec<u8>> = (0..32).map(byte).collect();
    let key_check = check.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    Ok(Identity {
        box_id: head.box_id,
        epoch: head.epoch,
        parent_epoch: None,
        logging: head.logging,
        key_check: key_check.ok_or_else(|| Error::Broken("its head is not of its form".into()))?,
        created_at: Timestamp::from_micros(head.created_at),
        layout: head.layout,
    })
}

/// Whether this program can read a row.
fn readable((key, stored): &Pair) -> Result<(), Error> {
    let (number, rest) = key.split_first_chunk::<2>().ok_or_else(|| Error::Broken("a row has no table".into()))?;
    let number = u16::from_be_bytes(*number);
    let tables = catalog::tables();
    let Some(table) = tables.iter().find(|table| table.id.number == number) else {
        return Err(Error::Newer(format!("it has a table of number {number}")));
    };
    match (table.check)(rest, stored) {
        Ok(()) => Ok(()),
        Err(fault @ Fault::Newer { .. }) => Err(Error::Newer(fault.to_string())),
        Err(fault) => Err(fault.into()),
    }
}

/// What the filled store says of itself must be what the original said.
fn look(store: &Store, head: &Head) -> Result<(), Error> {
    let read = store.read()?;
    bulk::walk(&read, Space::Indexes, |entry| match bulk::has_row(&read, entry)? {
        true => Ok(()),
        false => Err(Error::Broken("an index entry has no row".into())),
    })?;
    if facts_of(&read)? != head.facts {
        return Err(Error::Broken("open matches, holds, retention or the audit trail are not what they were".into()));
    }
    let identity = meta::identity(&read)?;
    if identity.epoch == head.epoch || read.raw_scan(Space::Changes, &everything(), 1)?.len() > 1 {
        return Err(Error::Broken(format!("{} goes on in the old life", Identity::TABLE.name)));
    }
    Ok(())
}

const fn everything() -> crate::store::read::Range {
    crate::store::read::Range { start: Vec::new(), end: None, backwards: false }
}
