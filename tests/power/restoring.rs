//! The power goes while a fresh box becomes the one of a backup: afterwards it is the one or the other, whole, and says
//! which by whom it knows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::power::disk::{Cut, Disk, Keep};
use crate::power::load::{Recorded, ask, placed};
use crate::power::trace;
use crate::support::whotbox::{Person, Whotbox, own_password};
use crate::whot::random::Random;

const ROOT: &str = "/api/v1/box/restore";
/// Bytes of a piece: its base64 fits into a body.
const PIECE: usize = 30_000;

/// Images in CI, and under `tests/run --full`.
fn images() -> usize {
    if std::env::var_os("WHOTBOX_FULL").is_some() { 300 } else { 24 }
}

/// What an answer promised.
#[derive(Debug, Clone)]
enum Promise {
    /// The fresh box's admin is signed in.
    Fresh(String),
    /// The whole backup is here, and nobody has asked for it yet.
    Sent,
    /// The box is the one of the backup.
    Restored,
}

/// A backup of a box with a distributor, and the key of its sheet.
async fn carried() -> (Vec<u8>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let whotbox = Whotbox::start(folder.path(), &["--log-level", "warn"]);
    let admin = whotbox.sign_in("admin", whotbox.password.as_ref().unwrap()).await;
    let made = admin.done("/api/v1/admin/distributors", &json!({"username": "mama-put", "alias": "Mama Put"})).await;
    whotbox.sign_in("mama-put", made["temporary_password"].as_str().unwrap()).await;
    let sheet = admin.done("/api/v1/admin/backups/recovery-key", &json!({})).await;
    let made = admin.done("/api/v1/admin/backups", &json!({})).await;
    let bytes = admin.get(&format!("/api/v1/admin/backups/{}", made["name"].as_str().unwrap())).await.body;
    (bytes, sheet["recovery_key"].clone())
}

/// Records a fresh box until it is another one.
async fn record() -> (Disk, Vec<(usize, Promise)>, usize) {
    let (bytes, key) = carried().await;
    let root = tempfile::tempdir().unwrap();
    let path = root.path().canonicalize().unwrap();
    let Recorded { mut whotbox, record } = Recorded::start(&path, 0);
    let mut promises = Vec::new();
    whotbox.sign_in("admin", whotbox.password.as_ref().unwrap()).await;
    let own = json!({"username": "admin", "password": own_password("admin")});
    let (session, mark) = ask(&whotbox.http, None, "POST", "/api/v1/auth/login", &own).await;
    promises.push((mark, Promise::Fresh(session["refresh_token"].as_str().unwrap().to_owned())));
    let admin = Person::of(&whotbox.http, &session);
    let token = Some(admin.token.as_str());
    let mut sent = String::new();
    for (number, piece) in bytes.chunks(PIECE).enumerate() {
        let body = json!({"offset": number * PIECE, "data": STANDARD.encode(piece)});
        sent = ask(&whotbox.http, token, "POST", &format!("{ROOT}/pieces"), &body).await.1;
    }
    promises.push((sent, Promise::Sent));
    ask(&whotbox.http, token, "POST", ROOT, &json!({"recovery_key": key, "adopt": true})).await;
    whotbox.comes_back();
    let (_, mark) = login(&whotbox).await;
    promises.push((mark, Promise::Restored));
    whotbox.kill();
    let (calls, length) = trace::parse(&record.join().unwrap(), 0);
    let mut disk = Disk::new(&path);
    disk.take(&calls, None);
    let promises = placed(&disk, promises);
    (disk, promises, length)
}

/// The backup's distributor signs in.
async fn login(whotbox: &Whotbox) -> (Value, String) {
    let body = json!({"username": "mama-put", "password": own_password("mama-put")});
    ask(&whotbox.http, None, "POST", "/api/v1/auth/login", &body).await
}

/// Starts what a cut leaves; whether it is the box of the backup.
async fn is_restored(disk: &Disk, cut: Cut, given: &[&Promise], seed: u64) -> Result<bool, String> {
    let folder = tempfile::tempdir().unwrap();
    disk.image(cut, &mut Random::new(seed), folder.path());
    let whotbox = Whotbox::try_start(&[], folder.path(), &["--log-level", "warn"])?;
    let post = |path: &str, body: Value| whotbox.http.post(path).json(&body).send();
    let body = json!({"username": "mama-put", "password": own_password("mama-put")});
    let known = post("/api/v1/auth/login", body).await.status;
    for promise in given {
        if let Promise::Fresh(refresh) = promise {
            let fresh = post("/api/v1/auth/refresh", json!({"refresh_token": refresh})).await.status;
            if !matches!((known, fresh), (200, 401) | (401, 200)) {
                return Err(format!("it is neither box: {known}, {fresh}"));
            }
        }
    }
    Ok(known == 200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_is_the_fresh_or_the_restored_one_wherever_the_power_goes() {
    trace::check();
    let (disk, promises, length) = record().await;
    let sent = promises.iter().find(|(_, promise)| matches!(promise, Promise::Sent)).unwrap().0;
    let mut random = Random::new(7);
    let mut seen = [0, 0];
    for seed in 0..images() as u64 {
        // When the power goes, mostly from the asking on.
        let at = if random.chance(15) { random.below(sent) } else { sent + random.below(length - sent + 1) };
        let keep = *random.pick(&[&Keep::LOSING[..], &[Keep::Everything]].concat());
        let cut = Cut { at, honest: at, keep };
        let given: Vec<_> = promises.iter().filter(|(place, _)| *place < at).map(|(_, promise)| promise).collect();
        // Then it starts, and is the restored box once it has said so, and the fresh one until it is asked for.
        let restored = is_restored(&disk, cut, &given, seed).await;
        let restored = restored.unwrap_or_else(|lost| panic!("{cut:?}, seed {seed}: {lost}"));
        assert!(!restored || at > sent, "{cut:?}, seed {seed}: nobody had asked for it");
        let said = given.iter().any(|promise| matches!(promise, Promise::Restored));
        assert!(restored || !said, "{cut:?}, seed {seed}: the restored box is gone");
        seen[usize::from(restored)] += 1;
    }
    println!("{} images: {} the fresh box, {} the restored one", images(), seen[0], seen[1]);
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
}
