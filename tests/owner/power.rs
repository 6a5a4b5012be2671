//! Restart and shut-down from the owner's screen, and what has passed between box and central.

use serde_json::json;
use whotbox::identity::users::Role;
use whotbox::live::power::Ending;
use whotbox::store::compared::{self, Kind, Verification};

use crate::identity::fixture::{Person, Whole, start};

const POWER: &str = "/api/v1/box/power";

/// What the trail has of the box's ends.
async fn ends_in_the_trail(whole: &Whole, admin: &Person) -> Vec<String> {
    let trail = whole.get(admin, "/api/v1/admin/moderation/audits").await.json();
    let actions = trail["items"].as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap().to_owned());
    actions.filter(|action| action.starts_with("box_")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_may_end_the_box_once_and_it_stands_in_the_trail() {
    // Given the owner of a box, and somebody else's distributor.
    let whole = start().await;
    let admin = whole.person(Role::Admin, "root").await;
    let ada = whole.person(Role::Distributor, "ada").await;
    // When a stranger to the box asks, or nobody knows for what, nothing ends.
    assert_eq!(whole.post(&ada, POWER, &json!({"action": "restart"})).await.status, 403);
    assert_eq!(whole.post(&admin, POWER, &json!({"action": "explode"})).await.status, 422);
    // Then the owner's wish is taken, and it alone.
    let state = whole.get(&admin, POWER).await.json();
    assert_eq!((&state["machine"], &state["started_at"]), (&json!(false), &json!("2026-11-22T10:00:00.000Z")));
    assert_eq!(whole.post(&admin, POWER, &json!({"action": "shut_down"})).await.status, 202);
    assert_eq!(whole.post(&admin, POWER, &json!({"action": "restart"})).await.status, 409);
    assert_eq!(whole.app.power.asked().await, Ending::ShutDown);
    assert_eq!(ends_in_the_trail(&whole, &admin).await, ["box_shut_down"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_wishes_at_once_one_is_taken_and_the_trail_has_no_other() {
    let whole = start().await;
    let admin = whole.person(Role::Admin, "root").await;
    // When sixteen come at once, half of each kind.
    let wishes = (0..16).map(|number| json!({"action": if number % 2 == 0 { "restart" } else { "shut_down" }}));
    let wishes: Vec<_> = wishes.collect();
    let answers = futures_util::future::join_all(wishes.iter().map(|wish| whole.post(&admin, POWER, wish))).await;
    // Then one is taken, and it is the one that stands in the trail.
    let taken: Vec<_> = answers.iter().zip(&wishes).filter(|(answer, _)| answer.status == 202).collect();
    assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 15);
    let noted = if taken[0].1["action"] == "restart" { "box_restarted" } else { "box_shut_down" };
    assert_eq!(ends_in_the_trail(&whole, &admin).await, [noted]);
}

#[tokio::test(flavor = "multi_thread")]
async fn comparisons_with_central_are_told_newest_first() {
    let whole = start().await;
    let admin = whole.person(Role::Admin, "root").await;
    let empty = whole.get(&admin, "/api/v1/box/sync").await.json();
    assert_eq!(empty, json!({"comparisons": [], "orders": [], "refused": []}));
    for (id, diverged) in [("018f3a5c-0000-7000-8000-000000000001", 3), ("018f3a5c-0000-7000-8000-000000000002", 0)] {
        let kept = whole.app.store.write(move |tx, now| {
            let verification = Verification {
                id: id.parse().unwrap(),
                kind: Kind::Verify,
                started_at: now,
                finished_at: now,
                tables: 20,
                rows: 500,
                diverged,
                unsettled: 0,
                dead_letters: 0,
                named: vec![],
            };
            compared::keep(tx, &verification)
        });
        kept.await.unwrap();
    }
    let told = whole.get(&admin, "/api/v1/box/sync").await.json();
    let diverged: Vec<_> = told["comparisons"].as_array().unwrap().iter().map(|one| one["diverged"].clone()).collect();
    assert_eq!(diverged, [json!(0), json!(3)]);
    let again = whole.post(&admin, "/api/v1/box/sync/redrive", &json!({})).await;
    assert_eq!(again.json(), json!({"rows": 0}));
}
