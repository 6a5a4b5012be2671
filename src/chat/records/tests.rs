//! The golden bytes of each record: what was stored once must be read for ever.

use crate::chat::records::holds::{Block, Release, TimeMark, WideHold};
use crate::chat::records::*;
use crate::chat::trail::{Acknowledged, Settled};
use crate::store::testing::golden;

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros((1_795_341_600 + second) * 1_000_000)
}

fn id<T: From<crate::base::id::RawId>>(n: u128) -> T {
    let uuid = uuid::Uuid::from_u128(0x019a_b3c0_0000_7000_8000_0000_0000_0000 + n);
    T::from(crate::base::id::RawId::from_uuid(uuid))
}

#[test]
fn conversations() {
    let sparse = Conversation {
        id: id(1),
        distributor_id: id(2),
        customer_id: "17".parse().unwrap(),
        hold: Hold::default(),
        last_seq: 0,
        last_message_at: None,
        archived: 0,
        unread_by_distributor: 0,
        unread_by_customer: 0,
        created_at: at(0),
    };
    let hold = Hold {
        active: true,
        reason: Some("court order 44/26".parse().unwrap()),
        placed_by: Some(id(3)),
        placed_at: Some(at(9)),
        grace_until: Some(at(10)),
        parked: true,
    };
    let full = Conversation {
        hold,
        last_seq: 300,
        last_message_at: Some(at(8)),
        archived: 299,
        unread_by_distributor: 4,
        unread_by_customer: 70_000,
        ..sparse.clone()
    };
    golden(&[full, sparse]);
}

#[test]
fn messages() {
    let sparse = Message {
        id: id(4),
        conversation_id: id(1),
        seq: 1,
        sender_id: id(2),
        client_digest: None,
        participants: None,
        archive: None,
        created_at: at(0),
        dated: true,
        expires_at: at(90),
        delivered_by: vec![],
        read_by: vec![id(2)],
        delivered_at: None,
        read_at: None,
        deleted_for: vec![],
        vanished_at: None,
        doomed_at: None,
        parked: false,
    };
    let copy = |n: u8| Some(StoredCopy::new(BucketId::from_bytes([n; 16]), &Sealed::from_stored(vec![n; 5])));
    let full = Message {
        seq: 300,
        client_digest: Some([7; 32]),
        participants: copy(1),
        archive: copy(2),
        dated: false,
        delivered_by: vec!["17".parse().unwrap()],
        read_by: vec![id(2), "17".parse().unwrap()],
        delivered_at: Some(at(1)),
        read_at: Some(at(2)),
        deleted_for: vec![id(2)],
        vanished_at: Some(at(3)),
        doomed_at: Some(at(4)),
        parked: true,
        ..sparse.clone()
    };
    golden(&[full, sparse]);
}

#[test]
fn audits() {
    let full = Audit {
        id: id(5),
        seq: 300,
        conversation_id: Some(id(1)),
        subject: Some(Scope::Relationship { distributor: id(2), customer: "17".parse().unwrap() }),
        moderator_id: id(3),
        action: Action::ReviewRefused,
        code: Code::Safety,
        reason: "court order 44/26".parse().unwrap(),
        at: at(0),
        prev_hash: [1; 32],
        hash: [2; 32],
    };
    let sparse = Audit { conversation_id: None, subject: None, seq: 1, prev_hash: [0; 32], ..full.clone() };
    golden(&[full, sparse]);
}

#[test]
fn audits_of_version_1_are_read() {
    let known = Audit {
        id: id(5),
        seq: 300,
        conversation_id: Some(id(1)),
        subject: None,
        moderator_id: id(3),
        action: Action::ReviewRefused,
        code: Code::Safety,
        reason: "court order 44/26".parse().unwrap(),
        at: at(0),
        prev_hash: [1; 32],
        hash: [2; 32],
    };
    let line = include_str!("../../../schemas/store/chat.audits.v1.hex").lines().next().unwrap();
    let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap();
    let stored: Vec<u8> = line.as_bytes().chunks(2).map(byte).collect();
    assert_eq!(crate::store::record::decode::<Audit>(known.key().as_bytes(), &stored).unwrap(), known);
}

#[test]
fn holds_releases_blocks_and_the_mark() {
    let hold = Hold {
        active: true,
        reason: Some("court order 44/26".parse().unwrap()),
        placed_by: Some(id(3)),
        placed_at: Some(at(9)),
        grace_until: None,
        parked: false,
    };
    let pair = Scope::Relationship { distributor: id(2), customer: "17".parse().unwrap() };
    let over = Hold { grace_until: Some(at(10)), ..Hold::default() };
    golden(&[WideHold { scope: pair, hold }, WideHold { scope: Scope::Distributor(id(2)), hold: over }]);
    let reason: crate::base::text::Reason = "the case is closed".parse().unwrap();
    golden(&[
        Release { scope: pair, requested_by: id(3), requested_at: at(1), reason: reason.clone() },
        Release { scope: Scope::Conversation(id(1)), requested_by: id(3), requested_at: at(1), reason },
    ]);
    golden(&[Block { conversation_id: id(1), user_id: "17".parse().unwrap(), blocked_at: at(2) }]);
    golden(&[TimeMark { trusted: Some(at(3)), heard: Some(at(4)) }]);
    let settled = Some(Settled { here: 4, links: 6 });
    golden(&[Acknowledged { seq: 5, hash: [7; 32], links: 5, at: at(5), settled }]);
}

#[test]
fn lists_of_users_are_json() {
    let Value::Json(json) = ({
        let user: UserId = "old:17@lagos".parse().unwrap();
        let row = Message {
            id: id(4),
            conversation_id: id(1),
            seq: 1,
            sender_id: user,
            client_digest: None,
            participants: None,
            archive: None,
            created_at: at(0),
            dated: true,
            expires_at: at(90),
            delivered_by: vec![],
            read_by: vec![user, id(2)],
            delivered_at: None,
            read_at: None,
            deleted_for: vec![],
            vanished_at: None,
            doomed_at: None,
            parked: false,
        };
        row.upstream_row().swap_remove(11)
    }) else {
        panic!("read_by is JSON")
    };
    let read: Vec<String> = serde_json::from_str(&json).unwrap();
    assert_eq!(read, ["old:17@lagos", "019ab3c0-0000-7000-8000-000000000002"]);
}

#[test]
fn destroyed_keys() {
    let of = |gone| destroyed::DestroyedKey { bucket: [7; 16], at: at(0), gone };
    golden(&[of(false), of(true)]);
}

#[test]
fn an_open_import() {
    golden(&[crate::chat::takeover::Opening { since: at(0) }]);
}
