//! What an erasure leaves of an account, and the golden bytes of its row.

use super::*;
use crate::identity::testing::user;
use crate::store::testing::{golden, store};

#[test]
fn erasures_have_golden_bytes() {
    let at = |second: i64| Timestamp::from_micros((1_795_341_600 + second) * 1_000_000);
    let open = Erasure {
        user_id: "17".parse().unwrap(),
        requested_at: at(0),
        held_at: None,
        wiped_at: None,
        finished_at: None,
    };
    let done = Erasure { held_at: Some(at(1)), wiped_at: Some(at(2)), finished_at: Some(at(3)), ..open.clone() };
    golden(&[done, open]);
}

#[test]
fn a_wiped_account_tells_nothing_and_its_name_is_free() {
    let (store, _) = store();
    let chidi = user(&store, "chidi", Role::Customer).id;
    let wiped = store.write_blocking(move |tx: &mut Tx<'_>, now| {
        let row = tx.get::<User>(&Key::of(chidi))?.unwrap();
        let phone_sealed = Some(vec![1; 40]);
        tx.put(&User { phone_sealed, alias: Some("Chidi the Great".parse().unwrap()), vip_enabled: true, ..row })?;
        tx.put(&Erasure { user_id: chidi, requested_at: now, held_at: None, wiped_at: None, finished_at: None })?;
        let (first, again) = (wipe(tx, now, chidi)?, wipe(tx, now, chidi)?);
        assert_eq!(first, again, "the second time gives the name of the first");
        Ok::<_, Error>(first)
    });
    let (name, read) = (wiped.unwrap(), store.read().unwrap());
    let row = read.get::<User>(&Key::of(chidi)).unwrap().unwrap();
    assert_eq!((row.username, row.alias, row.phone_sealed, row.vip_enabled), (name.clone(), None, None, false));
    assert!(name.as_str().starts_with("erased-"), "{name}");
    assert!(users::by_username(&read, &"chidi".parse().unwrap()).unwrap().is_none());
    assert_eq!(open(&read, 10).unwrap(), [chidi]);
}

#[test]
fn nothing_is_wiped_that_nobody_asked_for() {
    let (store, _) = store();
    let chidi = user(&store, "chidi", Role::Customer).id;
    let refused = store.write_blocking(move |tx: &mut Tx<'_>, now| wipe(tx, now, chidi));
    assert_eq!(refused.unwrap_err(), Error::NotFound);
}
