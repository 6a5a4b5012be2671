//! `kill -9` during play: nothing that was acknowledged is lost, and both players go on in the same match.

use serde_json::json;

use crate::story::evening::gather;
use crate::story::match_play::Table;
use crate::support::whotbox::Whotbox;

/// Kills in CI, and under `tests/run --full`.
fn kills() -> usize {
    if std::env::var_os("WHOTBOX_FULL").is_some() { 200 } else { 30 }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_move_is_lost_when_the_box_is_killed() {
    // Given two players at a long match.
    let folder = tempfile::tempdir().unwrap();
    let mut whotbox = Whotbox::start(folder.path(), &[]);
    let cast = gather(&whotbox).await;
    let options = json!({"match_target": 20, "turn_seconds": 0});
    let mut table = Table::open(&cast.chidi, &cast.amaka, &options).await;
    for kill in 0..kills() {
        for _ in 0..kill % 4 {
            if !table.is_over() {
                table.step().await;
            }
        }
        if table.is_over() {
            let [first, second] = table.seats.clone();
            table = Table::open(&first, &second, &options).await;
        }
        // When the box dies with a move in flight.
        let before = table.seq();
        if let Some(seat) = table.turn() {
            let action = table.shown[seat]["legal"][0].clone();
            let play = json!({"type": "play", "ref": "last", "client_id": format!("k{kill}"), "action": action});
            table.sockets[seat].send(&play).await;
            while kill % 2 == 0 && table.acknowledged <= before {
                table.hear(seat).await;
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
    }
}
