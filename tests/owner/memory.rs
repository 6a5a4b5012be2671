//! Memory of a box that idles over much data: it follows the page cache's bound and not the data.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use uuid::Uuid;
use whotbox::identity::users::Role;
use whotbox::store::backups::{Phase, Restored};
use whotbox::store::bulk;
use whotbox::store::fault::Fault;
use whotbox::store::key::Key;
use whotbox::store::read::{Pair, Space};

use crate::identity::fixture::Whole;
use crate::store::lab::full;
use crate::support::whotbox::{PROGRAM, command};

/// What issue 7 allows.
const BOUND: u64 = 128 << 20;
/// Tables that a customer with a chat has rows in: accounts, relationships and the chat's.
const MESSAGES_OF_ONE: u32 = 100;
/// A name of which the digits differ from customer to customer.
const NAME: &str = "amaka-000000";

/// One customer's rows and index entries, and where in them something differs from customer to customer.
struct Pattern {
    pairs: Vec<(Space, Pair, Vec<Patch>)>,
}

/// A place in a key or a value, and what stands there: an id, or the digits of the name.
struct Patch {
    in_value: bool,
    at: usize,
    id: Option<[u8; 16]>,
}

impl Pattern {
    /// From two looks at a store: before the customer came, and after.
    fn of(
        before: &BTreeMap<(Space, Vec<u8>), Vec<u8>>,
        after: &BTreeMap<(Space, Vec<u8>), Vec<u8>>,
        ids: &[[u8; 16]],
    ) -> Self {
        let mut pairs = Vec::new();
        for ((space, key), value) in after {
            let mut patches = Vec::new();
            for (in_value, bytes) in [(false, key), (true, value)] {
                for at in 0..bytes.len() {
                    let id = ids.iter().find(|id| bytes[at..].starts_with(&id[..]));
                    if id.is_some() || bytes[at..].starts_with(NAME.as_bytes()) {
                        patches.push(Patch { in_value, at, id: id.copied() });
                    }
                }
            }
            // What has no id of the customer's in its key is one for all.
            if patches.iter().any(|patch| !patch.in_value) && !before.contains_key(&(*space, key.clone())) {
                pairs.push((*space, (key.clone(), value.clone()), patches));
            }
        }
        Self { pairs }
    }

    /// The same of another customer.
    fn of_another(&self, number: u64) -> Vec<(Space, Pair)> {
        let one = |(space, (key, value), patches): &(Space, Pair, Vec<Patch>)| {
            let (mut key, mut value) = (key.clone(), value.clone());
            for patch in patches {
                let bytes = if patch.in_value { &mut value } else { &mut key };
                match patch.id {
                    Some(id) => {
                        let other = u64::from_be_bytes(id[8..].try_into().unwrap()) ^ (number << 8);
                        bytes[patch.at + 8..patch.at + 16].copy_from_slice(&other.to_be_bytes());
                    }
                    None => bytes[patch.at + 6..patch.at + 12].copy_from_slice(format!("{number:06}").as_bytes()),
                }
            }
            if *space == Space::Rows {
                signed(&key, &mut value);
            }
            (*space, (key, value))
        };
        self.pairs.iter().map(one).collect()
    }
}

/// Puts the checksum of a row in order.
fn signed(place: &[u8], stored: &mut [u8]) {
    let (bytes, crc) = stored.split_last_chunk_mut::<4>().unwrap();
    let mut sum = crc32fast::Hasher::new();
    for part in [&place[..2], &((place.len() - 2) as u64).to_be_bytes(), &place[2..], bytes] {
        sum.update(part);
    }
    *crc = sum.finalize().to_le_bytes();
}

fn all(whole: &Whole) -> BTreeMap<(Space, Vec<u8>), Vec<u8>> {
    let (read, mut found) = (whole.app.store.read().unwrap(), BTreeMap::new());
    for space in [Space::Rows, Space::Indexes] {
        bulk::walk(&read, space, |(key, value)| {
            found.insert((space, key.clone()), value.clone());
            Ok::<_, Fault>(())
        })
        .unwrap();
    }
    found
}

