//! The outward formats of the box, each against its other side: records against central's tables, and every
//! record's version against the bytes that were once written.

use std::path::Path;

use replication::admin::Admin;
use replication::catalogue::compare;
use replication::row::Table;
use replication::settings::Settings;
use whotbox::catalog;
use whotbox::upstream::custody::BUCKET_KEYS;
use whotbox::upstream::escrow::RECOVERY_KEYS;

use crate::support::postgres::Postgres;

/// The tables that the data model names (docs/reference/README.md), all of which the box must hold and send.
const MODEL: &[&str] = &[
    "identity.users",
    "identity.refresh_tokens",
    "identity.user_login_attempts",
    "identity.user_otps",
    "identity.influencers",
    "identity.referrals",
    "identity.earnings",
    "identity.user_influencer_codes",
    "customer.invites",
    "customer.relationships",
    "game.invites",
    "game.sessions",
    "chat.conversations",
    "chat.messages",
    "chat.audits",
];

fn described() -> Vec<&'static Table> {
    let logged = catalog::tables();
    let logged = logged.iter().filter_map(|info| info.upstream.map(|upstream| upstream.table));
    // And what is filled past the log.
    logged.chain([&BUCKET_KEYS, &RECOVERY_KEYS]).collect()
}

#[tokio::test]
async fn what_the_box_describes_is_what_central_has() {
    let database = Postgres::shared().database();
    let admin = Admin::new(Settings::parse(&database.admin_url(), Some(&database.ca_file())).unwrap());
    admin.migrate().await.unwrap();
    let found = compare(&admin, &described()).await.unwrap();
    assert!(found.is_empty(), "{}", found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    // And a column that central lost is named.
    database.sql("alter table chat.messages drop column read_at");
    let found = compare(&admin, &described()).await.unwrap();
    assert!(found.iter().any(|difference| difference.table == "chat.messages"), "{found:?}");
}

#[test]
fn every_table_of_the_data_model_is_held_and_sent() {
    let sent: Vec<String> = described().iter().map(|table| table.full_name()).collect();
    let missing: Vec<_> = MODEL.iter().filter(|name| !sent.contains(&(**name).to_owned())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_table_has_bytes_of_its_present_version() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/store");
    let golden = |name: &str, version: u8| folder.join(format!("{name}.v{version}.hex")).exists();
    let tables = catalog::tables();
    let missing: Vec<_> =
        tables.iter().filter(|info| !golden(info.id.name, info.version)).map(|info| info.id.name).collect();
    assert!(missing.is_empty(), "without golden bytes: {missing:?}");
}
