//! Stories of matches over HTTP and sockets, on a whole box with a clock that the test moves.

mod bots;
mod pairs;
mod reconnect;
mod rounds;
mod routes;
mod running;
mod sockets;
mod wire;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use whotbox::identity::users::Role;
use whotbox::jobs::{self, Job};

use crate::identity::fixture::{Person, Whole, start};
use crate::support::ws::Ws;

/// A box with two players and a match between them.
struct Hall {
    whole: Whole,
    /// By seat: Ada invites Bola.
    players: [Person; 2],
    game: String,
}

/// Opens a match with these options over the preset `quick`.
async fn hall(options: Value) -> Hall {
    let whole = start().await;
    let players = [whole.person(Role::Customer, "ada").await, whole.person(Role::Distributor, "bola").await];
    let game = play_again(&whole, &players, &options).await;
    Hall { whole, players, game }
}

async fn play_again(whole: &Whole, [ada, bola]: &[Person; 2], options: &Value) -> String {
    let body = json!({"recipient_username": "bola", "preset": "quick", "options": options});
    let invite = whole.post(ada, "/api/v1/games/invites", &body).await;
    assert_eq!(invite.status, 201, "{}", invite.text());
    let path = format!("/api/v1/games/invites/{}/accept", invite.json()["id"].as_str().unwrap());
    let accepted = whole.call(bola, "POST", &path, &Value::Null).await;
    assert_eq!(accepted.status, 201, "{}", accepted.text());
    accepted.json()["game_id"].as_str().unwrap().to_owned()
}

impl Hall {
    fn path(&self, rest: &str) -> String {
        format!("/api/v1/games/{}{rest}", self.game)
    }

    async fn socket(&self, seat: usize, query: &str) -> Ws {
        let path = self.path(&format!("/ws{query}"));
        let opened = Ws::open(self.whole.http.address, &path, &self.players[seat].token).await;
        opened.unwrap_or_else(|status| panic!("{path}: {status}"))
    }

    /// The match as a seat sees it.
    async fn game(&self, seat: usize) -> Value {
        let answer = self.whole.get(&self.players[seat], &self.path("")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    async fn turn(&self) -> usize {
        usize::try_from(self.game(0).await["turn"].as_u64().unwrap()).unwrap()
    }

    async fn post(&self, seat: usize, rest: &str, body: &Value) -> crate::support::http::Answer {
        self.whole.call(&self.players[seat], "POST", &self.path(rest), body).await
    }

    /// Whoever is on turn plays the first legal action; both are ready between rounds. Whether the match goes on.
    async fn step(&self) -> bool {
        let game = self.game(0).await;
        match game["turn"].as_u64() {
            _ if game["phase"] == "match_over" => return false,
            Some(turn) => {
                let turn = usize::try_from(turn).unwrap();
                let action = self.game(turn).await["legal"][0].clone();
                let played = self.post(turn, "/play", &action).await;
                assert_eq!(played.status, 200, "{}", played.text());
            }
            None => {
                for seat in [0, 1] {
                    assert_eq!(self.post(seat, "/ready", &Value::Null).await.status, 200);
                }
            }
        }
        true
    }

    async fn play_out(&self) {
        while self.step().await {}
    }

    async fn until(&self, phase: &str) {
        while self.game(0).await["phase"] != phase {
            assert!(self.step().await, "the match ended before {phase}");
        }
    }
}

/// A job of the box, at work until it is dropped.
struct AtWork(CancellationToken, #[expect(dead_code, reason = "it ends with the test")] JoinHandle<()>);

fn at_work(whole: &Whole, job: impl Job + 'static) -> AtWork {
    let stop = CancellationToken::new();
    let task = tokio::spawn(jobs::run(job, whole.app.store.watch(), stop.clone()));
    AtWork(stop, task)
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
