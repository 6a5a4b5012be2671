//! Compares the tables a box describes with those that central has, so that neither changes alone.
//!
//! Must not change anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::admin::Admin;
use crate::encode::Param;
use crate::error::{Error, Moment, sort};
use crate::row::Table;

/// One difference; `table` is `schema.name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The table.
    pub table: String,
    /// What differs, in a sentence.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.table, self.what)
    }
}

/// Columns of one table: name to type and whether it may be NULL.
type Columns = BTreeMap<String, (String, bool)>;

const COLUMNS: &str = "
    select coalesce(string_agg(concat_ws(E'\\t', n.nspname || '.' || c.relname, a.attname,
               format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' else 'null' end), E'\\n'), '')
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relkind in ('r', 'p') and not c.relispartition and n.nspname::text = any($1)";

const FUNCTIONS: &str = "
    select coalesce(string_agg(n.nspname || '.' || p.proname || E'\\t' || array_to_string(p.proargnames, ','), E'\\n'), '')
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace where n.nspname::text = any($1)";

/// Every difference between `tables` and central: tables, columns, types, NULLs, and the functions that write them.
/// Tables of `replication` that no box describes are central's own and no difference.
///
/// # Errors
/// Whatever keeps us from asking.
pub async fn compare(admin: &Admin, tables: &[&Table]) -> Result<Vec<Difference>, Error> {
    let session = admin.session().await?;
    let schemas: Vec<&str> = tables.iter().map(|table| table.schema).collect::<BTreeSet<_>>().into_iter().collect();
    let mut texts = Vec::new();
    for query in [COLUMNS, FUNCTIONS] {
        let params: [Param<'_>; 1] = [Box::new(&schemas)];
        let row = session.row(query, &params).await;
        texts.push(row.and_then(|row| row.try_get::<_, String>(0)).map_err(|error| sort(&error, Moment::Before))?);
    }
    let [columns, functions] = texts.as_slice() else { return Ok(Vec::new()) };
    Ok(differences(tables, &read_columns(columns), &read_functions(functions)))
}

fn read_columns(text: &str) -> BTreeMap<String, Columns> {
    let mut found: BTreeMap<String, Columns> = BTreeMap::new();
    for line in text.lines() {
        if let [table, column, ty, null] = line.split('\t').collect::<Vec<_>>().as_slice() {
            let nullable = *null == "null";
            found.entry((*table).to_owned()).or_default().insert((*column).to_owned(), ((*ty).to_owned(), nullable));
        }
    }
    found
}

fn read_functions(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let split = |line: &str| {
        let (name, args) = line.split_once('\t')?;
        Some((name.to_owned(), args.split(',').map(str::to_owned).collect()))
    };
    text.lines().filter_map(split).collect()
}

fn differences(
    tables: &[&Table],
    found: &BTreeMap<String, Columns>,
    functions: &BTreeMap<String, BTreeSet<String>>,
) -> Vec<Difference> {
    let mut out = Vec::new();
    for table in tables {
        let name = table.full_name();
        let mut say = |what: String| out.push(Difference { table: name.clone(), what });
        match found.get(&name) {
            None => say("is not there".to_owned()),
            Some(columns) => {
                compare_columns(table, columns, &mut say);
                compare_functions(table, functions, &mut say);
            }
        }
    }
    for name in found.keys() {
        let known = tables.iter().any(|table| table.full_name() == *name);
        if !known && !name.starts_with("replication.") {
            out.push(Difference { table: name.clone(), what: "is described by no box".to_owned() });
        }
    }
    out
}

fn compare_columns(table: &Table, found: &Columns, say: &mut impl FnMut(String)) {
    let keys = [("box_id", "uuid", false), ("id", "text", false)];
    let described = table.columns.iter().map(|column| (column.name, column.ty.sql(), column.nullable));
    let expected: Vec<(&str, &str, bool)> = keys.into_iter().chain(described).collect();
    for (name, ty, nullable) in &expected {
        match found.get(*name) {
            None => say(format!("has no column {name}")),
            Some((is, _)) if is != ty => say(format!("has {name} as {is}, not as {ty}")),
            Some((_, is)) if is != nullable => {
                let (is, not) = if *is { ("nullable", "required") } else { ("required", "nullable") };
                say(format!("has {name} {is}, not {not}"));
            }
            Some(_) => {}
        }
    }
    for name in found.keys() {
        if !expected.iter().any(|(column, _, _)| column == name) {
            say(format!("has a column {name} that no box describes"));
        }
    }
}

fn compare_functions(table: &Table, functions: &BTreeMap<String, BTreeSet<String>>, say: &mut impl FnMut(String)) {
    let named = |verb: &str| functions.get(&format!("{}.{verb}_{}", table.schema, table.name));
    let expected: BTreeSet<String> =
        table.columns.iter().map(|column| column.name.to_owned()).chain(["ids".to_owned()]).collect();
    match named("put") {
        None => say("has no function to put rows".to_owned()),
        Some(args) if *args != expected => say("has a put function of other arguments".to_owned()),
        Some(_) => {}
    }
    let deletes = named("drop").is_some() && named("keep").is_some();
    if deletes == table.append_only {
        say(if deletes { "can be deleted from, but is append-only" } else { "cannot be deleted from" }.to_owned());
    }
}
