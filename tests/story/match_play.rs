//! Two players at a table: they play whatever is legal until the match is over.

use serde_json::{Value, json};

use crate::support::whotbox::Person;
use crate::support::ws::Ws;

/// Actions after which a match must be over, far above what the rules allow for the options used here.
const PATIENCE: usize = 5000;

/// A match between two people, as their sockets see it.
pub(crate) struct Table {
    pub(crate) game_id: String,
    /// By seat: the inviter is seat 0.
    pub(crate) seats: [Person; 2],
    pub(crate) sockets: [Ws; 2],
    /// The last state that each seat was shown.
    pub(crate) shown: [Value; 2],
    /// The highest sequence number that was acknowledged to anyone.
    pub(crate) acknowledged: u64,
}

impl Table {
    /// Invites, accepts and opens both sockets.
    pub(crate) async fn open(inviter: &Person, invited: &Person, options: &Value) -> Self {
        let invite = json!({"recipient_username": invited.username, "preset": "quick", "options": options});
        let invite = inviter.done("/api/v1/games/invites", &invite).await;
        let id = invite["id"].as_str().unwrap();
        let accepted = invited.done(&format!("/api/v1/games/invites/{id}/accept"), &Value::Null).await;
        let game_id = accepted["game_id"].as_str().unwrap().to_owned();
        let seats = [inviter.clone(), invited.clone()];
        let (sockets, shown) = sit(&seats, &game_id).await;
        Self { game_id, seats, sockets, shown, acknowledged: 0 }
    }

    /// Opens both sockets again, at a box that was started again.
    pub(crate) async fn come_back(mut self, seats: [Person; 2]) -> Self {
        let (sockets, shown) = sit(&seats, &self.game_id).await;
        (self.seats, self.sockets, self.shown) = (seats, sockets, shown);
        self
    }

    pub(crate) fn seq(&self) -> u64 {
        self.shown[0]["seq"].as_u64().unwrap()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.shown[0]["phase"] == "match_over"
    }

    /// The seat on turn, while the round is live.
    pub(crate) fn turn(&self) -> Option<usize> {
        self.shown[0]["turn"].as_u64().map(|seat| usize::try_from(seat).unwrap())
    }

    /// One step: the seat on turn plays its first legal card or draws; between rounds both say they are ready.
    pub(crate) async fn step(&mut self) {
        let before = self.seq();
        match self.turn() {
            None => {
                for socket in &mut self.sockets {
                    socket.send(&json!({"type": "ready", "ref": "ready"})).await;
                }
            }
            Some(seat) => {
                let action = self.shown[seat]["legal"][0].clone();
                let client_id = format!("{}-{before}", self.game_id);
                let play = json!({"type": "play", "ref": "play", "client_id": client_id, "expected_seq": before, "action": action});
                self.sockets[seat].send(&play).await;
            }
        }
        for seat in 0..2 {
            while self.shown[seat]["seq"].as_u64().unwrap() <= before {
                self.hear(seat).await;
            }
        }
    }

    /// Takes in one frame.
    pub(crate) async fn hear(&mut self, seat: usize) {
        let frame = self.sockets[seat].next().await;
        match frame["type"].as_str().unwrap() {
            "events" => {
                let (had, seq) = (self.shown[seat]["seq"].as_u64().unwrap(), frame["seq"].as_u64().unwrap());
                assert_eq!(seq, had + 1, "a frame is missing or came twice");
                self.shown[seat] = frame["game"].clone();
            }
            "ack" => self.acknowledged = self.acknowledged.max(frame["seq"].as_u64().unwrap()),
            "error" => panic!("refused: {frame}"),
            _ => {}
        }
    }

    pub(crate) async fn play_to_the_end(&mut self) {
        for _ in 0..PATIENCE {
            if self.is_over() {
                return;
            }
            self.step().await;
        }
        panic!("the match does not end");
    }
}

async fn sit(seats: &[Person; 2], game_id: &str) -> ([Ws; 2], [Value; 2]) {
    let path = format!("/api/v1/games/{game_id}/ws");
    let (mut first, mut second) = (seats[0].socket(&path).await, seats[1].socket(&path).await);
    let shown = [first.next_of("snapshot").await["game"].clone(), second.next_of("snapshot").await["game"].clone()];
    ([first, second], shown)
}
