//! The socket of a match.

use serde_json::{Value, json};

use super::hall;
use crate::story::evening::gather;
use crate::story::match_play::Table;
use crate::support::http::Answer;
use crate::support::whotbox::Whotbox;
use crate::support::ws::Ws;

#[tokio::test(flavor = "multi_thread")]
async fn every_action_reaches_every_socket_once_each_with_its_own_view() {
    let hall = hall(json!({"voluntary_draw": true})).await;
    let mut sockets = [hall.socket(0, "").await, hall.socket(1, "").await, hall.socket(1, "").await];
    for (socket, seat) in sockets.iter_mut().zip([0, 1, 1]) {
        let snapshot = socket.next().await;
        assert_eq!((&snapshot["type"], &snapshot["game"]["seat"]), (&json!("snapshot"), &json!(seat)));
    }
    let turn = hall.turn().await;
    let play = json!({"type": "play", "ref": "r", "client_id": "c", "expected_seq": 0, "action": {"type": "draw"}});
    sockets[turn].send(&play).await;
    assert_eq!(sockets[turn].next_of("ack").await, json!({"type": "ack", "ref": "r", "seq": 1}));
    sockets[turn].send(&play).await;
    assert_eq!(sockets[turn].next_of("ack").await["seq"], 1, "sent again, it is acknowledged again");
    hall.post(1 - turn, "/play", &json!({"type": "draw"})).await;
    let mut sockets = [hall.socket(0, "?after=0").await, hall.socket(1, "?after=0").await];
    for (seat, socket) in sockets.iter_mut().enumerate() {
        for (seq, drawer) in [(1, turn), (2, 1 - turn)] {
            let frame = socket.next_of("events").await;
            assert_eq!(
                (&frame["seq"], &frame["game"]["seq"], &frame["game"]["seat"]),
                (&json!(seq), &json!(seq), &json!(seat))
            );
            assert_eq!(frame["events"][0].get("cards").is_some(), drawer == seat, "{frame}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_come_as_they_are_committed_and_none_twice() {
    let hall = hall(json!({"match_target": 2})).await;
    let mut sockets = [hall.socket(0, "").await, hall.socket(1, "").await];
    for socket in &mut sockets {
        socket.next_of("snapshot").await;
    }
    hall.play_out().await;
    let last = hall.game(0).await["seq"].as_u64().unwrap();
    for (seat, socket) in sockets.iter_mut().enumerate() {
        let mut told = Vec::new();
        for seq in 1..=last {
            let frame = socket.next_of("events").await;
            assert_eq!(frame["seq"], seq);
            told.push(json!({"seq": seq, "events": frame["events"]}));
        }
        let events = hall.whole.get(&hall.players[seat], &hall.path("/events?after=0")).await.json();
        assert_eq!(events["items"], json!(told), "the route tells what the socket told");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_come_once_where_that_is_asked_for() {
    let hall = hall(json!({"voluntary_draw": true})).await;
    let turn = hall.turn().await;
    let [mut brief, mut whole] = [hall.socket(0, "?terms=once").await, hall.socket(0, "").await];
    let snapshot = brief.next_of("snapshot").await;
    hall.post(turn, "/play", &json!({"type": "draw"})).await;
    let (short, long) = (brief.next_of("events").await, whole.next_of("events").await);
    for name in ["game_id", "players", "options"] {
        assert!(short["game"].get(name).is_none(), "{name} is told again");
        assert_eq!(snapshot["game"][name], long["game"][name]);
    }
    // But for these, and the running clock, the two say the same.
    for (name, value) in short["game"].as_object().unwrap().iter().filter(|(name, _)| *name != "turn_deadline") {
        assert_eq!(value, &long["game"][name], "{name}");
    }
    assert!(short.to_string().len() + 500 < long.to_string().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_answer_and_leave_the_socket_open() {
    let hall = hall(json!({})).await;
    let turn = hall.turn().await;
    let mut socket = hall.socket(1 - turn, "").await;
    socket.next_of("snapshot").await;
    for (message, code) in [
        (json!({"type": "play", "ref": 1, "action": {"type": "draw"}}), "not_your_turn"),
        (json!({"type": "play", "ref": 1, "action": {"type": "cheat"}}), "bad_action"),
        (json!({"type": "play", "ref": 1, "action": 5}), "bad_action"),
        (json!({"type": "play", "ref": 1}), "validation_failed"),
        (json!({"type": "play", "ref": 1, "expected_seq": "x", "action": {"type": "draw"}}), "validation_failed"),
        (json!({"type": "play", "ref": 1, "expected_seq": 9, "action": {"type": "draw"}}), "stale_state"),
        (json!({"type": "ready", "ref": 1, "nonce": "zz"}), "validation_failed"),
    ] {
        socket.send(&message).await;
        let error = socket.next_of("error").await;
        assert_eq!((&error["ref"], &error["code"]), (&json!(1), &json!(code)), "{message}");
    }
    socket.send(&json!({"type": "ping"})).await;
    assert_eq!(socket.next_of("pong").await, json!({"type": "pong"}));
    socket.send(&json!({"type": "shuffle"})).await;
    assert_eq!(socket.closed().await, Some(1007));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_told_when_the_other_comes_and_goes() {
    let hall = hall(json!({})).await;
    let mut ada = hall.socket(0, "").await;
    let alone = ada.next_of("presence").await;
    assert_eq!((&alone["opponent"], &alone["since"]), (&json!("offline"), &Value::Null));
    let (mut first, second) = (hall.socket(1, "").await, hall.socket(1, "").await);
    let here = ada.next_of("presence").await;
    assert_eq!((&here["opponent"], here["since"].is_string()), (&json!("online"), true));
    assert_eq!(first.next_of("presence").await["opponent"], "online");
    drop(first);
    drop(second);
    assert_eq!(ada.next_of("presence").await["opponent"], "offline", "when the last of two sockets went");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_far_behind_or_ahead_gets_one_snapshot() {
    let hall = hall(json!({"match_target": 5})).await;
    while hall.game(0).await["seq"].as_u64().unwrap() < 70 && hall.step().await {}
    let seq = hall.game(0).await["seq"].clone();
    for query in ["?after=0", "?after=100000", ""] {
        let first = hall.socket(0, query).await.next().await;
        assert_eq!((&first["type"], &first["seq"]), (&json!("snapshot"), &seq), "{query}");
    }
    let near = seq.as_u64().unwrap() - 3;
    let first = hall.socket(0, &format!("?after={near}")).await.next().await;
    assert_eq!((&first["type"], &first["seq"]), (&json!("events"), &json!(near + 1)), "the control");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_part_in_the_match_there_is_no_socket() {
    let hall = hall(json!({})).await;
    let stranger = hall.whole.person(whotbox::identity::users::Role::Customer, "chidi").await;
    let path = hall.path("/ws");
    let address = hall.whole.http.address;
    assert_eq!(Ws::open(address, &path, &stranger.token).await.err(), Some(404));
    assert_eq!(Ws::open(address, &path, "nonsense").await.err(), Some(401));
    assert_eq!(Ws::with(address, &path, &[]).await.err(), Some(401));
    let foreign = Ws::browser(address, &path, &hall.players[0].token, "http://evil.example").await;
    assert_eq!(foreign.err(), Some(403));
    assert!(Ws::browser(address, &path, &hall.players[0].token, &format!("http://{address}")).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_tells_nobody_of_a_room_that_is_not_theirs() {
    // Given two at a table in the real program, and somebody who knows where it is.
    let folder = tempfile::tempdir().unwrap();
    let whotbox = Whotbox::start(folder.path(), &[]);
    let cast = gather(&whotbox).await;
    let table = Table::open(&cast.chidi, &cast.amaka, &json!({"match_target": 1, "turn_seconds": 0})).await;
    let game = table.game_id.clone();
    let room = |id: &str| format!("/api/v1/games/{id}/ws");
    // When they come to it, and to one that does not exist, with all that a WebSocket begins with.
    let none = "018f3a5c-0000-7000-8000-00000000dead";
    let knocked = async |id: &str| {
        let headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")];
        let call = whotbox.http.get(&room(id)).bearer(&cast.owner.token);
        let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
        call.header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==").send().await
    };
    let (foreign, missing) = (knocked(&game).await, knocked(none).await);
    // Then both are refused before the upgrade, in the same words.
    assert_eq!((foreign.status, missing.status), (404, 404));
    let words = |answer: &Answer, id: &str| {
        let request = answer.json()["request_id"].as_str().unwrap().to_owned();
        answer.text().replace(&request, "REQUEST").replace(id, "ID")
    };
    assert_eq!(words(&foreign, &game), words(&missing, none));
    assert_eq!(foreign.header("upgrade"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_socket_may_take_the_match_over() {
    // Given two sockets of Bola's, one of which the phone has forgotten, and Ada's.
    let hall = hall(json!({"voluntary_draw": true})).await;
    let (old, older) = (hall.socket(1, "").await, hall.socket(1, "").await);
    let mut ada = hall.socket(0, "").await;
    assert_eq!(ada.next_of("presence").await["opponent"], "online");
    // When a third takes over, then the older two end, and it alone goes on.
    let mut new = hall.socket(1, "?take_over=true").await;
    assert_eq!(new.next().await["type"], "snapshot");
    assert_eq!((old.closed().await, older.closed().await), (Some(4409), Some(4409)));
    let turn = hall.turn().await;
    hall.post(turn, "/play", &json!({"type": "draw"})).await;
    assert_eq!(new.next_of("events").await["seq"], 1);
    // Ada has not seen Bola go away, and her own socket is none of the matter.
    assert_eq!(ada.next().await["type"], "events");
    // And without being asked to be alone, one more stands beside it.
    let mut beside = hall.socket(1, "").await;
    beside.next_of("snapshot").await;
    hall.post(1 - turn, "/play", &json!({"type": "draw"})).await;
    assert_eq!(
        (new.next_of("events").await["seq"].clone(), beside.next_of("events").await["seq"].clone()),
        (json!(2), json!(2))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_take_over_at_once_the_newer_stays() {
    let hall = hall(json!({})).await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        let mut socket = hall.socket(0, "?take_over=true").await;
        socket.next_of("snapshot").await;
        sockets.push(socket);
    }
    let mut newest = sockets.pop().unwrap();
    for socket in sockets {
        assert_eq!(socket.closed().await, Some(4409));
    }
    newest.send(&json!({"type": "ping"})).await;
    assert_eq!(newest.next_of("pong").await, json!({"type": "pong"}));
    let path = hall.path("/ws?take_over=perhaps");
    let refused = Ws::open(hall.whole.http.address, &path, &hall.players[0].token).await;
    assert_eq!(refused.err(), Some(422));
}
