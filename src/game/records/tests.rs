//! The golden bytes of each record: what was stored once must be read for ever.

use super::*;
use crate::store::record::decode;
use crate::store::testing::golden;
use crate::whot::action::{Action, Actor};
use crate::whot::card::Seat;
use crate::whot::matches::Match;
use crate::whot::options::Preset;
use crate::whot::shuffle::Seed;

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros((1_795_341_600 + second) * 1_000_000)
}

fn id<T: From<crate::base::id::RawId>>(n: u128) -> T {
    let uuid = uuid::Uuid::from_u128(0x019a_b3c0_0000_7000_8000_0000_0000_0000 + n);
    T::from(crate::base::id::RawId::from_uuid(uuid))
}

fn options() -> StoredOptions {
    Options::preset(Preset::Strict).to_stored()
}

/// A match in which a few cards have been drawn, so that most fields hold something.
fn dealt() -> StoredMatch {
    let (mut game, _) = Match::start(Options::preset(Preset::Nigerian), Seat::One, Seed([3; 32]));
    for _ in 0..4 {
        let turn = game.turn_of().unwrap();
        let action = game.legal(turn)[0];
        game.apply(Actor::Seat(turn), &action).unwrap();
    }
    game.to_stored()
}

fn over() -> StoredMatch {
    let (mut game, _) = Match::start(Options::preset(Preset::Quick), Seat::One, Seed([4; 32]));
    game.apply(Actor::Seat(Seat::Zero), &Action::Resign).unwrap();
    game.to_stored()
}

#[test]
fn invites() {
    let sparse = GameInvite {
        id: id(1),
        sender_id: id(2),
        sender_username: "ada".parse().unwrap(),
        recipient_id: "17".parse().unwrap(),
        recipient_username: "bola".parse().unwrap(),
        options: options(),
        first_starter: 1,
        game_id: id(3),
        commitment: [1; 32],
        seed_sealed: vec![9; 72],
        nonces: [None; 2],
        state: InviteState::Pending,
        rematch_of: None,
        expires_at: at(90),
        created_at: at(0),
        answered_at: None,
    };
    let full = GameInvite {
        nonces: [Some([5; 32]), Some([6; 32])],
        state: InviteState::Accepted,
        rematch_of: Some(id(4)),
        answered_at: Some(at(7)),
        ..sparse.clone()
    };
    golden(&[full, sparse]);
}

#[test]
fn sessions() {
    let seat = |user_id, name: &str| Seated { user_id, username: name.parse().unwrap() };
    let sparse = Session {
        id: id(3),
        seats: [seat(Some(id(2)), "ada"), seat(None, "bot")],
        bot_level: Some(BotLevel::Hard),
        board: Board::Waiting { options: options(), first_starter: 1 },
        log: vec![],
        reconnect: [Reconnect::default(); 2],
        void: false,
        created_at: at(0),
        updated_at: at(0),
        ended_at: None,
    };
    let token = Reconnect { generation: 300, digest: Some([7; 32]), session: Some(id(8)), expires_at: Some(at(90)) };
    let full = Session {
        seats: [seat(Some(id(2)), "ada"), seat(Some("17".parse().unwrap()), "bola")],
        bot_level: None,
        board: Board::Dealt(dealt()),
        log: vec![
            Logged { actor: 1, code: 300, client: Some([1, 2, 3, 4, 5, 6, 7, 8]) },
            Logged { actor: 2, code: 131, client: None },
        ],
        reconnect: [token, Reconnect::default()],
        ..sparse.clone()
    };
    let ended = Session { board: Board::Dealt(over()), log: vec![], void: true, ended_at: Some(at(9)), ..full.clone() };
    let scores = OldScores { points: [70, 300], winner: Some(0), top_card: Some("7 of stars".to_owned()) };
    let closed = Session { board: Board::Closed { options: options(), scores }, ..ended.clone() };
    golden(&[full.clone(), sparse.clone(), ended.clone(), closed]);
    // What the first version wrote is read as it was.
    let first = include_str!("../../../schemas/store/game.sessions.v1.hex");
    for (line, sample) in first.lines().zip([full, sparse, ended]) {
        let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap();
        let bytes: Vec<u8> = line.as_bytes().chunks(2).map(byte).collect();
        assert!(decode::<Session>(sample.key().as_bytes(), &bytes).unwrap() == sample);
    }
}

