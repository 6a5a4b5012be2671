//! The application: the store, time, randomness, keys and the domains' services, put together once.
//!
//! Knows how a box is opened, not how it is reached.

pub mod upgrade;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use uuid::Uuid;

use crate::base::digest::{Key, keyed, same};
use crate::base::durable;
use crate::base::entropy::Entropy;
use crate::base::keys::{MasterKey, Purpose};
use crate::base::time::{Clock, Timestamp};
use crate::catalog::{self, Unfit};
use crate::chat;
use crate::config::secrets::{self, OldVariables, Secrets};
use crate::config::sources::Origin;
use crate::config::{CodeSender, Config, ConfigError};
use crate::customer;
use crate::game;
use crate::identity;
use crate::live::hub::Hub;
use crate::live::power::Power;
use crate::mdns::Status;
use crate::store;
use crate::store::answers;
use crate::store::backups::Phase;
use crate::store::fault::Fault;
use crate::store::medium::{FileMedium, Mark, Medium, RESERVE};
use crate::store::writer::{Settings, Store};
use crate::store::{backups, chosen, locked, meta};
use crate::system;

/// The store's file within the data folder.
pub const STORE_FILE: &str = "box.redb";
/// Stands in the data folder while a restore or a rebuild is under way: what is there is no box yet.
pub const RESTORING_FILE: &str = "restore.unfinished";
/// How long it may take to check a suspect store before systemd gives the start up: some gigabytes on a slow card.
const CHECKING: Duration = Duration::from_mins(30);

/// A running box.
pub struct App {
    /// The settings.
    pub config: Config,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
    /// The store.
    pub store: Store,
    /// Who is connected.
    pub hub: Arc<Hub>,
    /// The name of the box on its network.
    pub mdns: Status,
    /// The wish that the box ends.
    pub power: Power,
    /// When it was opened.
    pub started_at: Timestamp,
    /// Accounts and sign-in.
    pub identity: Arc<identity::service::Service>,
    /// Invites and relationships.
    pub customer: Arc<customer::service::Service>,
    /// Keys the records of requests that bear an `Idempotency-Key`.
    pub idempotency: Key,
    /// Matches: sealed seeds and clocks.
    pub game: Arc<game::service::Service>,
    /// Sealed messages.
    pub chat: Arc<chat::service::Service>,
    /// Whether central has shut this box: nobody is served then.
    pub locked: Arc<AtomicBool>,
    /// This box.
    pub box_id: Uuid,
    /// Its secrets, for its backups alone: everybody else has a key of their own.
    pub(crate) secrets: Secrets,
}

