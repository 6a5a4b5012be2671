//! The golden bytes of each record.

use crate::base::id::RawId;
use crate::identity::codes::Pending;
use crate::identity::legacy::{Earning, Influencer, Referral, UserInfluencerCode};
use crate::identity::records::*;
use crate::store::testing::golden;

fn at(second: i64) -> Timestamp {
    Timestamp::from_micros((1_795_341_600 + second) * 1_000_000)
}

fn id<T: From<RawId>>(n: u128) -> T {
    T::from(RawId::from_uuid(uuid::Uuid::from_u128(0x019a_b3c0_0000_7000_8000_0000_0000_0000 + n)))
}

#[test]
fn users() {
    let sparse = User {
        id: "17".parse().unwrap(),
        username: "chidi".parse().unwrap(),
        role: Role::Customer,
        account_type: AccountType::Customer,
        distributor_id: None,
        alias: None,
        phone_sealed: None,
        phone_digest: None,
        phone_verified: false,
        vip_enabled: false,
        status: Status::Active,
        must_change_password: false,
        password_hash: String::new(),
        created_at: at(0),
        updated_at: at(1),
    };
    let full = User {
        id: id(1),
        role: Role::Moderator,
        account_type: AccountType::Staff,
        distributor_id: Some(id(2)),
        alias: Some("Mama Put".parse().unwrap()),
        phone_sealed: Some(vec![1; 53]),
        phone_digest: Some([2; 32]),
        phone_verified: true,
        vip_enabled: true,
        status: Status::Erased,
        must_change_password: true,
        password_hash: "$argon2id$v=19$m=19456,t=2,p=1$AA$AA".to_owned(),
        ..sparse.clone()
    };
    golden(&[full, sparse]);
}

#[test]
fn sessions() {
    let sparse = Session {
        id: id(1),
        user_id: id(2),
        generation: 1,
        token_digest: [1; 32],
        previous_digest: None,
        rotated_at: None,
        created_at: at(0),
        last_used_at: at(0),
        expires_at: at(10),
        idle_expires_at: at(5),
        revoked_at: None,
        revoke_reason: None,
    };
    let full = Session {
        generation: 70_000,
        previous_digest: Some([2; 32]),
        rotated_at: Some(at(2)),
        revoked_at: Some(at(3)),
        revoke_reason: Some(RevokeReason::Erased),
        ..sparse.clone()
    };
    golden(&[full, sparse]);
}

#[test]
fn attempts() {
    let sparse = Attempt {
        id: id(1),
        username: "?a1b2c3d4".to_owned(),
        user_id: None,
        outcome: Outcome::UnknownUser,
        address: None,
        at: at(0),
    };
    let full = Attempt {
        username: "chidi".to_owned(),
        user_id: Some(id(2)),
        outcome: Outcome::WrongCode,
        address: Some("192.168.4.7".to_owned()),
        ..sparse.clone()
    };
    golden(&[full, sparse]);
}

#[test]
fn one_time_codes() {
    let sparse = Otp {
        id: id(1),
        user_id: id(2),
        purpose: OtpPurpose::PasswordReset,
        code_digest: [3; 32],
        tries: 0,
        sender: SenderKind::Owner,
        created_at: at(0),
        expires_at: at(600),
        used_at: None,
    };
    let (purpose, sender) = (OtpPurpose::VerifyPhone, SenderKind::Webhook);
    golden(&[Otp { purpose, sender, tries: 5, used_at: Some(at(9)), ..sparse.clone() }, sparse]);
    let sparse = Pending {
        id: id(1),
        user_id: id(2),
        purpose: OtpPurpose::PasswordReset,
        sender: SenderKind::Owner,
        sealed: vec![4; 46],
        created_at: at(0),
        expires_at: at(600),
        posts: 0,
        post_at: None,
    };
    golden(&[Pending { purpose, sender, posts: 3, post_at: Some(at(7)), ..sparse.clone() }, sparse]);
}

#[test]
fn legacy_rows() {
    let legacy = || "7".parse().unwrap();
    let (text, extra) = (|| Some("text".to_owned()), || r#"{"more":1}"#.to_owned());
    golden(&[
        Influencer {
            id: legacy(),
            user_id: Some(id(1)),
            name: text(),
            code: text(),
            status: text(),
            created_at: Some(at(0)),
            extra: extra(),
        },
        Influencer {
            id: legacy(),
            user_id: None,
            name: None,
            code: None,
            status: None,
            created_at: None,
            extra: "no json".to_owned(),
        },
    ]);
    golden(&[Referral {
        id: legacy(),
        influencer_id: Some(legacy()),
        referred_user_id: Some(id(1)),
        code: text(),
        status: text(),
        created_at: Some(at(0)),
        extra: extra(),
    }]);
    golden(&[Earning {
        id: legacy(),
        influencer_id: Some(legacy()),
        referral_id: Some(legacy()),
        amount_minor: Some(-150),
        currency: text(),
        status: text(),
        created_at: Some(at(0)),
        extra: extra(),
    }]);
    golden(&[UserInfluencerCode {
        id: legacy(),
        user_id: Some(id(1)),
        influencer_id: Some(legacy()),
        code: text(),
        created_at: Some(at(0)),
        extra: extra(),
    }]);
}
