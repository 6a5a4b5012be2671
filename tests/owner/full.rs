//! A full disk: what players see goes on, what is new is refused by name, and what ends a right or keeps evidence is
//! committed all the same. Once on a small file system with the real program, once on a disk in memory.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use whotbox::identity::users::Role;

use crate::identity::fixture::Whole;
use crate::store::disk::Disk;
use crate::story::match_play::Table;
use crate::support::http::Http;
use crate::support::whotbox::{Person, Whotbox, own_password};

const REASON: &str = "?reason=complaint%20of%20the%20shop";

/// What the story is about: two customers of a distributor in a match, one of them in a chat.
struct Scene {
    admin: Person,
    moderator: Person,
    owner: Person,
    chidi: Person,
    conversation: String,
    table: Table,
}

/// Signs in; the status, and the person where it is 200.
async fn sign_in(http: &Http, username: &str, password: &str) -> (u16, Option<Person>) {
    let credentials = json!({"username": username, "password": password});
    let answer = http.post("/api/v1/auth/login").json(&credentials).send().await;
    let person = (answer.status == 200).then(|| Person::of(http, &answer.json()));
    (answer.status, person)
}

async fn redeem(http: &Http, owner: &Person, name: &str) -> Person {
    let invite = owner.done("/api/v1/invites", &json!({})).await;
    let path = format!("/api/v1/invites/{}/redeem", invite["token"].as_str().unwrap());
    let answer = http.post(&path).json(&json!({"username": name, "password": own_password(name)})).send().await;
    Person::of(http, &answer.json())
}

async fn scene(http: &Http, admin: Person, moderator: Person) -> Scene {
    let mama = json!({"username": "mama-put", "alias": "Mama Put", "password": own_password("mama-put")});
    admin.done("/api/v1/admin/distributors", &mama).await;
    let owner = sign_in(http, "mama-put", &own_password("mama-put")).await.1.unwrap();
    let (chidi, amaka) = (redeem(http, &owner, "chidi").await, redeem(http, &owner, "amaka").await);
    let conversation = chidi.done("/api/v1/conversations", &json!({"participant_id": owner.id})).await;
    let conversation = conversation["id"].as_str().unwrap().to_owned();
    // With the first message the conversation gets its keys.
    chidi.done(&format!("/api/v1/conversations/{conversation}/messages"), &json!({"body": "good evening"})).await;
    let table = Table::open(&chidi, &amaka, &json!({"turn_seconds": 0})).await;
    Scene { admin, moderator, owner, chidi, conversation, table }
}

impl Scene {
    /// Writes messages until one is refused; how many were taken. The refusal is of the full disk and of nothing else.
    async fn write_until_refused(&self) -> usize {
        let path = format!("/api/v1/conversations/{}/messages", self.conversation);
        let mut taken = 0;
        for number in 0..20_000 {
            let from = if number % 2 == 0 { &self.chidi } else { &self.owner };
            let answer = from.post(&path, &json!({"body": "stock ".repeat(600)})).await;
            match answer.status {
                201 => taken += 1,
                // It looked into the store at the moment in which that was opened again.
                503 => {}
                _ => {
                    assert_eq!(answer.refusal(), (507, "storage_full".to_owned()), "after {taken}");
                    return taken;
                }
            }
        }
        panic!("the disk does not fill up");
    }

    /// What works on a full disk, and what does not.
    async fn lives_on(&self, http: &Http, round: usize) {
        // when somebody looks: the running match, the chat, and that the box is ready
        let game = format!("/api/v1/games/{}", self.table.game_id);
        let seen = self.chidi.see(&game).await;
        assert_eq!(seen["phase"], "play");
        self.chidi.see(&format!("/api/v1/conversations/{}/messages", self.conversation)).await;
        assert_eq!(http.get("/readyz").send().await.status, 200);
        // then what is new is refused by name
        let seat = self.table.turn().unwrap();
        let action = &self.table.shown[seat]["legal"][0];
        let moved = self.table.seats[seat].post(&format!("{game}/play"), action).await;
        assert_eq!(moved.refusal(), (507, "storage_full".to_owned()));
        assert_eq!(sign_in(http, "amaka", &own_password("amaka")).await.0, 507);
        // and what ends a right, keeps evidence or leads to somebody who can help is committed
        let hold = format!("/api/v1/admin/moderation/conversations/{}/legal-hold", self.conversation);
        let reason = json!({"reason": "court order 44/26"});
        if round == 0 {
            assert!(self.moderator.done(&hold, &reason).await["legal_hold"].is_object());
        } else {
            assert_eq!(self.moderator.post(&hold, &reason).await.status, 409);
        }
        let read = format!("/api/v1/admin/moderation/conversations/{}{REASON}", self.conversation);
        self.moderator.see(&read).await;
        let (status, again) = sign_in(http, &self.admin.username, &own_password(&self.admin.username)).await;
        assert_eq!(status, 200);
        let again = again.unwrap();
        let doctor = again.see("/api/v1/admin/doctor").await;
        assert!(doctor.to_string().contains("storage_full"), "{doctor}");
        assert_eq!(again.post("/api/v1/auth/logout", &Value::Null).await.status, 204);
        assert_eq!(again.get("/api/v1/users/me").await.status, 401);
    }