/// Why a box cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting or a secret cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder cannot be made or is not ours.
    #[error("{path}: {reason}")]
    Folder {
        /// The folder.
        path: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The store does not fit this binary.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The store cannot be opened.
    #[error("the store cannot be opened: {0}")]
    Store(#[from] Fault),
    /// The chat's key file cannot be used.
    #[error("the chat's key file {path} cannot be used: {error}")]
    Keys {
        /// Where it lies.
        path: String,
        /// Why not.
        error: chat::seal::file::KeyFileError,
    },
    /// The store is of an earlier version and could not be brought up.
    #[error(transparent)]
    Upgrade(#[from] upgrade::UpgradeError),
    /// A restore or a rebuild was cut off in this folder.
    #[error("a restore or a rebuild was cut off in this folder: run it again")]
    HalfRestored,
    /// The master key is not the one that this box's data was made with.
    #[error("the master key is not this box's: restore the right master.key; nothing was changed")]
    WrongKey,
}

/// What a box is opened with, besides its settings.
pub struct Parts {
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where randomness comes from.
    pub entropy: Arc<dyn Entropy>,
    /// The old services' variables.
    pub old: OldVariables,
    /// Where the store lies; `None` is its file in the data folder.
    pub medium: Option<Arc<dyn Medium>>,
}

impl App {
    /// Opens the box of a data folder, making what is missing.
    ///
    /// # Errors
    /// [`StartError`]; nothing was changed where the key is wrong or the store is newer.
    pub fn open(config: Config, parts: Parts) -> Result<Arc<Self>, StartError> {
        let Parts { clock, entropy, old, medium } = parts;
        if config.data_dir.join(RESTORING_FILE).exists() {
            return Err(StartError::HalfRestored);
        }
        make_folder(&config.data_dir)?;
        let secrets = secrets::load(&config.data_dir, &old, config.production, &*entropy)?;
        let hub = Hub::new();
        let in_a_file = medium.is_none();
        let medium =
            medium.unwrap_or_else(|| Arc::new(FileMedium { path: config.data_dir.join(STORE_FILE), reserve: RESERVE }));
        be_patient(&*medium);
        let store = Store::open(Settings {
            medium,
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            digest_key: secrets.master.derive(Purpose::ChangeLog),
            checkpoints_beside: true,
            listener: hub.listener(),
        })?;
        // A process that was killed may have named a file and not synced the folder; what follows builds on those names.
        durable::sync_folder(&config.data_dir).map_err(Fault::from)?;
        let box_id = identify(&store, &secrets.master, &*entropy, &*clock)?;
        upgrade::bring_up(&store, &config.data_dir, in_a_file, &*clock)?;
        let config = longer(config, &store)?;
        if let Some(mark) = chat::timing::mark(&store.read()?)? {
            clock.floor(mark);
        }
        let identity = Arc::new(identity::service::Service::new(identity::service::Setup {
            master: &secrets.master,
            jwt: &secrets.jwt,
            s2s: Some(secrets.s2s.clone()),
            box_id,
            entropy: Arc::clone(&entropy),
            started: clock.now(),
            open_registration: config.open_registration,
            codes: match config.code_sender {
                CodeSender::Owner => identity::service::CodeSender::Owner,
                CodeSender::Webhook => identity::service::CodeSender::Webhook,
                CodeSender::Off => identity::service::CodeSender::Off,
            },
        }));
        let customer = Arc::new(customer::service::Service::new(&secrets.master, Arc::clone(&identity)));
        let idempotency = secrets.master.derive(Purpose::Idempotency);
        let setup = chat_setup(&config, box_id, &clock, &entropy);
        let path = setup.path.display().to_string();
        let chat = chat::service::Service::open(&secrets.master, setup, &store.read()?);
        let chat = Arc::new(chat.map_err(|error| StartError::Keys { path, error })?);
        chat.set_gate(gate(&store)?);
        let mdns = Status::wanting(config.label(chosen::one(&store.read()?, chosen::BOX_NAME)?.as_deref()));
        let shut = locked::of(&store.read()?)?.is_some();
        Ok(Arc::new(Self {
            config,
            started_at: clock.now(),
            clock,
            entropy,
            store,
            hub,
            mdns,
            power: Power::default(),
            identity,
            customer,
            idempotency,
            game: Arc::new(game::service::Service::new(&secrets.master)),
            chat,
            locked: Arc::new(AtomicBool::new(shut)),
            box_id,
            secrets,
        }))
    }

    /// Every name and address under which clients reach the box; the certificate is for them.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let (mut names, own) = (self.config.names(), self.mdns.known().host());
        names.extend(own.filter(|name| !names.contains(name)));
        names
    }

    /// Notes whether central has shut this box, as the store says.
    ///
    /// # Errors
    /// [`Fault`] where the store cannot be read.
    pub fn note_lock(&self) -> Result<(), Fault> {
        self.locked.store(locked::of(&self.store.read()?)?.is_some(), Ordering::Relaxed);
        Ok(())
    }
}

/// What chat is opened with.
fn chat_setup(
    config: &Config,
    box_id: Uuid,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> chat::service::Setup {
    chat::service::Setup {
        path: config.data_dir.join(chat::service::KEY_FILE),
        box_id,
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
        settings: chat::service::Settings {
            archive: config.archive,
            shred: config.shred,
            release: chat::hold::Terms { grace: config.hold_grace, second_moderator: config.hold_second_moderator },
            offline: config.hold_offline,
        },
        archive_recipient: config.archive_recipient.clone(),
    }
}

/// After a restore messages stay closed until what was due is destroyed, and nothing is destroyed before central's holds
/// are known, where the box was enrolled there.
fn gate(store: &Store) -> Result<chat::service::Gate, StartError> {
    let read = store.read()?;
    Ok(match backups::restored(&read)?.map(|restored| restored.phase) {
        None | Some(Phase::Open) => chat::service::Gate::Open,
        Some(Phase::Closed) if meta::identity(&read)?.logging => chat::service::Gate::ClosedUntilHolds,
        Some(Phase::Closed) => chat::service::Gate::Closed,
        Some(Phase::Loading) => return Err(StartError::HalfRestored),
    })
}

/// The settings, with what the owner chose on the screen, and what central asked to be kept longer than they say.
fn longer(config: Config, store: &Store) -> Result<Config, Fault> {
    let config = chosen::all(&store.read()?)?
        .into_iter()
        .fold(config, |config, choice| config.with_chosen(&choice.name, &choice.value));
    let days = answers::archive_days(&store.read()?)?.unwrap_or(0);
    let archive = Duration::from_secs(u64::from(days) * 86_400);
    if archive <= config.archive {
        return Ok(config);
    }
    let mut said = config.said;
    said.insert("archive_days", Origin::Central);
    Ok(Config { archive, said, ..config })
}

/// Makes the data folder, readable by its owner alone.
fn make_folder(path: &Path) -> Result<(), StartError> {
    let fail = |reason: String| StartError::Folder { path: path.display().to_string(), reason };
    match durable::make_folder(path) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let mode = fs::metadata(path).map_err(|error| fail(error.to_string()))?.permissions().mode();
            if mode & 0o007 != 0 {
                return Err(fail("everyone on this machine can look into it: run chmod 700 on it".into()));
            }
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(fail("the folder above it does not exist: make it, or name another with --data-dir".into()))
        }
        Err(error) => Err(fail(error.to_string())),
    }
}

