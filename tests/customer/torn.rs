//! Power cuts at every step of the real redemption: account, relationship, session and the spent invite are all there
//! afterwards, or none of them is.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use whotbox::customer::relationships;
use whotbox::identity::users::{self, Role};

use crate::identity::fixture::{PASSWORD, Whole};
use crate::store::disk::{Disk, Event, Player};
use crate::store::lab::{Dice, full, seed};
use crate::support::http::Answer;

/// A disk on which somebody redeems an invite, and everything that was done to it.
struct Run {
    folder: tempfile::TempDir,
    image: Vec<u8>,
    history: Vec<Event>,
    /// How long the history was when the redemption was answered.
    answered: usize,
    token: String,
}

async fn redeem(whole: &Whole, token: &str) -> Answer {
    let body = json!({"username": "chidi", "password": PASSWORD, "phone": "+2348012345678"});
    let call = whole.http.post(&format!("/api/v1/invites/{token}/redeem")).idempotency_key("the-only-one");
    call.json(&body).send().await
}

async fn open(folder: &Path, disk: &Disk) -> Whole {
    Whole::on(folder, Arc::new(disk.clone())).await
}

impl Run {
    async fn new() -> Self {
        let (folder, disk) = (tempfile::tempdir().unwrap(), Disk::formatted());
        let whole = open(folder.path(), &disk).await;
        let ada = whole.person(Role::Distributor, "ada").await;
        let token = whole.invite(&ada).await["token"].as_str().unwrap().to_owned();
        whole.app.store.close();
        let image = disk.bytes();
        let disk = Disk::holding(image.clone());
        let whole = open(folder.path(), &disk).await;
        let answer = redeem(&whole, &token).await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let answered = disk.events();
        whole.app.store.close();
        Self { folder, image, history: disk.history(), answered, token }
    }

    /// Cuts the power at points of the history and says what is wrong with what is left.
    async fn sweep(&self, lies: bool, dice: &Dice, cuts: usize) -> Result<(usize, usize), String> {
        let mut player = Player::new(self.image.clone());
        player.lies = lies;
        let (mut whole, mut none) = (0, 0);
        for (point, event) in self.history.iter().enumerate() {
            for _ in 0..cuts {
                let there =
                    self.judge(point, player.cut(dice)).await.map_err(|why| format!("cut at {point}: {why}"))?;
                whole += usize::from(there);
                none += usize::from(!there);
            }
            player.play(event);
        }
        Ok((whole, none))
    }

    /// Whether the redemption survived a cut; an error for half of one, and for an answered one that did not.
    async fn judge(&self, point: usize, image: Vec<u8>) -> Result<bool, String> {
        let whole = open(self.folder.path(), &Disk::holding(image)).await;
        let read = whole.app.store.read().map_err(|fault| fault.to_string())?;
        let user = users::by_username(&read, &"chidi".parse().unwrap()).unwrap();
        let bond = user.as_ref().and_then(|user| relationships::of_customer(&read, user.id).unwrap());
        let glance = whole.http.get(&format!("/api/v1/invites/{}", self.token)).send().await.json();
        let parts = [
            user.is_some(),
            user.as_ref().is_some_and(|user| user.distributor_id.is_some()),
            bond.is_some_and(|bond| bond.active),
            glance["status"] == "redeemed",
        ];
        let there = parts[0];
        if parts != [there; 4] {
            return Err(format!("half a redemption is left: {parts:?}"));
        }
        if !there && point >= self.answered {
            return Err("what was answered is gone".into());
        }
        // Who never got the answer asks again, and comes to the same end: one account, one relationship, one session.
        let again = redeem(&whole, &self.token).await;
        let replayed = again.header("idempotency-replayed").is_some();
        if (again.status, replayed) != (201, there) {
            return Err(format!("asked again: {} {replayed} {}", again.status, again.text()));
        }
        let sessions =
            whole.get(&crate::identity::fixture::Person::of(&again.json()), "/api/v1/users/me/sessions").await;
        let count = sessions.json()["items"].as_array().map(Vec::len);
        if count != Some(1) { Err(format!("{count:?} sessions")) } else { Ok(there) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_at_any_step_of_a_redemption_leaves_all_of_it_or_nothing() {
    let dice = Dice::new(seed());
    let run = Run::new().await;
    let (whole, none) = run.sweep(false, &dice, if full() { 20 } else { 2 }).await.unwrap();
    println!("{} events: {whole} cuts left all of it, {none} nothing", run.history.len());
    assert!(whole > 0 && none > 0, "cuts on both sides of the commit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_lies_is_found_out_by_the_same_test() {
    let dice = Dice::new(seed());
    let run = Run::new().await;
    let wrong = run.sweep(true, &dice, 4).await.unwrap_err();
    println!("found out: {wrong}");
}
