//! A whole box in this process that a real central knows, and a courier's stick and key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use replication::settings::Settings;
use tempfile::TempDir;
use whotbox::app::{App, Parts};
use whotbox::base::entropy::{OsEntropy, SeededEntropy};
use whotbox::base::recovery::RecoveryKey;
use whotbox::base::time::{ManualClock, Timestamp};
use whotbox::cli::control::{Request, perform};
use whotbox::config::Given;
use whotbox::config::secrets::OldVariables;
use whotbox::upstream::courier::apply::{Delivered, apply};
use whotbox::upstream::courier::export::export;
use whotbox::upstream::courier::import::{Imported, import};
use whotbox::upstream::courier::{CourierError, make_key};
use whotbox::upstream::{Link, compare, enrol, sender};

use super::fixture::migrated;
use crate::support::postgres::Database;

/// A box that central knows, and the courier's stick and key.
pub(crate) struct Far {
    pub(crate) folder: TempDir,
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) link: Arc<Link>,
    pub(crate) database: Database,
    pub(crate) key: RecoveryKey,
}

impl Far {
    pub(crate) async fn new() -> Self {
        Self::at(migrated().await, 1).await
    }

    pub(crate) async fn at(database: Database, seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        make_key(&folder.path().join("key")).unwrap();
        let far = Self::open(folder, database, seed);
        far.enroll().await;
        far
    }

    /// The box that lies in a folder.
    pub(crate) fn open(folder: TempDir, database: Database, seed: u64) -> Self {
        let config = Given { data_dir: Some(folder.path().join("data")), ..Given::default() }.complete().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1_795_341_600_000_000)));
        let entropy = Arc::new(SeededEntropy::new(seed));
        let app =
            App::open(config, Parts { clock: clock.clone(), entropy, old: OldVariables::default(), medium: None })
                .unwrap();
        let link = Arc::new(Link::default());
        let key = RecoveryKey::parse(&std::fs::read_to_string(folder.path().join("key")).unwrap()).unwrap();
        Self { folder, app, clock, link, database, key }
    }

    /// The same box, and another that lies in a copy of its folder.
    pub(crate) fn cloned(self) -> [Self; 2] {
        self.app.store.close();
        let Self { folder, app, database, .. } = self;
        drop(app);
        let copy = tempfile::tempdir().unwrap();
        let to = copy.path().join("data");
        let copied =
            std::process::Command::new("cp").arg("-a").arg(folder.path().join("data")).arg(&to).status().unwrap();
        assert!(copied.success());
        std::fs::copy(folder.path().join("key"), copy.path().join("key")).unwrap();
        [Self::open(folder, database.clone(), 11), Self::open(copy, database, 12)]
    }

    /// The operator's settings.
    pub(crate) fn operator(&self) -> Settings {
        let url = format!("{}?sslmode=verify-full", self.database.admin_url());
        Settings::parse(&url, Some(&self.database.ca_file())).unwrap()
    }

    pub(crate) async fn enroll(&self) {
        let ca = self.database.ca_file();
        enrol::enrol(&self.app, &self.link, &self.operator(), Some(&ca), "far away").await.unwrap();
    }

    pub(crate) async fn user(&self, name: &str) {
        let password = Some(format!("{name}-Sun7flower-own"));
        let request = Request::UserAdd { username: name.into(), role: "moderator".into(), alias: None, password };
        perform(&self.app, &self.link, request).await.unwrap();
    }

    pub(crate) async fn export(&self) -> PathBuf {
        export(&self.app, &self.key.public().unwrap(), self.folder.path()).await.unwrap().path
    }

    pub(crate) async fn apply(&self, bundle: &Path) -> Result<Delivered, CourierError> {
        apply(bundle, &self.key, self.folder.path(), None, &OsEntropy).await
    }

    pub(crate) async fn import(&self, ack: &Path) -> Result<Imported, CourierError> {
        import(&self.app, &self.link, ack).await
    }

    /// There and back again.
    pub(crate) async fn trip(&self) -> (Delivered, Imported) {
        let bundle = self.export().await;
        let delivered = self.apply(&bundle).await.unwrap();
        let imported = self.import(&delivered.ack).await.unwrap();
        (delivered, imported)
    }

    pub(crate) fn backlog(&self) -> u64 {
        sender::backlog(&self.app.store.read().unwrap()).unwrap()
    }

    pub(crate) fn users(&self) -> String {
        let sql = "select string_agg(username, ' ' order by username) from identity.users where box_id = '{}'";
        self.database.sql(&sql.replace("{}", &self.app.box_id.to_string()))
    }

    /// Everything that central has of this box, cursors included, as one digest.
    pub(crate) fn central(&self) -> String {
        let tables = ["identity.users", "replication.cursors", "replication.answers", "replication.bucket_keys"];
        let of = |table: &&str| {
            let row =
                if *table == "replication.cursors" { "t.lane || t.epoch || t.seq || t.chain::text" } else { "t::text" };
            let sql = format!("select md5(coalesce(string_agg({row}, ' ' order by {row}), '')) from {table} t");
            self.database.sql(&sql)
        };
        tables.iter().map(of).collect()
    }

    pub(crate) async fn diverged(&self) -> u64 {
        compare::verify(&self.app, &self.link).await.unwrap().1.diverged
    }
}