/// A store over which the program panicked is checked whole when it is opened: systemd is told to wait.
fn be_patient(medium: &dyn Medium) {
    if medium.mark() == Some(Mark::Suspect) {
        tracing::warn!("the program panicked over the store: all of it is checked now");
        system::takes_longer(CHECKING);
    }
}

/// Finds out which box this is, or makes it one; refuses a newer store and a wrong master key before any write.
fn identify(store: &Store, master: &MasterKey, entropy: &dyn Entropy, clock: &dyn Clock) -> Result<Uuid, StartError> {
    let snapshot = store.read()?;
    catalog::check(&snapshot)?;
    let check = keyed(&master.derive(Purpose::Check), &[b"store"]);
    match meta::identity(&snapshot) {
        Ok(identity) if same(&identity.key_check, &check) => Ok(identity.box_id),
        Ok(_) => Err(StartError::WrongKey),
        // Only a store that has nothing at all is made a box: another has lost its identity, and must not become a second one.
        Err(Fault::Corrupt { .. }) if snapshot.has_no_rows()? => {
            let box_id = entropy.uuid(clock.now());
            store.write_blocking(move |tx, now| {
                meta::create(tx, now, box_id, check)?;
                store::upgrade::mark(tx, &catalog::tables(), false)
            })?;
            Ok(box_id)
        }
        Err(fault) => Err(fault.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use crate::base::time::ManualClock;
    use crate::config::Given;
    use crate::store::key::Key;

    fn open(dir: &Path) -> Result<Arc<App>, StartError> {
        let config = Given { data_dir: Some(dir.join("data")), ..Given::default() }.complete().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_795_341_600_000_000)));
        App::open(
            config,
            Parts { clock, entropy: Arc::new(SeededEntropy::new(1)), old: OldVariables::default(), medium: None },
        )
    }

    #[test]
    fn a_box_is_the_same_box_when_it_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path()).unwrap().box_id;
        assert_eq!(open(dir.path()).unwrap().box_id, first);
    }

    #[test]
    fn a_wrong_master_key_is_found_before_anything_is_written() {
        let dir = tempfile::tempdir().unwrap();
        drop(open(dir.path()).unwrap());
        let key = dir.path().join("data/master.key");
        fs::write(&key, "generated AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap();
        assert!(matches!(open(dir.path()), Err(StartError::WrongKey)));
    }

    #[test]
    fn a_store_that_lost_its_identity_does_not_become_another_box() {
        let dir = tempfile::tempdir().unwrap();
        let app = open(dir.path()).unwrap();
        let lost = app.store.write_blocking(|tx, _| tx.delete::<meta::Identity>(&Key::new()));
        lost.map_err(|fault: Fault| fault).unwrap();
        drop(app);
        assert!(matches!(open(dir.path()), Err(StartError::Store(Fault::Corrupt { .. }))));
    }

    #[test]
    fn two_cannot_open_one_box() {
        let dir = tempfile::tempdir().unwrap();
        let _first = open(dir.path()).unwrap();
        assert!(matches!(open(dir.path()), Err(StartError::Store(Fault::Unavailable(_)))));
    }
}