    /// Who tries a wrong password learns nothing of the name: nobody's, a customer's, a distributor's, and those of the
    /// people who can sign in on a full disk.
    async fn tells_no_name(&self, http: &Http) {
        let mut answers = Vec::new();
        for username in ["nobody", "chidi", "mama-put", "judge", "not a name"] {
            let credentials = json!({"username": username, "password": "not the password"});
            let answer = http.post("/api/v1/auth/login").json(&credentials).send().await;
            let mut body = answer.json();
            for own in ["instance", "request_id"] {
                body.as_object_mut().unwrap().remove(own);
            }
            answers.push((answer.status, body));
        }
        assert_eq!(answers[0].0, 401);
        for answer in &answers {
            assert_eq!(answer, &answers[0]);
        }
    }

    /// With room again all goes on, and nothing of what was taken is lost.
    async fn goes_on(&mut self, taken: usize) {
        let path = format!("/api/v1/conversations/{}/messages", self.conversation);
        assert_eq!(self.chidi.post(&path, &json!({"body": "there is room"})).await.status, 201);
        self.table.step().await;
        let (mut found, mut before) = (0, String::new());
        loop {
            let page = self.owner.see(&format!("{path}?limit=100{before}")).await;
            found += page["items"].as_array().unwrap().len();
            match page["next_cursor"].as_str() {
                Some(cursor) => before = format!("&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(found, taken + 2, "messages that were acknowledged");
        let doctor = self.admin.see("/api/v1/admin/doctor").await;
        assert!(!doctor.to_string().contains("storage_full"), "{doctor}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_in_memory_the_reserve_is_for_what_cannot_wait() {
    // given
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::with_journal(256 << 10);
    let whole = Whole::on(folder.path(), Arc::new(disk.clone())).await;
    let mut people = Vec::new();
    for (role, name) in [(Role::Admin, "root"), (Role::Moderator, "judge")] {
        whole.account_with(role, name, &own_password(name)).await;
        people.push(sign_in(&whole.http, name, &own_password(name)).await.1.unwrap());
    }
    let (moderator, admin) = (people.pop().unwrap(), people.pop().unwrap());
    let mut scene = scene(&whole.http, admin, moderator).await;
    // when
    disk.fill();
    let taken = scene.write_until_refused().await;
    // then: again and again, as long as the reserve lasts
    for round in 0..20 {
        scene.lives_on(&whole.http, round).await;
    }
    scene.tells_no_name(&whole.http).await;
    // and
    disk.make_room();
    scene.goes_on(taken).await;
}

/// A file system of its own, gone with this value.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    /// `None` where this process may not mount.
    fn tmpfs(place: &'a Path, mebibytes: u32) -> Option<Self> {
        fs::create_dir_all(place).unwrap();
        let options = format!("size={mebibytes}m,mode=0700");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "whotbox-test"]).arg(place).output();
        done.is_ok_and(|done| done.status.success()).then_some(Self(place))
    }

    /// Takes all that is left.
    fn fill(&self) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.0.join("filler")).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.0).status());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_file_system_the_program_goes_on_and_so_does_one_that_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("data");
    let Some(mounted) = Mounted::tmpfs(&place, 96) else {
        println!("this needs the right to mount: the same story ran on a disk in memory");
        return;
    };
    // given
    let whotbox = Whotbox::start(folder.path(), &["--data-dir", "data"]);
    let admin = whotbox.sign_in("admin", whotbox.password.as_ref().unwrap()).await;
    let said = whotbox.command(&["--data-dir", "data", "user", "add", "judge", "--role", "moderator"]);
    let said = String::from_utf8(said.stdout).unwrap();
    let password = said.lines().find_map(|line| line.strip_prefix("temporary_password: ")).unwrap().to_owned();
    let moderator = whotbox.sign_in("judge", &password).await;
    let mut scene = scene(&whotbox.http, admin, moderator).await;
    // when
    mounted.fill();
    let taken = scene.write_until_refused().await;
    mounted.fill();
    // then
    for round in 0..3 {
        scene.lives_on(&whotbox.http, round).await;
    }
    // and after a kill, on the same full disk
    let whotbox = whotbox.kill_and_restart();
    let seats = scene.table.seats.clone().map(|person| person.at(&whotbox.http));
    scene.table = scene.table.come_back(seats).await;
    for person in [&mut scene.admin, &mut scene.moderator, &mut scene.owner, &mut scene.chidi] {
        *person = person.at(&whotbox.http);
    }
    scene.lives_on(&whotbox.http, 3).await;
    let told = whotbox.command(&["--data-dir", "data", "audit", "verify"]);
    assert!(told.status.success(), "{told:?}");
    // and with room it goes on by itself
    mounted.make_room();
    scene.goes_on(taken).await;
}
