//! Whether central holds exactly what the box holds: every table, every row, every column.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use whotbox::app::{App, Parts};
use whotbox::base::entropy::OsEntropy;
use whotbox::base::time::SystemClock;
use whotbox::catalog;
use whotbox::config::Given;
use whotbox::config::secrets::OldVariables;
use whotbox::store::meta::lane_head;
use whotbox::store::read::{Range, Read as _, Space};

use replication::row::{Lane, Table, Type, Value};

use crate::support::postgres::Database;

/// The rows of one table by id.
type Rows = BTreeMap<String, Vec<Json>>;

/// Opens a stopped box's folder, and says where it and central differ; empty if nowhere. The number is how many rows were compared.
pub(crate) fn differences(folder: &Path, central: &Database) -> (Vec<String>, usize) {
    let app = open(folder);
    let box_id = app.box_id.to_string();
    let snapshot = app.store.read().unwrap();
    let (mut found, mut rows) = (Vec::new(), 0);
    for info in catalog::tables() {
        let Some(upstream) = info.upstream else { continue };
        let range = Range::prefix(info.id.number.to_be_bytes().to_vec(), false);
        let stored = snapshot.raw_scan(Space::Rows, &range, 1_000_000).unwrap();
        let rendered = stored.iter().map(|(key, stored)| (info.upstream_row)(&key[2..], stored).unwrap());
        let ours: Rows = rendered.map(|(id, values)| (id, values.iter().map(json_of).collect())).collect();
        let theirs = central_rows(central, upstream.table, &box_id);
        rows += ours.len();
        for id in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
            if ours.get(id) != theirs.get(id) {
                found.push(format!("{} {id}: box {:?}, central {:?}", info.id.name, ours.get(id), theirs.get(id)));
            }
        }
    }
    (found, rows)
}

/// The heads of the box's log and the cursors at central, by lane.
pub(crate) fn heads_and_cursors(folder: &Path, central: &Database) -> [BTreeMap<String, u64>; 2] {
    let app = open(folder);
    let snapshot = app.store.read().unwrap();
    let heads = Lane::ALL.map(|lane| (lane.name().to_owned(), lane_head(&snapshot, lane).unwrap().seq));
    let sql = format!("select lane || '=' || seq from replication.cursors where box_id = '{}'", app.box_id);
    let text = central.sql(&sql);
    let cursors = text.lines().map(|line| line.split_once('=').unwrap());
    [heads.into(), cursors.map(|(lane, seq)| (lane.to_owned(), seq.parse().unwrap())).collect()]
}

fn open(folder: &Path) -> Arc<App> {
    let config = Given { data_dir: Some(folder.join("data")), ..Given::default() }.complete().unwrap();
    let (clock, entropy) = (Arc::new(SystemClock::new()), Arc::new(OsEntropy));
    App::open(config, Parts { clock, entropy, old: OldVariables::default(), medium: None }).unwrap()
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Text(text) => json!(text),
        Value::BigInt(number) | Value::Time(number) => json!(number),
        Value::Bool(truth) => json!(truth),
        Value::Bytes(bytes) => json!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        Value::Json(text) => serde_json::from_str(text).unwrap(),
    }
}

fn central_rows(central: &Database, table: &Table, box_id: &str) -> Rows {
    let columns = table.columns.iter().map(|column| match column.ty {
        Type::Text | Type::BigInt | Type::Bool | Type::Json => column.name.to_owned(),
        Type::Bytes => format!("encode({}, 'hex')", column.name),
        Type::Time => format!("(extract(epoch from {}) * 1000000)::bigint", column.name),
    });
    let (name, columns) = (table.full_name(), columns.collect::<Vec<_>>().join(", "));
    let sql = format!("select json_build_array(id, {columns})::text from {name} where box_id = '{box_id}'");
    let text = central.sql(&sql);
    let row = |line| serde_json::from_str::<Vec<Json>>(line).unwrap_or_else(|error| panic!("{name}: {error}: {line}"));
    text.lines().map(row).map(|mut row| (row.remove(0).as_str().unwrap().to_owned(), row)).collect()
}
