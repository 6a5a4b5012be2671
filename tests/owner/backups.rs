//! Backups from inside: what a restored box shows and does not show, and what is refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use std::time::Duration;
use whotbox::app::{App, Parts, RESTORING_FILE, StartError};
use whotbox::backup::error::Error;
use whotbox::backup::folder;
use whotbox::backup::restore::{Done, Order, restore};
use whotbox::base::entropy::{Entropy, OsEntropy};
use whotbox::base::recovery::RecoveryKey;
use whotbox::base::time::Clock;
use whotbox::config::Given;
use whotbox::config::secrets::OldVariables;
use whotbox::identity::users::Role;
use whotbox::jobs::retention::Retention;
use whotbox::jobs::{Job as _, Next};
use whotbox::store::meta;
use whotbox::upstream::Link;

use crate::identity::fixture::{Person, Whole, serve, start, start_with};
use crate::support::http::Answer;

const DAY: Duration = Duration::from_secs(24 * 3600);
const BACKUPS: &str = "/api/v1/admin/backups";

/// A box with an owner who has printed the sheet.
struct Owned {
    whole: Whole,
    key: RecoveryKey,
    away: tempfile::TempDir,
}

async fn owned() -> Owned {
    owning(start().await).await
}

async fn owning(whole: Whole) -> Owned {
    let admin = whole.person(Role::Admin, "root").await;
    let sheet = whole.post(&admin, &format!("{BACKUPS}/recovery-key"), &json!({})).await;
    assert_eq!(sheet.status, 201, "{}", sheet.text());
    let key = RecoveryKey::parse(sheet.json()["recovery_key"].as_str().unwrap()).unwrap();
    Owned { whole, key, away: tempfile::tempdir().unwrap() }
}

impl Owned {
    async fn admin(&self) -> Person {
        self.whole.sign_in("root").await
    }

    /// Makes a backup and takes it away, as on a stick.
    async fn backup(&self) -> PathBuf {
        let admin = self.admin().await;
        let made = self.whole.post(&admin, BACKUPS, &json!({})).await;
        assert_eq!(made.status, 201, "{}", made.text());
        let name = made.json()["name"].as_str().unwrap().to_owned();
        let loaded = self.whole.get(&admin, &format!("{BACKUPS}/{name}")).await;
        let file = self.away.path().join(name);
        std::fs::write(&file, &loaded.body).unwrap();
        file
    }

    fn new_place(&self, name: &str) -> PathBuf {
        self.away.path().join(name)
    }

    fn restore(&self, file: &Path, place: &Path) -> Result<Done, Error> {
        self.restore_with(file, place, &self.key, false, None)
    }

    fn restore_with(
        &self,
        file: &Path,
        data_dir: &Path,
        key: &RecoveryKey,
        adopt: bool,
        machine: Option<&str>,
    ) -> Result<Done, Error> {
        use whotbox::backup::keys;
        let machine =
            |master: &_| machine.map_or_else(|| keys::this_machine(master), |id| Some(keys::machine(master, id)));
        let order = Order { file, key, data_dir, adopt, forget_central: false, machine: &machine };
        let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (self.whole.clock.clone(), Arc::new(OsEntropy));
        restore(&order, &clock, &entropy)
    }

    fn open(&self, place: &Path) -> Result<Arc<App>, StartError> {
        let config = Given { data_dir: Some(place.to_owned()), ..Given::default() }.complete().unwrap();
        let (clock, entropy) = (self.whole.clock.clone(), Arc::new(OsEntropy));
        App::open(config, Parts { clock, entropy, old: OldVariables::default(), medium: None })
    }
}

