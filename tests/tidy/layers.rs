//! Who may name whom: modules, crates, records. Must not know how a source is scanned.

use super::source::{Path, Source};
use super::{Violation, at};

/// The layers, lowest first. Modules of one layer never meet.
const LAYERS: &[&[&str]] = &[
    &["base"],
    &["whot"],
    &["store"],
    &["identity"],
    &["customer"],
    &["chat", "game", "ledger"],
    &["catalog"],
    &["live", "mdns", "system"],
    &["config"],
    &["app"],
    &["backup"],
    &["upstream"],
    &["moving"],
    &["jobs"],
    &["doctor"],
    &["http"],
    &["cli"],
    &["main"],
];

/// Crates, and types of the clock, with the only places that may name them.
const OWNERS: &[(&[&str], &[&str])] = &[
    (&["redb"], &["src/store/"]),
    (&["bincode"], &["src/store/record.rs"]),
    (&["chacha20poly1305"], &["src/base/aead.rs"]),
    (&["age"], &["src/base/recovery.rs"]),
    (&["aes"], &["src/base/fernet.rs"]),
    (&["cbc"], &["src/base/fernet.rs"]),
    (&["bcrypt"], &["src/identity/old_passwords.rs"]),
    (&["rusqlite"], &["src/moving/source/"]),
    (&["getrandom"], &["src/base/entropy.rs"]),
    (&["tokio_postgres"], &["replication/"]),
    (&["tokio_postgres_rustls"], &["replication/"]),
    (&["refinery"], &["replication/"]),
    (&["warp"], &["src/http/"]),
    (&["std", "time", "SystemTime"], &["src/base/time.rs"]),
    (&["std", "time", "Instant"], &["src/base/time.rs"]),
    (&["tokio", "time", "Instant"], &["src/base/time.rs"]),
];

/// The leaf crate's plain data, which records state their upstream form with.
const UPSTREAM_FORM: &[&str] = &["replication", "row"];

/// The modules whose tables are their own.
const DOMAINS: &[&str] = &["identity", "customer", "chat", "game"];

fn rank(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Paths of the code that ships; tests may reach anywhere.
fn shipped(source: &Source) -> impl Iterator<Item = Path> {
    source.paths().into_iter().filter(|path| !path.test)
}

/// A module uses only modules of lower layers.
pub(crate) fn order(source: &Source) -> Vec<Violation> {
    let Some(own) = source.module().filter(|module| *module != "lib") else { return vec![] };
    let Some(mine) = rank(own) else {
        return vec![at(1, format!("module {own} has no place in the layer order"))];
    };
    let mut found = vec![];
    for path in shipped(source) {
        let [root, used, ..] = path.segments.as_slice() else { continue };
        if !["crate", "whotbox"].contains(&root.as_str()) || used == own {
            continue;
        }
        match rank(used) {
            Some(theirs) if theirs < mine => {}
            Some(_) => found.push(at(path.line, format!("{own} may not use {used}: it is not in a lower layer"))),
            None => found.push(at(path.line, format!("{used} is no module of the layer order"))),
        }
    }
    found
}

/// A crate, or the clock, is named only where it is owned.
pub(crate) fn owners(source: &Source) -> Vec<Violation> {
    if !source.path.starts_with("src/") && !source.path.starts_with("replication/") {
        return vec![];
    }
    let mut found = vec![];
    for path in shipped(source) {
        for (what, places) in OWNERS {
            if path.starts(what) && !places.iter().any(|place| source.path.starts_with(place)) {
                found.push(at(path.line, format!("{} is named only in {}", what.join("::"), places.join(", "))));
            }
        }
        let below_upstream = source.module().and_then(rank) < rank("upstream");
        if path.starts(&["replication"]) && !path.starts(UPSTREAM_FORM) && below_upstream && source.module().is_some() {
            found.push(at(path.line, "below upstream only replication::row may be named: it is plain data".to_owned()));
        }
        if source.path.starts_with("replication/") && path.starts(&["whotbox"]) {
            found.push(at(path.line, "replication is a leaf and knows nothing of the box".to_owned()));
        }
    }
    found
}

/// A domain's records are named in that domain, and in the list of all tables.
pub(crate) fn records(source: &Source) -> Vec<Violation> {
    let Some(own) = source.module() else { return vec![] };
    let mut found = vec![];
    for path in shipped(source) {
        let [root, domain, file, ..] = path.segments.as_slice() else { continue };
        let foreign = root == "crate" && file == "records" && domain != own && own != "catalog";
        if foreign && DOMAINS.contains(&domain.as_str()) {
            found.push(at(path.line, format!("{own} names a record of {domain}: call a function of {domain} instead")));
        }
    }
    found
}

mod tests {
    use super::*;
    use crate::tidy::{silent, speaks};

    #[test]
    fn the_order_holds_both_ways() {
        speaks(order, "src/whot/deal.rs", "use crate::store::Tx;");
        speaks(order, "src/chat/mod.rs", "use crate::{base::id::Id, game::Game};");
        speaks(order, "src/game.rs", "fn f() { crate::chat::send() }");
        speaks(order, "src/util/mod.rs", "fn f() {}");
        speaks(order, "src/store/tx.rs", "use crate::base::{self, time};\nuse crate::elsewhere::X;");
        silent(order, "src/chat/mod.rs", "use crate::{base::id::Id, customer, store::Tx}; use crate::chat::seal;");
        silent(order, "src/main.rs", "use whotbox::cli; fn main() { whotbox::cli::run() }");
        silent(order, "src/whot/deal.rs", "// use crate::store::Tx;\nconst S: &str = \"crate::store::Tx\";");
        silent(order, "src/whot/deal.rs", "#[cfg(test)]\nmod tests { use crate::store::Tx; }");
    }

    #[test]
    fn a_crate_stays_with_its_owner() {
        speaks(owners, "src/chat/mod.rs", "use redb::Database;");
        speaks(owners, "src/store/tx.rs", "fn f() { bincode::serde::encode() }");
        speaks(owners, "src/app.rs", "use {std::io, warp::Filter};");
        speaks(owners, "src/jobs/mod.rs", "use std::time::{Duration, Instant};");
        speaks(owners, "src/chat/mod.rs", "use replication::client::Client;");
        speaks(owners, "replication/src/lib.rs", "use whotbox::base::id::Id;");
        silent(owners, "src/store/engine.rs", "use redb::Database; use replication::row::Lane;");
        silent(owners, "src/upstream/mod.rs", "use replication::client::Client;");
        silent(owners, "src/jobs/mod.rs", "use std::time::Duration; use crate::base::time::Instant;");
        silent(owners, "src/jobs/mod.rs", "/* use redb::Database; */ fn redb() { r#\"redb::Database\"#; }");
        silent(owners, "src/jobs/mod.rs", "#[cfg(test)] mod tests { use std::time::Instant; }");
    }

    #[test]
    fn records_stay_at_home() {
        speaks(records, "src/chat/mod.rs", "use crate::identity::records::User;");
        speaks(records, "src/upstream/mod.rs", "use crate::{chat::{self, records::Message}};");
        silent(records, "src/identity/users.rs", "use crate::identity::records::User;");
        silent(records, "src/catalog.rs", "use crate::identity::records::User;");
        silent(records, "src/chat/mod.rs", "use crate::identity::User;");
    }
}