#[test]
fn rounds() {
    let sparse = Round {
        game_id: id(3),
        round: 1,
        commitment: [1; 32],
        server_seed: ServerSeed::Sealed(vec![9; 72]),
        nonces: [None; 2],
        ready: [false, true],
        before: None,
        seed: None,
        starter: None,
        actions: vec![],
        result: None,
        started_at: None,
        ended_at: None,
    };
    let full = Round {
        round: 300,
        server_seed: ServerSeed::Open([2; 32]),
        nonces: [Some([5; 32]), Some([6; 32])],
        before: Some(over()),
        seed: Some([3; 32]),
        starter: Some(1),
        actions: vec![Logged { actor: 1, code: 130, client: Some([8; 8]) }],
        result: Some("{\"round\":300}".to_owned()),
        started_at: Some(at(1)),
        ended_at: Some(at(2)),
        ..sparse.clone()
    };
    golden(&[full, sparse]);
}

#[test]
fn standings() {
    let full = Standing { period: 2964, user_id: id(2), username: "ada".parse().unwrap(), won: 300, played: 70_000 };
    golden(&[Standing { period: 0, won: 0, played: 0, ..full.clone() }, full]);
}

#[test]
fn pairs() {
    let full = Pair {
        low: "17".parse().unwrap(),
        high: id(2),
        played: 70_000,
        won: [300, 69_700],
        rounds_won: [70_001, 139_400],
        points: [5_000_000_000, 12],
        last_game_id: id(3),
        last_ended_at: at(9),
    };
    golden(&[Pair { played: 0, won: [0; 2], rounds_won: [0; 2], points: [0; 2], ..full.clone() }, full]);
}

#[test]
fn a_pair_is_one_row_in_whatever_order_it_is_named() {
    let (ada, bola): (UserId, UserId) = (id(2), "17".parse().unwrap());
    let key = Pair::key_of(ada, bola);
    assert_eq!(key.as_bytes(), Pair::key_of(bola, ada).as_bytes());
    let upstream = Pair::upstream_id(key.as_bytes()).unwrap();
    assert_eq!(upstream, format!("{}.{}", ada.min(bola), ada.max(bola)));
    assert_eq!(Pair::upstream_id(&key.as_bytes()[1..]), None);
}

#[test]
fn the_seed_of_a_live_round_stays_at_home() {
    let live = Round {
        game_id: id(3),
        round: 1,
        commitment: [1; 32],
        server_seed: ServerSeed::Sealed(vec![9; 72]),
        nonces: [None; 2],
        ready: [false; 2],
        before: None,
        seed: Some([3; 32]),
        starter: Some(1),
        actions: vec![],
        result: None,
        started_at: Some(at(1)),
        ended_at: None,
    };
    let seed = |round: &Round| round.upstream_row().swap_remove(7);
    assert_eq!(seed(&live), Value::Null);
    let open = Round { server_seed: ServerSeed::Open([2; 32]), ..live };
    assert_eq!(seed(&open), Value::Bytes(vec![3; 32]), "the control");
}

#[test]
fn nothing_that_is_printed_shows_a_card() {
    let session = Session {
        id: id(3),
        seats: [1, 2].map(|n| Seated { user_id: Some(id(n)), username: "ada".parse().unwrap() }),
        bot_level: None,
        board: Board::Dealt(dealt()),
        log: vec![],
        reconnect: [Reconnect::default(); 2],
        void: false,
        created_at: at(0),
        updated_at: at(0),
        ended_at: None,
    };
    let printed = format!("{session:?}");
    assert!(!printed.contains("hands") && !printed.contains("board") && !printed.contains("seats"), "{printed}");
}
