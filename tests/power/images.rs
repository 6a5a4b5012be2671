//! Cuts the power, starts the real program on what is left, and asks it for everything that was promised by then.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::power::disk::{Cut, Disk, Keep};
use crate::power::load::{Promise, Recording};
use crate::support::http::Answer;
use crate::support::whotbox::Whotbox;
use crate::whot::random::Random;

/// The name of the key file.
const KEYS: &str = "data/chat.keys";
/// Boxes that are started at once.
const AT_ONCE: usize = 2;
/// Images of honest disks and of lying ones, of a hundred of which so many have to be seen, and rounds of work in the
/// record: in CI, where few decide and each record is another, and under `tests/run --full`.
const CI: [usize; 4] = [48, 40, 85, 3];
const FULL: [usize; 4] = [2000, 400, 95, 60];

/// A record, and the disk that it was made on.
struct Night {
    recording: Recording,
    disk: Disk,
    /// Where each version of the key file got its name, and what is in it.
    keys: Vec<(usize, Vec<u8>)>,
}

impl Night {
    async fn of(rounds: usize) -> Self {
        let recording = Recording::make(rounds).await;
        let disk = recording.disk(None);
        let keys = disk.versions(KEYS);
        Self { recording, disk, keys }
    }

    /// Cuts the power; what of the promises given before `promised` is lost, if anything.
    async fn lost(&self, disk: &Disk, cut: Cut, promised: usize, seed: u64) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        disk.image(cut, &mut Random::new(seed), folder.path());
        let given = self.recording.promises.iter().take_while(|(at, _)| *at < promised);
        let rotated = given.clone().filter(|(_, promise)| matches!(promise, Promise::Rotated)).last();
        if let Some((at, _)) = rotated {
            self.key_file(folder.path(), *at)?;
        }
        let whotbox = Whotbox::try_start(&[], folder.path(), &["--log-level", "warn"])
            .map_err(|log| format!("the box does not start: {log}"))?;
        let given = given.map(|(_, promise)| promise.clone()).collect();
        let (conversation, game) = (self.recording.scene.conversation.clone(), self.recording.scene.game.clone());
        // A box of a lying disk may die while it is asked.
        let asked = tokio::spawn(async move { Asked::all(whotbox, given, conversation, game).await }).await;
        asked.unwrap_or_else(|died| Err(format!("the box died: {died}")))
    }

    /// The key file is what it was at a point of the record, or a later one.
    fn key_file(&self, folder: &Path, at: usize) -> Result<(), String> {
        let earlier = self.keys.iter().filter(|(ended, _)| *ended < at).count();
        let there = std::fs::read(folder.join(KEYS)).map_err(|error| format!("the key file: {error}"))?;
        let is_good = self.keys[earlier - 1..].iter().any(|(_, bytes)| *bytes == there);
        is_good.then_some(()).ok_or_else(|| "the key file is an earlier one".to_owned())
    }

    /// A point of the record: any, one just after a promise, or one of the box's first start.
    fn point(&self, random: &mut Random) -> usize {
        match random.below(10) {
            0..4 => random.below(self.recording.length + 1),
            4..8 => self.promise(random) + 1,
            _ => random.below(self.recording.promises[0].0),
        }
    }

    fn promise(&self, random: &mut Random) -> usize {
        random.pick(&self.recording.promises).0
    }
}

/// The people of a box that was started again, by name, with the tokens that they were given anew.
struct Asked {
    whotbox: Whotbox,
    tokens: HashMap<&'static str, String>,
}

impl Asked {
    async fn all(whotbox: Whotbox, given: Vec<Promise>, conversation: String, game: String) -> Result<(), String> {
        let mut asked = Asked { whotbox, tokens: HashMap::new() };
        for promise in &given {
            if let Promise::SignedIn(name, refresh) = promise {
                let answer = asked.refresh(refresh).await;
                let token =
                    if answer.status == 200 { answer.json()["access_token"].as_str().map(str::to_owned) } else { None };
                asked.tokens.insert(name, token.ok_or_else(|| format!("{name} is signed out: {}", answer.text()))?);
            }
        }
        asked.accounts(&given).await?;
        asked.messages(&given, &conversation).await?;
        asked.moves(&given, &game).await?;
        asked.held(&given, &conversation).await
    }

    async fn refresh(&self, token: &str) -> Answer {
        let body = json!({ "refresh_token": token });
        self.whotbox.http.post("/api/v1/auth/refresh").json(&body).send().await
    }

