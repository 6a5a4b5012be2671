//! Making a backup while the box runs: one snapshot, one file, proved before it gets its name.

use std::fs::{self, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::backup::check;
use crate::backup::error::Error;
use crate::backup::folder::{self, UNFINISHED};
use crate::backup::format::{End, Facts, Head, Writer};
use crate::backup::keys;
use crate::base::digest::hex;
use crate::base::durable;
use crate::base::recovery::{self, RecoveryKey, RecoveryPublic};
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::chat::{audit, facts};
use crate::game::clock;
use crate::store::backups::{self, BackupRun};
use crate::store::read::{Read, Space};
use crate::store::snapshot::Snapshot;
use crate::store::{bulk, meta};

/// The login at central, within the data folder.
const LOGIN_FILE: &str = "upstream.toml";

/// What is sealed to the recovery key alone.
#[derive(Serialize, Deserialize)]
pub struct SealedKeys {
    /// The master key, base64.
    pub master: String,
    /// The service token.
    pub s2s: Option<String>,
    /// The chat's key file, base64; none before the first message.
    pub chat: Option<String>,
    /// The login at central, as it is kept.
    pub login: Option<String>,
}

impl Drop for SealedKeys {
    fn drop(&mut self) {
        use zeroize::Zeroize as _;
        self.master.zeroize();
        self.s2s.zeroize();
        self.login.zeroize();
    }
}

/// What a store says of itself that its copy must say too.
///
/// # Errors
/// [`Error::Store`]; [`Error::Broken`] for a broken audit trail.
pub fn facts_of(read: &impl Read) -> Result<Facts, Error> {
    let head = match audit::verify(read)? {
        Ok(head) => head,
        Err(broken) => return Err(Error::Broken(format!("the audit trail: {broken}"))),
    };
    Ok(Facts {
        live_matches: clock::all(read)?.len() as u64,
        holds: facts::holds(read)?,
        next_expiry: facts::next_expiry(read)?.map(Timestamp::micros),
        audits: head.seq,
        audit_head: hex(&head.hash),
    })
}

/// Makes a backup, checks it by filling a scratch store from it, gives it its name, notes it and removes the oldest ones.
///
/// # Errors
/// [`Error`]; then no file of that name is there.
pub async fn create(app: &Arc<App>) -> Result<BackupRun, Error> {
    let Some(to) = keys::recovery(&app.config.data_dir)? else { return Err(Error::NoRecoveryKey) };
    let own = keys::own(&app.config.data_dir)?;
    let folder = folder::path(app);
    let alone = folder::hold(&folder)?;
    // Whole milliseconds, as the text form has them.
    let made_at = Timestamp::from_micros(app.clock.now().millis() * 1000);
    let (snapshot, chat_keys) = app.chat.with_keys(|| app.store.read().map_err(Error::from)).await?;
    let job = Job { app: Arc::clone(app), made_at, to: to.public, own, chat_keys };
    let made = tokio::task::spawn_blocking(move || job.run(&folder, snapshot));
    let run = made.await.map_err(|_| Error::Broken("making it was cut off".into()))??;
    let noted = run.clone();
    app.store.reserved().write(move |tx, _| backups::note(tx, &noted)).await?;
    let gone = folder::prune(&folder::path(app), app.box_id, app.config.backup_keep)?;
    drop(alone);
    match &run.fault {
        None => tracing::info!(
            file = run.file,
            bytes = run.bytes,
            rows = run.rows,
            removed = gone.len(),
            "a backup was made"
        ),
        Some(fault) => {
            tracing::error!(fault, "a backup failed its check and was not kept");
            return Err(Error::Broken(fault.clone()));
        }
    }
    Ok(run)
}

struct Job {
    app: Arc<App>,
    made_at: Timestamp,
    to: RecoveryPublic,
    own: RecoveryKey,
    chat_keys: Option<Vec<u8>>,
}

impl Job {
    fn run(self, folder: &Path, snapshot: Snapshot) -> Result<BackupRun, Error> {
        let file = folder::name(self.app.box_id, self.made_at);
        let unfinished = folder.join(format!(".{file}{UNFINISHED}"));
        let result = self.make(folder, &unfinished, &file, snapshot);
        if result.is_err() || result.as_ref().is_ok_and(|run| run.fault.is_some()) {
            // The next one removes it where this does not.
            drop(fs::remove_file(&unfinished));
        }
        result
    }

    fn make(&self, folder: &Path, unfinished: &Path, file: &str, snapshot: Snapshot) -> Result<BackupRun, Error> {
        // A backup of a damaged store would look whole, and push good ones out.
        snapshot.walk_pages()?;
        let (head, end) = self.write(unfinished, &snapshot)?;
        // Its pages may be used again while the check goes on.
        drop(snapshot);
        let bytes = fs::metadata(unfinished)?.len();
        let signer = keys::signer(&self.app.secrets.master).public();
        let fault = check::drill(unfinished, &self.own, &self.app, Some(&signer)).err().map(|error| error.to_string());
        if fault.is_none() {
            fs::rename(unfinished, folder.join(file))?;
            durable::sync_folder(folder)?;
        }
        let checked_at = Some(self.app.clock.now());
        let (made_at, rows) = (self.made_at, end.total());
        Ok(BackupRun { id: head.id, file: file.to_owned(), made_at, bytes, rows, checked_at, fault })
    }

    fn write(&self, path: &Path, snapshot: &Snapshot) -> Result<(Head, End), Error> {
        let identity = meta::identity(snapshot)?;
        let secrets = &self.app.secrets;
        let signer = keys::signer(&secrets.master);
        let head = Head {
            id: self.app.entropy.uuid(self.made_at),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            made_at: self.made_at,
            box_id: identity.box_id,
            epoch: identity.epoch,
            logging: identity.logging,
            key_check: hex(&identity.key_check),
            created_at: identity.created_at.micros(),
            layout: identity.layout,
            machine: keys::this_machine(&secrets.master),
            signer: STANDARD.encode(signer.public()),
            facts: facts_of(snapshot)?,
        };
        let sealed = self.sealed_keys()?;
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let sync = file.try_clone()?;
        let mut sealer = recovery::seal(&[&self.to, &self.own.public()?], BufWriter::new(file))?;
        let mut writer = Writer::begin(&mut sealer, &head, &sealed)?;
        // The change log is of a life that a restore ends; what is in the rows goes upstream as a snapshot.
        for space in [Space::Rows, Space::Indexes] {
            bulk::walk(snapshot, space, |pair| writer.pair(space, pair).map_err(Error::from))?;
        }
        let (end, _) = writer.end(&signer)?;
        sealer.finish()?;
        sync.sync_all()?;
        Ok((head, end))
    }

    fn sealed_keys(&self) -> Result<Vec<u8>, Error> {
        let secrets = &self.app.secrets;
        let keys = SealedKeys {
            master: STANDARD.encode(secrets.master.expose()),
            s2s: Some(secrets.s2s.expose().clone()),
            chat: self.chat_keys.as_ref().map(|bytes| STANDARD.encode(bytes)),
            login: fs::read_to_string(self.app.config.data_dir.join(LOGIN_FILE)).ok(),
        };
        keys.seal(&self.to)
    }
}

impl SealedKeys {
    /// The master key and the service token alone: what central keeps for the day on which the box is lost.
    #[must_use]
    pub fn of_secrets(app: &App) -> Self {
        let secrets = &app.secrets;
        let (master, s2s) = (STANDARD.encode(secrets.master.expose()), Some(secrets.s2s.expose().clone()));
        Self { master, s2s, chat: None, login: None }
    }

    /// Sealed to a recovery key.
    ///
    /// # Errors
    /// [`Error::Seal`].
    pub fn seal(&self, to: &RecoveryPublic) -> Result<Vec<u8>, Error> {
        let plain = Secret::new(serde_json::to_vec(self).map_err(std::io::Error::other)?);
        let mut out = Vec::new();
        let mut sealer = recovery::seal(&[to], &mut out)?;
        sealer.write_all(plain.expose())?;
        sealer.finish()?;
        Ok(out)
    }
}
