//! A batch or a slice as the statements that carry it out.
//!
//! Must not know a connection. The functions called here are written by `replication.add_writing()` in `schemas/postgres`.

use crate::encode::{self, Param};
use crate::error::Error;
use crate::row::{Batch, Column, RECORD, Refusal, Row, Slice, Table, Type, check_id};
use crate::upstream::MAX_BATCH_BYTES;
use crate::{HAS_RECORDS, HAS_TEXTS};

/// A statement's text and its parameters.
pub(crate) type Call<'a> = (String, Vec<Param<'a>>);

/// What one transaction is to do.
#[derive(Clone, Copy)]
pub(crate) enum Work<'a> {
    Batch(&'a Batch),
    Slice(&'a Slice),
}

impl<'a> Work<'a> {
    /// Locks the lane and checks where it stands; all that follows may rely on it.
    pub(crate) fn opening(self) -> Call<'a> {
        match self {
            Self::Batch(batch) => (
                "select replication.begin_batch($1, $2, $3, $4)".to_owned(),
                vec![
                    Box::new(batch.lane.name()),
                    Box::new(batch.epoch),
                    Box::new(batch.prev_seq),
                    Box::new(batch.prev_chain.as_slice()),
                ],
            ),
            Self::Slice(slice) => ("select replication.begin_slice($1)".to_owned(), vec![Box::new(slice.epoch)]),
        }
    }

    /// Deletes, which go first: what a deleted row held unique is free for the rows that come.
    pub(crate) fn removals(self) -> Vec<Call<'a>> {
        match self {
            Self::Batch(batch) => batch
                .deletes
                .iter()
                .filter(|deletes| !deletes.ids.is_empty())
                .map(|deletes| -> Call<'a> { (function("drop", deletes.table, "$1"), vec![Box::new(&deletes.ids)]) })
                .collect(),
            Self::Slice(slice) if slice.table.append_only => Vec::new(),
            Self::Slice(slice) => vec![(
                function("keep", slice.table, "$1, $2, $3"),
                vec![Box::new(&slice.after), Box::new(&slice.upto), encode::ids(&slice.rows)],
            )],
        }
    }

    /// The rows to put, by table.
    pub(crate) fn puts(self) -> Vec<(&'static Table, &'a [Row])> {
        let mut puts: Vec<(&'static Table, &'a [Row])> = match self {
            Self::Batch(batch) => batch.puts.iter().map(|puts| (puts.table, puts.rows.as_slice())).collect(),
            Self::Slice(slice) => vec![(slice.table, slice.rows.as_slice())],
        };
        puts.retain(|(_table, rows)| !rows.is_empty());
        puts
    }

    /// Moves the cursor.
    pub(crate) fn closing(self) -> Option<Call<'a>> {
        match self {
            Self::Batch(batch) => Some((
                "select replication.finish_batch($1, $2, $3)".to_owned(),
                vec![Box::new(batch.lane.name()), Box::new(batch.seq), Box::new(batch.chain.as_slice())],
            )),
            Self::Slice(_) => None,
        }
    }

    /// Refuses what no central could hold, before anything is sent.
    pub(crate) fn check(self) -> Result<(), Error> {
        let puts = self.puts();
        let bytes = puts.iter().flat_map(|(_table, rows)| rows.iter()).map(Row::size).sum();
        if bytes > MAX_BATCH_BYTES {
            return Err(Error::TooLarge { bytes, allowed: MAX_BATCH_BYTES });
        }
        let mut refused = Vec::new();
        for (table, rows) in puts {
            refused.extend(rows.iter().filter_map(|row| refusal(table, &row.id, row.check(table))));
        }
        if let Self::Batch(batch) = self {
            for deletes in &batch.deletes {
                refused.extend(
                    deletes.ids.iter().filter_map(|id| refusal(deletes.table, id, check_delete(deletes.table, id))),
                );
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(Error::Refused(refused)) }
    }

    /// Everything between BEGIN and COMMIT, in order, as a central of this schema takes it.
    pub(crate) fn calls(self, central: i64) -> Vec<Call<'a>> {
        let mut calls = vec![self.opening()];
        calls.extend(self.removals());
        calls.extend(self.puts().into_iter().map(|(table, rows)| put(table, rows, central)));
        calls.extend(self.closing());
        calls
    }
}

fn refusal(table: &'static Table, id: &str, checked: Result<(), String>) -> Option<Refusal> {
    checked.err().map(|reason| Refusal { table, id: id.to_owned(), reason })
}

fn check_delete(table: &Table, id: &str) -> Result<(), String> {
    if table.append_only {
        return Err("rows of this table are never deleted".to_owned());
    }
    check_id(id)
}

/// Upserts rows of one table. Columns go by name, so their order upstream does not matter and a newer central may know more of them.
/// One that is older than records gets none, and one that is older than texts takes JSON in its own form.
pub(crate) fn put<'a>(table: &'static Table, rows: &'a [Row], central: i64) -> Call<'a> {
    let mut arguments = String::from("ids => $1");
    let mut params = vec![encode::ids(rows)];
    let known = |column: &Column| central >= HAS_RECORDS || column.name != RECORD;
    for (index, column) in table.columns.iter().enumerate().filter(|(_index, column)| known(column)) {
        arguments.push_str(&format!(", \"{}\" => ${}", column.name, index + 2));
        // What central parses while it takes an array stays in its memory until the statement is done; of texts it reads one by one.
        let ty = if column.ty == Type::Json && central >= HAS_TEXTS { Type::Text } else { column.ty };
        params.push(encode::column(ty, rows, index));
    }
    (function("put", table, &arguments), params)
}

fn function(verb: &str, table: &Table, arguments: &str) -> String {
    format!("select \"{}\".\"{verb}_{}\"({arguments})", table.schema, table.name)
}
