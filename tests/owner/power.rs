//! Restart and shut-down from the owner's screen, and what has passed between box and central.

use serde_json::json;
use whotbox::identity::users::Role;
use whotbox::live::power::Ending;
use whotbox::store::compared::{self, Kind, Verification};

use crate::identity::fixture::start;

const POWER: &str = "/api/v1/box/power";

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
    let trail = whole.get(&admin, "/api/v1/admin/moderation/audits").await.json();
    let entries: Vec<_> = trail["items"].as_array().unwrap().iter().map(|row| row["action"].clone()).collect();
    assert!(entries.contains(&json!("box_shut_down")), "{trail}");
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