    /// What somebody sees; nothing where nobody of the name has signed in yet.
    async fn sees(&self, name: &str, path: &str) -> Result<Option<Value>, String> {
        let Some(token) = self.tokens.get(name) else { return Ok(None) };
        let answer = self.whotbox.http.get(path).bearer(token).send().await;
        if answer.status == 200 { Ok(Some(answer.json())) } else { Err(format!("{path}: {}", answer.text())) }
    }

    /// All items of a list.
    async fn list(&self, name: &str, path: &str) -> Result<Vec<Value>, String> {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        while let Some(mut page) = self.sees(name, &format!("{path}?limit=100{cursor}")).await? {
            found.append(page["items"].as_array_mut().unwrap());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        Ok(found)
    }

    async fn accounts(&self, given: &[Promise]) -> Result<(), String> {
        let there = self.list("admin", "/api/v1/admin/users").await?;
        let there: BTreeSet<&str> = there.iter().map(|user| user["username"].as_str().unwrap()).collect();
        for promise in given {
            match promise {
                Promise::Account(name) if !there.contains(name.as_str()) => return Err(format!("no account {name}")),
                Promise::SignedOut(refresh) => {
                    let status = self.refresh(refresh).await.status;
                    if status != 401 {
                        return Err(format!("who signed out is in again: {status}"));
                    }
                }
                _ => {}
            }
        }
        let Some(said) = self.sees("admin", "/api/v1/admin/doctor").await? else { return Ok(()) };
        let errors: Vec<_> = said["findings"].as_array().unwrap().iter().filter(|f| f["severity"] == "error").collect();
        if errors.is_empty() { Ok(()) } else { Err(format!("the doctor finds {errors:?}")) }
    }

    async fn messages(&self, given: &[Promise], conversation: &str) -> Result<(), String> {
        let path = format!("/api/v1/conversations/{conversation}/messages");
        let is_talk = |promise: &Promise| matches!(promise, Promise::Said(..) | Promise::Read(_));
        if !given.iter().any(is_talk) {
            return Ok(());
        }
        let there = self.list("chidi", &path).await?;
        let texts: HashMap<&str, &Value> =
            there.iter().map(|row| (row["id"].as_str().unwrap(), &row["body"])).collect();
        if texts.len() != there.len() {
            return Err("a message is there twice".to_owned());
        }
        for promise in given {
            match promise {
                Promise::Said(id, body) if texts.get(id.as_str()) != Some(&&json!(body)) => {
                    return Err(format!("the message {id} reads {:?}", texts.get(id.as_str())));
                }
                Promise::Read(id) if texts.get(id.as_str()).is_some_and(|text| !text.is_null()) => {
                    return Err(format!("the message {id} was read, and is there again"));
                }
                _ => {}
            }
        }
        // And life goes on.
        let call = self.whotbox.http.post(&path).bearer(&self.tokens["chidi"]);
        let answer = call.json(&json!({"body": "light don come back"})).send().await;
        if answer.status == 201 { Ok(()) } else { Err(format!("nobody can write: {}", answer.text())) }
    }

    async fn moves(&self, given: &[Promise], game: &str) -> Result<(), String> {
        let come = given.iter().filter_map(|promise| if let Promise::Moved(seq) = promise { Some(*seq) } else { None });
        let Some(come) = come.max() else { return Ok(()) };
        let now = self.sees("chidi", &format!("/api/v1/games/{game}")).await?.unwrap_or_default();
        let is_there = now["seq"].as_u64().is_some_and(|seq| seq >= come);
        is_there.then_some(()).ok_or_else(|| format!("the match had come to {come}, and is at {}", now["seq"]))
    }

    async fn held(&self, given: &[Promise], conversation: &str) -> Result<(), String> {
        let links = self.list("mod-one", "/api/v1/admin/moderation/audits").await?;
        if links.windows(2).any(|pair| pair[1]["prev_hash"] != pair[0]["hash"]) {
            return Err("the audit trail is broken".to_owned());
        }
        if !given.iter().any(|promise| matches!(promise, Promise::Held)) {
            return Ok(());
        }
        let path = format!("/api/v1/admin/moderation/conversations/{conversation}/legal-hold");
        let hold = self.sees("mod-one", &path).await?.unwrap_or_default();
        let is_held = hold["active"] == true && links.iter().any(|link| link["action"] == "hold_placed");
        is_held.then_some(()).ok_or_else(|| format!("the hold is gone: {hold}"))
    }
}

/// Makes an image for each cut and asks it; the cuts after which something was lost, and what.
async fn sweep(night: &Arc<Night>, cuts: Vec<Cut>, seed: u64) -> Vec<(Cut, u64, String)> {
    let ask = |(number, cut): (usize, Cut)| {
        let (night, seed) = (Arc::clone(night), seed.wrapping_add(number as u64));
        async move {
            let lost = tokio::spawn(async move { night.lost(&night.disk, cut, cut.at, seed).await }).await.unwrap();
            lost.err().map(|what| (cut, seed, what))
        }
    };
    let all = futures_util::stream::iter(cuts.into_iter().enumerate().map(ask)).buffer_unordered(AT_ONCE);
    all.filter_map(std::future::ready).collect().await
}

fn size() -> [usize; 4] {
    if std::env::var_os("WHOTBOX_FULL").is_some() { FULL } else { CI }
}

/// The seed of the cuts: the record itself is another one each time.
fn seed() -> u64 {
    let given = std::env::var("WHOTBOX_SEED").ok().map(|seed| seed.parse().expect("WHOTBOX_SEED is a number"));
    let seed = given.unwrap_or(20_261_129);
    println!("replay with WHOTBOX_SEED={seed}");
    seed
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_promised_is_lost_when_the_power_goes_and_a_disk_that_lies_is_seen() {
    let ([images, lies, share, rounds], seed) = (size(), seed());
    // given: an evening's record
    let night = Arc::new(Night::of(rounds).await);
    let mut random = Random::new(seed);
    // when: the power goes at any point of it
    let keep = [&Keep::LOSING[..], &[Keep::Everything]].concat();
    let cut = |random: &mut Random| {
        let at = night.point(random);
        Cut { at, honest: at, keep: *random.pick(&keep) }
    };
    let mut cuts: Vec<_> = (0..images).map(|_| cut(&mut random)).collect();
    // And just after every change of a name, which is there while nothing later is.
    cuts.extend(night.disk.renamings().into_iter().map(|at| Cut {
        at: at + 1,
        honest: at + 1,
        keep: Keep::Everything,
    }));
    let images = cuts.len();
    let lost = sweep(&night, cuts, seed).await;
    // then: the box starts, and everything that it had promised is there
    assert!(lost.is_empty(), "{} of {images} images lost something: {:#?}", lost.len(), &lost[..lost.len().min(20)]);

    // But when syncs did nothing, all of them or the last few, it is seen.
    let syncs = &night.disk.syncs;
    let lie = |random: &mut Random| {
        let at = night.promise(random) + 1;
        let before = syncs.partition_point(|sync| *sync < at);
        let back = 12 + random.below(29);
        let honest = if random.chance(50) { 0 } else { syncs[before.saturating_sub(back)] };
        Cut { at, honest, keep: *random.pick(&Keep::LOSING) }
    };
    let cuts: Vec<_> = (0..lies).map(|_| lie(&mut random)).collect();
    let seen = sweep(&night, cuts, seed).await.len();
    println!(
        "{images} images of {} promises in {} lines of record, 0 lost something; {seen} of {lies} lying disks were seen",
        night.recording.promises.len(),
        night.recording.length
    );
    assert!(seen * 100 >= lies * share, "{seen} of {lies} lying disks were seen");
    recorder_is_seen_to_matter(&night).await;
}

/// The record's order and its folder syncs are what the images rest on: with either changed, the loss is seen.
async fn recorder_is_seen_to_matter(night: &Night) {
    let of = |wanted: fn(&Promise) -> bool| {
        let found = night.recording.promises.iter().rfind(|(_, promise)| wanted(promise));
        found.expect("the night has such a promise").0
    };
    // An answer that was sent before the syncs that it waited for.
    let held = of(|promise| matches!(promise, Promise::Held));
    let syncs = &night.disk.syncs;
    let early = syncs[syncs.partition_point(|sync| *sync < held) - 3];
    let cut = Cut { at: early, honest: early, keep: Keep::Nothing };
    assert_eq!(night.lost(&night.disk, cut, early, 1).await, Ok(()));
    assert!(night.lost(&night.disk, cut, held + 1, 1).await.is_err(), "an early answer was not seen");
    // A key file that got its name without a sync of the folder.
    let rotated = of(|promise| matches!(promise, Promise::Rotated));
    let cut = Cut { at: rotated + 1, honest: rotated + 1, keep: Keep::Nothing };
    assert_eq!(night.lost(&night.disk, cut, rotated + 1, 1).await, Ok(()));
    let careless = night.recording.disk(Some(held));
    let lost = night.lost(&careless, cut, rotated + 1, 1).await;
    assert_eq!(lost, Err("the key file is an earlier one".to_owned()));
}