async fn says(whole: &Whole, who: &Person, conversation: &str, body: &str) {
    let path = format!("/api/v1/conversations/{conversation}/messages");
    let answer = whole.post(who, &path, &json!({ "body": body })).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

fn bodies(answer: &Answer) -> Vec<String> {
    let items = answer.json()["items"].clone();
    items.as_array().unwrap().iter().map(|item| item["body"].as_str().unwrap().to_owned()).collect()
}

/// Repeats the job until it has nothing more to do at once.
async fn settle(app: &Arc<App>) {
    let mut job = Retention { app: Arc::clone(app), link: Arc::new(Link::default()) };
    while job.step().await == Next::Now {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_box_shows_nothing_that_was_due_by_then() {
    // Given a message that is nearly at its end and a young one, and a backup of both.
    let owned = owned().await;
    let whole = &owned.whole;
    let ada = whole.person(Role::Distributor, "ada").await;
    let chidi = whole.customer(&ada, "chidi").await;
    let made = whole.post(&ada, "/api/v1/conversations", &json!({"participant_id": chidi.id})).await.json();
    let conversation = made["id"].as_str().unwrap().to_owned();
    says(whole, &ada, &conversation, "an old word").await;
    whole.clock.advance(80 * DAY);
    let ada = whole.sign_in("ada").await;
    says(whole, &ada, &conversation, "a young word").await;
    let file = owned.backup().await;
    // When it is restored after the end of the first.
    whole.clock.advance(15 * DAY);
    let place = owned.new_place("second");
    let done = owned.restore(&file, &place).unwrap();
    let app = owned.open(&place).unwrap();
    let (http, _server) = serve(&app).await;
    let body = json!({"username": "chidi", "password": crate::identity::fixture::PASSWORD});
    let token = Person::of(&http.post("/api/v1/auth/login").json(&body).send().await.json()).token;
    let list = async || http.get(&format!("/api/v1/conversations/{conversation}/messages")).bearer(&token).send().await;
    // Then nothing is shown before the first is destroyed, also while the clock is not trusted, and the second after.
    assert_eq!(list().await.refusal(), (503, "unavailable".to_owned()));
    whole.clock.set(whole.clock.now(), false);
    settle(&app).await;
    assert_eq!(list().await.status, 503);
    whole.clock.set(whole.clock.now(), true);
    settle(&app).await;
    assert_eq!(bodies(&list().await), ["a young word"]);
    // And the box is the same one in another life.
    let (here, there) = (meta::identity(&whole.app.store.read().unwrap()), meta::identity(&app.store.read().unwrap()));
    let (here, there) = (here.unwrap(), there.unwrap());
    assert_eq!((there.box_id, there.parent_epoch), (done.backup.box_id, Some(here.epoch)));
    assert_ne!(there.epoch, here.epoch);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_overwrites_nothing_and_a_cut_one_can_be_run_again() {
    let owned = owned().await;
    let file = owned.backup().await;
    let place = owned.new_place("second");
    let other = RecoveryKey::generate().unwrap();
    assert!(matches!(owned.restore_with(&file, &place, &other, true, None), Err(Error::Seal(_))));
    let foreign = owned.restore_with(&file, &place, &owned.key, false, Some("another machine"));
    assert!(matches!(foreign, Err(Error::Foreign)));
    assert!(!place.exists(), "a refused restore leaves nothing");
    // A box, or anybody's file, is never overwritten.
    assert!(matches!(owned.restore(&file, &owned.whole.app.config.data_dir), Err(Error::NotEmpty(_))));
    std::fs::create_dir(&place).unwrap();
    std::fs::write(place.join("letters"), "mine").unwrap();
    assert!(matches!(owned.restore(&file, &place), Err(Error::NotEmpty(_))));
    std::fs::remove_file(place.join("letters")).unwrap();
    // What a cut restore left is no box, and is done anew.
    std::fs::write(place.join(RESTORING_FILE), "").unwrap();
    std::fs::write(place.join("box.redb"), "half").unwrap();
    assert!(matches!(owned.open(&place), Err(StartError::HalfRestored)));
    let adopted = owned.restore_with(&file, &place, &owned.key, true, Some("another machine")).unwrap();
    assert_eq!(adopted.backup.box_id, owned.whole.app.box_id);
    assert!(owned.open(&place).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_go_and_a_damaged_one_is_named() {
    let owned = owning(start_with(|given| given.backup_keep = Some(2)).await).await;
    for _ in 0..3 {
        owned.whole.clock.advance(DAY);
        owned.backup().await;
    }
    let admin = owned.admin().await;
    let listed = owned.whole.get(&admin, BACKUPS).await.json();
    let names: Vec<String> = folder::names(&folder::path(&owned.whole.app)).unwrap();
    assert_eq!(names.len(), 2, "{names:?}");
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert_eq!((&listed["items"][0]["fault"], &listed["items"][0]["name"]), (&Value::Null, &json!(names[0])));
    // When a bit of the newest flips.
    let file = folder::path(&owned.whole.app).join(&names[0]);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let verify = async |name: &str| owned.whole.post(&admin, &format!("{BACKUPS}/{name}/verify"), &json!({})).await;
    // Then its check says so, the list too, and the other one is whole.
    assert_eq!(verify(&names[0]).await.refusal(), (409, "conflict".to_owned()));
    assert_eq!(verify(&names[1]).await.status, 200);
    let listed = owned.whole.get(&admin, BACKUPS).await.json();
    assert!(listed["items"][0]["fault"].is_string() && listed["items"][1]["fault"].is_null(), "{listed}");
    assert!(matches!(owned.restore(&file, &owned.new_place("second")), Err(Error::Broken(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_sheet_no_backup_is_made_and_a_second_sheet_is_asked_for() {
    let whole = start().await;
    let admin = whole.person(Role::Admin, "root").await;
    let refused = whole.post(&admin, BACKUPS, &json!({})).await;
    assert_eq!(refused.refusal(), (409, "conflict".to_owned()));
    let key = format!("{BACKUPS}/recovery-key");
    let first = whole.post(&admin, &key, &json!({})).await.json();
    assert!(first["html"].as_str().unwrap().contains("<svg"));
    assert_eq!(whole.post(&admin, &key, &json!({})).await.status, 409);
    let second = whole.post(&admin, &key, &json!({"replace": true})).await.json();
    assert_ne!(first["recovery_key"], second["recovery_key"]);
    // The key is nowhere in the data folder.
    let secret = second["recovery_key"].as_str().unwrap();
    for entry in std::fs::read_dir(&whole.app.config.data_dir).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_sent_again_makes_no_second_backup_and_no_second_key() {
    let whole = start().await;
    let admin = whole.person(Role::Admin, "root").await;
    let send = async |path: &str, key: &str| {
        let call = whole.http.post(path).bearer(&admin.token).idempotency_key(key);
        call.json(&json!({})).send().await
    };
    // given: a key, asked for twice by one request
    let sheet = format!("{BACKUPS}/recovery-key");
    assert_eq!(send(&sheet, "key-1").await.status, 201);
    let again = send(&sheet, "key-1").await;
    assert_eq!(again.refusal(), (409, "conflict".to_owned()));
    assert!(again.text().contains("shown once"), "{}", again.text());
    // when: a backup and its check, each sent twice
    let (first, second) = (send(BACKUPS, "backup-1").await, send(BACKUPS, "backup-1").await);
    let name = first.json()["name"].as_str().unwrap().to_owned();
    let verify = format!("{BACKUPS}/{name}/verify");
    let (one, other) = (send(&verify, "check-1").await, send(&verify, "check-1").await);
    // then: there is one, and the answers are the same
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(second.header("idempotency-replayed"), Some("true"), "{:?}", second.headers);
    assert_eq!((first.json(), one.json()), (second.json(), other.json()));
    let list = whole.get(&admin, BACKUPS).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
    // and another request makes another
    whole.clock.advance(Duration::from_secs(1));
    assert_ne!(send(BACKUPS, "backup-2").await.json()["name"], name.as_str());
}
