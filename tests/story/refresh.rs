//! `kill -9` between the rotation of a refresh token and its answer: the phone asks again with the token it has, and is
//! never locked out.

use serde_json::{Value, json};

use crate::support::whotbox::{Whotbox, own_password};

/// Kills in CI, and under `tests/run --full`.
fn kills() -> usize {
    if std::env::var_os("WHOTBOX_FULL").is_some() { 100 } else { 12 }
}

fn token(session: &Value) -> String {
    session["refresh_token"].as_str().unwrap_or_else(|| panic!("{session}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_whose_refresh_was_cut_off_by_a_kill_is_never_locked_out() {
    // Given a phone that is signed in.
    let folder = tempfile::tempdir().unwrap();
    let mut whotbox = Whotbox::start(folder.path(), &[]);
    whotbox.sign_in("admin", whotbox.password.as_ref().unwrap()).await;
    let credentials = json!({"username": "admin", "password": own_password("admin")});
    let session = whotbox.http.post("/api/v1/auth/login").json(&credentials).send().await;
    let mut held = token(&session.json());
    let mut lost = 0;
    for kill in 0..kills() {
        // When the box dies while it answers, or right after its answer was lost on its way.
        let body = json!({"refresh_token": held});
        let mut wire = whotbox.http.connect().await.unwrap();
        wire.write(&whotbox.http.post("/api/v1/auth/refresh").json(&body).bytes()).await;
        let answer = if kill % 3 == 0 { wire.answer().await.map(|answer| token(&answer.json())) } else { None };
        for _ in 0..kill * 40 {
            tokio::task::yield_now().await;
        }
        whotbox = whotbox.kill_and_restart();
        // Then the token that the phone still has gives a new pair, and the same one if it had been given.
        let again = whotbox.http.post("/api/v1/auth/refresh").json(&body).send().await;
        assert_eq!(again.status, 200, "kill {kill}: {}", again.text());
        let next = token(&again.json());
        if let Some(answer) = answer {
            assert_eq!(answer, next, "kill {kill}: the lost answer comes again");
            lost += 1;
        }
        let me = whotbox.http.get("/api/v1/users/me").bearer(again.json()["access_token"].as_str().unwrap());
        assert_eq!(me.send().await.status, 200, "kill {kill}");
        held = next;
    }
    assert_eq!(lost, kills().div_ceil(3));
}