/// Fills a data folder with so many customers, each with a chat of a hundred messages.
async fn filled(data: &Path, customers: u64) {
    let now = whotbox::base::time::Clock::now(&whotbox::base::time::SystemClock::new());
    let whole = Whole::open(data, now).await;
    let owner = whole.person(Role::Distributor, "mama-put").await;
    let before = all(&whole);
    let amaka = whole.customer(&owner, NAME).await;
    let chat = whole.post(&amaka, "/api/v1/conversations", &json!({"participant_id": owner.id})).await.json();
    let chat = chat["id"].as_str().unwrap().to_owned();
    let mut ids: Vec<Uuid> = vec![amaka.id.parse().unwrap(), chat.parse().unwrap()];
    for number in 0..MESSAGES_OF_ONE {
        let body = json!({"body": format!("message {number}: the soup is ready, and so are the cards")});
        let sent = whole.post(&amaka, &format!("/api/v1/conversations/{chat}/messages"), &body).await;
        assert_eq!(sent.status, 201, "{}", sent.text());
        ids.push(sent.json()["id"].as_str().unwrap().parse().unwrap());
    }
    let ids: Vec<[u8; 16]> = ids.into_iter().map(Uuid::into_bytes).collect();
    let pattern = Pattern::of(&before, &all(&whole), &ids);
    let store = &whole.app.store;
    let id = Uuid::from_u128(1);
    let restored = Restored { at: now, backup: id, backup_at: now, from_epoch: id, epoch: id, phase: Phase::Loading };
    store.write(move |tx, _| tx.put(&restored)).await.map_err(|fault: Fault| fault).unwrap();
    for numbers in (1..customers).collect::<Vec<_>>().chunks(20) {
        let pairs = numbers.iter().flat_map(|number| pattern.of_another(*number)).collect();
        store.write(move |tx, _| bulk::lay(tx, pairs)).await.unwrap();
    }
    store.write(|tx, _| tx.delete::<Restored>(&Key::new())).await.map_err(|fault: Fault| fault).unwrap();
    store.close();
}

/// Bytes of a process by the kernel's account.
fn memory(process: u32, name: &str) -> u64 {
    let rollup = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_box_stays_within_its_memory_whatever_it_holds() {
    use std::io::BufRead as _;
    let customers = if full() { 10_000 } else { 60 };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    filled(&data, customers).await;
    let program = std::env::var("WHOTBOX_PROGRAM").unwrap_or_else(|_| PROGRAM.to_owned());
    let mut child = Command::new(program);
    let child = child.args(["--listen", "127.0.0.1:0"]).current_dir(folder.path());
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line == "Ready."), "it did not start");
    let looks = |when: &str| {
        let (rss, own) = (memory(child.id(), "Rss:"), memory(child.id(), "Anonymous:"));
        println!("{when}: resident {} MiB, of it not of files {} MiB", rss >> 20, own >> 20);
        own
    };
    let begun = looks("at its start");
    // The doctor reads the whole audit trail and looks into every table.
    let status = command(folder.path(), &["status", "--json"]);
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    let idle = looks("after a look at everything");
    let bytes = fs::metadata(data.join("box.redb")).unwrap().len();
    println!("{customers} customers with {MESSAGES_OF_ONE} messages each, {} MiB of store", bytes >> 20);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(begun.max(idle) < BOUND, "{begun} at its start, {idle} after a look");
    // And all is there: the box opens, and the last customer's chat has its messages.
    let whole = Whole::open(&data, whotbox::base::time::Clock::now(&whotbox::base::time::SystemClock::new())).await;
    let mut found = 0_u64;
    bulk::walk(&whole.app.store.read().unwrap(), Space::Rows, |(key, _)| {
        found += u64::from(key.starts_with(&61_u16.to_be_bytes()));
        Ok::<_, Fault>(())
    })
    .unwrap();
    assert_eq!(found, customers * u64::from(MESSAGES_OF_ONE));
}
