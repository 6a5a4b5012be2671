//! Two players and a store: what the other tests are told with.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::base::id::GameId;
use crate::base::keys::MasterKey;
use crate::base::text::Username;
use crate::base::time::{ManualClock, Timestamp};
use crate::game::error::Error;
use crate::game::history::{self, Frames};
use crate::game::invites::NewInvite;
use crate::game::play::{Play, Played};
use crate::game::records::{Round, Session};
use crate::game::service::Service;
use crate::game::sessions::{self, Shown};
use crate::identity::access::Caller;
use crate::identity::testing::{caller, user};
use crate::identity::users::Role;
use crate::store::key::Key;
use crate::store::page::Page;
use crate::store::read::ReadExt;
use crate::store::testing::store;
use crate::store::tx::Tx;
use crate::store::writer::Store;
use crate::whot::action::Action;
use crate::whot::card::Seat;
use crate::whot::options::{Options, Preset};
use crate::whot::refusal::Refusal;
use crate::whot::shuffle::bytes_to_hex;
use crate::whot::state::Phase;

/// The players' shares in every shuffle of these tests, by seat.
pub(super) const NONCES: [[u8; 32]; 2] = [[0xa0; 32], [0xb1; 32]];

pub(super) struct Table {
    pub(super) store: Store,
    pub(super) clock: Arc<ManualClock>,
    pub(super) service: Arc<Service>,
    /// By seat: Ada invites.
    pub(super) players: [Caller; 2],
}

pub(super) fn table() -> Table {
    let (store, clock) = store();
    let players = ["ada", "bola"].map(|name| caller(&user(&store, name, Role::Customer)));
    Table { service: Arc::new(Service::new(&MasterKey::new([5; 32]))), store, clock, players }
}

pub(super) fn options(value: &Value) -> Options {
    Options::from_json(Preset::Quick, value).unwrap()
}

impl Table {
    /// Runs a command as the store does.
    pub(super) fn run<T: Send + 'static>(
        &self,
        command: impl FnOnce(&Service, &mut Tx<'_>, Timestamp) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let service = Arc::clone(&self.service);
        self.store.write_blocking(move |tx, now| command(&service, tx, now))
    }

    /// Ada invites Bola, both give their share, and Bola accepts.
    #[track_caller]
    pub(super) fn open(&self, options: Options) -> GameId {
        let [ada, bola] = self.players.clone().map(|caller| caller.player().unwrap());
        let recipient: Username = "bola".parse().unwrap();
        self.run(move |service, tx, now| {
            let invite = service.invite(tx, now, &ada, &NewInvite { recipient, options })?;
            crate::game::invites::give_nonce(tx, now, &ada, invite, NONCES[0])?;
            service.accept(tx, now, &bola, invite, Some(NONCES[1]))
        })
        .unwrap()
    }

    pub(super) fn shown(&self, game: GameId, seat: Seat) -> Shown {
        sessions::show(&self.store.read().unwrap(), self.player(seat), game).unwrap()
    }

    pub(super) fn player(&self, seat: Seat) -> &Caller {
        &self.players[usize::from(seat.index())]
    }

    pub(super) fn send(&self, game: GameId, seat: Seat, play: Play) -> Result<Played, Error> {
        let who = self.player(seat).clone();
        self.run(move |service, tx, now| service.play(tx, now, &who, game, &play))
    }

    pub(super) fn play(&self, game: GameId, seat: Seat, action: Action) -> Result<Played, Error> {
        self.send(game, seat, Play { action, client_id: None, expected_seq: None })
    }

    pub(super) fn ready(&self, game: GameId, seat: Seat) -> Result<(), Error> {
        let (who, nonce) = (self.player(seat).clone(), NONCES[usize::from(seat.index())]);
        self.run(move |service, tx, now| service.ready(tx, now, &who, game, Some(nonce)))
    }

    /// One step: whoever is on turn does the `n`th legal thing that is no resignation, and between rounds both say ready. Whether
    /// there was something to do.
    #[track_caller]
    pub(super) fn step(&self, game: GameId, n: usize) -> bool {
        let shown = self.shown(game, Seat::Zero);
        match (shown.view.phase, shown.view.turn) {
            (Phase::MatchOver, _) => return false,
            (_, None) => Seat::BOTH.into_iter().for_each(|seat| self.ready(game, seat).unwrap()),
            (_, Some(turn)) => {
                let mut legal = self.shown(game, turn).view.legal;
                legal.pop();
                self.play(game, turn, legal[n % legal.len()]).unwrap();
            }
        }
        true
    }

    #[track_caller]
    pub(super) fn play_out(&self, game: GameId) {
        let steps = (0..10_000).take_while(|n| self.step(game, *n)).count();
        assert!(steps < 10_000, "the match ends");
    }

    pub(super) fn session(&self, game: GameId) -> Session {
        self.store.read().unwrap().get(&Key::of(game)).unwrap().unwrap()
    }

    pub(super) fn rounds(&self, game: GameId) -> Vec<Round> {
        self.store.read().unwrap().list(&Key::of(game), &Page::first(100)).unwrap().items
    }

    pub(super) fn frames(&self, game: GameId, seat: Seat, after: Option<u64>) -> Frames {
        self.service.frames(&self.store.read().unwrap(), self.player(seat), game, after, 10_000).unwrap()
    }

    /// The proof in the form of the route.
    pub(super) fn proof(&self, game: GameId) -> Value {
        let proof = history::proof(&self.store.read().unwrap(), &self.players[0], game).unwrap();
        let round = |round: &history::ProvenRound| {
            json!({
                "round": round.round,
                "server_seed": bytes_to_hex(&round.server_seed),
                "nonces": round.nonces.map(|nonce| nonce.map(|nonce| bytes_to_hex(&nonce))),
                "seed": bytes_to_hex(&round.seed),
                "options": round.options,
                "first_starter": round.first_starter,
                "actions": round.actions.iter()
                    .map(|(actor, action)| json!({"actor": actor, "action": action})).collect::<Vec<_>>(),
            })
        };
        json!({
            "game_id": proof.game_id.to_string(),
            "commitments": proof.commitments.iter().map(|bytes| bytes_to_hex(bytes)).collect::<Vec<_>>(),
            "rounds": proof.rounds.iter().map(round).collect::<Vec<_>>(),
        })
    }
}

/// The code of a refusal of the rules.
#[track_caller]
pub(super) fn refusal<T: std::fmt::Debug>(result: Result<T, Error>) -> Refusal {
    match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("the rules should refuse: {other:?}"),
    }
}
