//! The golden bytes of each record.

use crate::base::id::RawId;
use crate::customer::records::*;
use crate::store::testing::golden;

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros((1_795_341_600 + second) * 1_000_000)
}

fn id<T: From<RawId>>(n: u128) -> T {
    T::from(RawId::from_uuid(uuid::Uuid::from_u128(0x019a_b3c0_0000_7000_8000_0000_0000_0000 + n)))
}

#[test]
fn invites() {
    let sparse = Invite {
        id: id(1),
        token_digest: [1; 32],
        code_digest: [2; 32],
        code_round: 0,
        distributor_id: id(2),
        distributor_alias: None,
        state: InviteState::Open,
        expires_at: at(600),
        redeemed_by_user_id: None,
        redeemed_at: None,
        revoked_at: None,
        created_at: at(0),
    };
    let full = Invite {
        code_round: 3,
        distributor_alias: Some("Mama Put".parse().unwrap()),
        state: InviteState::Revoked,
        redeemed_by_user_id: Some("17".parse().unwrap()),
        redeemed_at: Some(at(3)),
        revoked_at: Some(at(4)),
        ..sparse.clone()
    };
    golden(&[full, sparse]);
}

#[test]
fn relationships() {
    let sparse = Relationship {
        id: id(1),
        customer_id: "17".parse().unwrap(),
        distributor_id: id(2),
        customer_username: "chidi".parse().unwrap(),
        distributor_alias: None,
        created_at: at(0),
        ended_at: None,
    };
    let alias = Some("Mama Put".parse().unwrap());
    golden(&[Relationship { distributor_alias: alias, ended_at: Some(at(9)), ..sparse.clone() }, sparse]);
}
