//! Invites: who may answer, once, in time; and rematches.

use serde_json::json;

use super::table::{NONCES, Table, options, table};
use crate::base::id::GameInviteId;
use crate::game::error::Error;
use crate::game::invites::{self, INVITE_LIFE, MAX_OPEN_INVITES, NewInvite, Side};
use crate::game::records::InviteState;
use crate::identity::testing::{caller, set_status, user};
use crate::identity::users::{Role, Status};
use crate::store::page::Page;
use crate::whot::action::Action;
use crate::whot::card::Seat;

fn invite(table: &Table, to: &str) -> Result<GameInviteId, Error> {
    let (ada, recipient) = (table.players[0].player().unwrap(), to.parse().unwrap());
    let input = NewInvite { recipient, options: options(&json!({})) };
    table.run(move |service, tx, now| service.invite(tx, now, &ada, &input))
}

fn accept(table: &Table, seat: Seat, id: GameInviteId) -> Result<crate::base::id::GameId, Error> {
    let who = table.player(seat).player().unwrap();
    table.run(move |service, tx, now| service.accept(tx, now, &who, id, None))
}

fn state(table: &Table, id: GameInviteId) -> InviteState {
    let read = table.store.read().unwrap();
    invites::show(&read, crate::base::time::Clock::now(&*table.clock), &table.players[0], id).unwrap().state
}

#[test]
fn only_players_of_this_box_are_invited_and_never_oneself() {
    let table = table();
    user(&table.store, "staff", Role::Moderator);
    let gone = user(&table.store, "gone", Role::Customer);
    set_status(&table.store, gone.id, Status::Suspended);
    assert!(matches!(invite(&table, "ada"), Err(Error::SelfInvite)));
    for name in ["nobody", "staff", "gone"] {
        assert!(matches!(invite(&table, name), Err(Error::UnknownPlayer)), "{name}");
    }
    assert!(invite(&table, "bola").is_ok());
}

#[test]
fn the_recipient_alone_accepts_and_once() {
    let table = table();
    let id = invite(&table, "bola").unwrap();
    assert!(matches!(accept(&table, Seat::Zero, id), Err(Error::NotFound)), "the sender cannot");
    let game = accept(&table, Seat::One, id).unwrap();
    assert_eq!(table.shown(game, Seat::One).view.turn, Some(Seat::One), "the invited player starts");
    assert!(matches!(accept(&table, Seat::One, id), Err(Error::InviteAnswered)));
    assert_eq!(state(&table, id), InviteState::Accepted);
}

#[test]
fn declined_and_cancelled_invites_stay_so() {
    let table = table();
    let (first, second) = (invite(&table, "bola").unwrap(), invite(&table, "bola").unwrap());
    let [ada, bola] = table.players.clone().map(|caller| caller.player().unwrap());
    let (ada2, bola2) = (ada.clone(), bola.clone());
    assert!(
        table.run(move |_, tx, now| invites::cancel(tx, now, &bola2, first)).is_err(),
        "not the recipient's to cancel"
    );
    assert!(
        table.run(move |_, tx, now| invites::decline(tx, now, &ada2, second)).is_err(),
        "not the sender's to decline"
    );
    table.run(move |_, tx, now| invites::cancel(tx, now, &ada, first)).unwrap();
    table.run(move |_, tx, now| invites::decline(tx, now, &bola, second)).unwrap();
    assert_eq!((state(&table, first), state(&table, second)), (InviteState::Cancelled, InviteState::Declined));
    assert!(matches!(accept(&table, Seat::One, first), Err(Error::InviteAnswered)));
}

#[test]
fn an_invite_expires() {
    let table = table();
    let id = invite(&table, "bola").unwrap();
    table.clock.advance(INVITE_LIFE);
    assert_eq!(state(&table, id), InviteState::Expired, "at once, by the clock");
    assert!(matches!(accept(&table, Seat::One, id), Err(Error::InviteExpired)));
    let swept = table.store.write_blocking(|tx, now| invites::expire(tx, now, 10));
    assert_eq!(swept, Ok(1));
    assert!(!invites::expiry_due(&table.store.read().unwrap(), crate::base::time::Clock::now(&*table.clock)).unwrap());
    assert!(matches!(accept(&table, Seat::One, id), Err(Error::InviteExpired)));
}

#[test]
fn open_invites_are_bounded_and_answered_ones_do_not_count() {
    let table = table();
    let ids: Vec<_> = (0..MAX_OPEN_INVITES).map(|_| invite(&table, "bola").unwrap()).collect();
    assert!(matches!(invite(&table, "bola"), Err(Error::TooManyInvites)));
    accept(&table, Seat::One, ids[0]).unwrap();
    assert!(invite(&table, "bola").is_ok());
}

#[test]
fn both_sides_see_it_and_nobody_else() {
    let table = table();
    let id = invite(&table, "bola").unwrap();
    let (read, now) = (table.store.read().unwrap(), crate::base::time::Clock::now(&*table.clock));
    let list = |seat: Seat, side| {
        let player = table.player(seat).player().unwrap();
        invites::of_player(&read, now, &player, side, &Page::newest(9)).unwrap().items.len()
    };
    assert_eq!([list(Seat::Zero, Side::Sent), list(Seat::One, Side::Received)], [1, 1]);
    assert_eq!([list(Seat::Zero, Side::Received), list(Seat::One, Side::Sent)], [0, 0]);
    let stranger = caller(&user(&table.store, "chidi", Role::Distributor));
    assert!(matches!(invites::show(&table.store.read().unwrap(), now, &stranger, id), Err(Error::NotFound)));
}

#[test]
fn the_loser_deals_the_rematch_and_asking_twice_is_one_invite() {
    for loser in Seat::BOTH {
        for asking in Seat::BOTH {
            let table = table();
            let game = table.open(options(&json!({})));
            let who = table.player(asking).player().unwrap();
            let ask = || {
                let who = who.clone();
                table.run(move |service, tx, now| service.rematch(tx, now, &who, game))
            };
            assert!(matches!(ask(), Err(Error::NotOver)));
            table.play(game, loser, Action::Resign).unwrap();
            let id = ask().unwrap();
            assert_eq!(ask().unwrap(), id);
            let again = accept(&table, asking.other(), id).unwrap();
            let turn = table.shown(again, asking).view.turn.unwrap();
            let starts = table.player(loser.other()).id();
            let on_turn = table.session(again).seats[usize::from(turn.index())].user_id;
            assert_eq!(on_turn, Some(starts), "loser {loser:?}, asked by {asking:?}");
        }
    }
}

#[test]
fn both_shares_are_in_the_first_shuffle() {
    let table = table();
    let game = table.open(options(&json!({})));
    assert_eq!(table.rounds(game)[0].nonces, NONCES.map(Some));
    let id = invite(&table, "bola").unwrap();
    let bare = accept(&table, Seat::One, id).unwrap();
    assert_eq!(table.rounds(bare)[0].nonces, [None, None]);
}
