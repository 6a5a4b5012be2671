//! `kill -9` during play: nothing that was acknowledged is lost, both players go on in the same match, and whoever won
//! has won once.

use serde_json::{Value, json};

use crate::story::evening::{Cast, gather};
use crate::story::match_play::Table;
use crate::support::whotbox::Whotbox;
use crate::whot::random::Random;

/// Kills in CI, and under `tests/run --full`.
fn kills() -> usize {
    if std::env::var_os("WHOTBOX_FULL").is_some() { 1000 } else { 30 }
}

/// Short matches, so that many kills meet the end of one.
fn options() -> Value {
    json!({"hand_size": 3, "match_target": 1, "turn_seconds": 0})
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_move_is_lost_when_the_box_is_killed() {
    // Given two players, match after match.
    let folder = tempfile::tempdir().unwrap();
    let mut whotbox = Whotbox::start(folder.path(), &[]);
    let mut cast = gather(&whotbox).await;
    let mut random = Random::new(9);
    let mut table = Table::open(&cast.chidi, &cast.amaka, &options()).await;
    let (mut finished, mut in_flight) = (Vec::new(), [0, 0]);
    for kill in 0..kills() {
        for _ in 0..random.below(12) {
            if !table.is_over() {
                table.step().await;
            }
        }
        if table.is_over() {
            finished.push((table.game_id.clone(), table.shown[0]["winner"].clone()));
            let [first, second] = table.seats.clone();
            table = Table::open(&second, &first, &options()).await;
        }
        // When the box dies with a move in flight, at some time between its sending and its being acknowledged.
        let before = table.seq();
        if let Some(seat) = table.turn() {
            let action = table.shown[seat]["legal"][0].clone();
            let play = json!({"type": "play", "ref": "last", "client_id": format!("k{kill}"), "action": action});
            table.sockets[seat].send(&play).await;
            while kill % 3 == 0 && table.acknowledged <= before {
                table.hear(seat).await;
            }
            for _ in 0..random.below(2000) {
                tokio::task::yield_now().await;
            }
        }
        whotbox = whotbox.kill_and_restart();
        let acknowledged = table.acknowledged.max(before);
        let seats = table.seats.clone().map(|person| person.at(&whotbox.http));
        table = table.come_back(seats).await;
        // Then both are where the last acknowledged move left them, or one further.
        let now = table.seq();
        assert!(now >= acknowledged && now <= before + 1, "kill {kill}: acknowledged {acknowledged}, back at {now}");
        assert_eq!(table.shown[0]["seq"], table.shown[1]["seq"]);
        in_flight[usize::from(now > before)] += 1;
    }
    // And every match that ended has been counted, once.
    println!(
        "{} matches ended; the move in flight was lost {} times and kept {} times",
        finished.len(),
        in_flight[0],
        in_flight[1]
    );
    assert!(!finished.is_empty() && in_flight[1] > 0, "{finished:?} {in_flight:?}");
    if table.is_over() {
        finished.push((table.game_id.clone(), table.shown[0]["winner"].clone()));
    }
    cast.chidi = cast.chidi.at(&whotbox.http);
    counted_once(&cast, &finished).await;
}

/// Leaderboard and the pair's board say what the matches say.
async fn counted_once(cast: &Cast, finished: &[(String, Value)]) {
    let chidi = &cast.chidi;
    let (mut own, mut others) = (0, 0);
    for (game, winner) in finished {
        let scores = chidi.see(&format!("/api/v1/games/{game}/scoreboard")).await;
        assert_eq!(scores["winner"], *winner, "{scores}");
        let winner = &scores["players"][usize::try_from(winner.as_u64().unwrap()).unwrap()];
        assert_eq!(winner["rounds_won"], 1, "{scores}");
        if winner["user_id"] == json!(chidi.id) { own += 1 } else { others += 1 }
    }
    let board = chidi.see(&format!("/api/v1/games/pairs/{}", cast.amaka.id)).await;
    assert_eq!((&board["played"], &board["players"][0]["won"]), (&json!(finished.len()), &json!(own)), "{board}");
    assert_eq!((&board["players"][1]["won"], &board["players"][1]["rounds_won"]), (&json!(others), &json!(others)));
    for period in ["all", "week"] {
        let leaders = chidi.see(&format!("/api/v1/games/leaderboard?period={period}")).await;
        for leader in leaders["items"].as_array().unwrap() {
            let won = if leader["user_id"] == json!(chidi.id) { own } else { others };
            assert_eq!((&leader["won"], &leader["played"]), (&json!(won), &json!(finished.len())), "{leaders}");
        }
        assert_eq!(leaders["items"].as_array().unwrap().len(), 2);
    }
}
