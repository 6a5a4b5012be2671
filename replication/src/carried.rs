//! Batches and slices as bytes, for a courier who carries them where no line goes.
//!
//! ```text
//!   part   kind (1): 1 batch, 2 slice
//!   batch  lane (1) ‖ epoch (16) ‖ prev seq (8) ‖ prev chain (32) ‖ n (4) ‖ n chains (32 each) ‖ blocks
//!   slice  epoch (16) ‖ edge after ‖ edge upto (1: 0 open, 1 an id) ‖ one block of puts
//!   block  verb (1: 1 put, 2 delete) ‖ schema.table ‖ columns (2) ‖ names ‖ rows (4) ‖ { id ‖ values } …
//!   value  0 null, 1 text, 2 bigint, 3 bool, 4 bytes, 5 time, 6 json; texts and bytes after their length (4), numbers big-endian
//! ```
//!
//! A batch carries the log's chain behind EVERY entry, so that central can go on from any of them: a courier is late by nature, and meanwhile
//! the box may have sent the beginning over a line. Must not know files, seals or signatures.

use std::str::from_utf8;

use uuid::Uuid;

use crate::row::{Batch, Chain, Column, Cursor, Lane, Row, Slice, Table, TableDeletes, TablePuts, Type, Value};

/// What a courier carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A stretch of a lane's log.
    Batch(Carried),
    /// What goes past the log.
    Slice(Slice),
}

/// A batch with the chain behind each of its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The batch.
    pub batch: Batch,
    /// The chain behind each entry above `prev_seq`; the last one is that of the batch.
    pub chains: Vec<Chain>,
}

/// What is to be done with a carried batch where a lane stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placed {
    /// Central has all of it.
    Known,
    /// Apply this: the batch from where the lane stands.
    Apply(Batch),
    /// What comes before is missing at central.
    Early,
    /// Central follows another life of the box.
    OtherEpoch,
    /// The same number, another history.
    OtherHistory,
}

/// Why bytes are no part.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// They end early, go on too long, or say what no part says.
    #[error("a part is damaged")]
    Damaged,
    /// They name a table or a column that this program does not know.
    #[error("it has {0}, which this program does not know")]
    Newer(String),
}

impl Carried {
    /// Judges the batch by where its lane stands at central.
    #[must_use]
    pub fn place(&self, at: &Cursor) -> Placed {
        let batch = &self.batch;
        if at.epoch != batch.epoch {
            return Placed::OtherEpoch;
        }
        if at.seq < batch.prev_seq {
            return Placed::Early;
        }
        if at.seq > batch.seq {
            return Placed::Known;
        }
        let known = match usize::try_from(at.seq.saturating_sub(batch.prev_seq)).ok().and_then(|n| n.checked_sub(1)) {
            None => Some(&batch.prev_chain),
            Some(place) => self.chains.get(place),
        };
        if known != Some(&at.chain) {
            return Placed::OtherHistory;
        }
        if at.seq == batch.seq {
            return Placed::Known;
        }
        Placed::Apply(Batch { prev_seq: at.seq, prev_chain: at.chain, ..batch.clone() })
    }
}

impl Part {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Batch(carried) => put_batch(&mut out, carried),
            Self::Slice(slice) => {
                out.push(2);
                out.extend_from_slice(slice.epoch.as_bytes());
                for edge in [&slice.after, &slice.upto] {
                    out.push(u8::from(edge.is_some()));
                    if let Some(id) = edge {
                        put_text(&mut out, id);
                    }
                }
                put_rows(&mut out, slice.table, &slice.rows);
            }
        }
        out
    }

    /// From bytes. `find` knows tables by their full names.
    ///
    /// # Errors
    /// [`Unreadable`]; nothing is ever guessed.
    pub fn decode(bytes: &[u8], find: &impl Fn(&str) -> Option<&'static Table>) -> Result<Self, Unreadable> {
        let mut input = Input(bytes);
        let part = match input.byte()? {
            1 => Self::Batch(take_batch(&mut input, find)?),
            2 => Self::Slice(take_slice(&mut input, find)?),
            _ => return Err(Unreadable::Damaged),
        };
        if input.0.is_empty() { Ok(part) } else { Err(Unreadable::Damaged) }
    }
}

fn put_batch(out: &mut Vec<u8>, carried: &Carried) {
    let batch = &carried.batch;
    out.extend_from_slice(&[1, u8::from(batch.lane == Lane::Bulk)]);
    out.extend_from_slice(batch.epoch.as_bytes());
    out.extend_from_slice(&batch.prev_seq.to_be_bytes());
    out.extend_from_slice(&batch.prev_chain);
    put_count(out, carried.chains.len());
    carried.chains.iter().for_each(|chain| out.extend_from_slice(chain));
    for deletes in &batch.deletes {
        out.push(2);
        put_text(out, &deletes.table.full_name());
        out.extend_from_slice(&[0, 0]);
        put_count(out, deletes.ids.len());
        deletes.ids.iter().for_each(|id| put_text(out, id));
    }
    batch.puts.iter().for_each(|puts| put_rows(out, puts.table, &puts.rows));
}

fn put_rows(out: &mut Vec<u8>, table: &Table, rows: &[Row]) {
    out.push(1);
    put_text(out, &table.full_name());
    out.extend_from_slice(&u16::try_from(table.columns.len()).unwrap_or(u16::MAX).to_be_bytes());
    table.columns.iter().for_each(|column| put_text(out, column.name));
    put_count(out, rows.len());
    for row in rows {
        put_text(out, &row.id);
        row.values.iter().for_each(|value| put_value(out, value));
    }
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(0),
        Value::Text(text) => {
            out.push(1);
            put_text(out, text);
        }
        Value::BigInt(number) => {
            out.push(2);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Bool(yes) => out.extend_from_slice(&[3, u8::from(*yes)]),
        Value::Bytes(bytes) => {
            out.push(4);
            put_bytes(out, bytes);
        }
        Value::Time(micros) => {
            out.push(5);
            out.extend_from_slice(&micros.to_be_bytes());
        }
        Value::Json(text) => {
            out.push(6);
            put_text(out, text);
        }
    }
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_count(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_bytes(out, text.as_bytes());
}

fn take_batch(input: &mut Input<'_>, find: &impl Fn(&str) -> Option<&'static Table>) -> Result<Carried, Unreadable> {
    let lane = match input.byte()? {
        0 => Lane::Urgent,
        1 => Lane::Bulk,
        _ => return Err(Unreadable::Damaged),
    };
    let (epoch, prev_seq, prev_chain) = (Uuid::from_bytes(input.array()?), input.number()?, input.array()?);
    let chains: Vec<Chain> = (0..input.count()?).map(|_| input.array()).collect::<Result<_, _>>()?;
    let (Some(chain), Ok(entries)) = (chains.last().copied(), i64::try_from(chains.len())) else {
        return Err(Unreadable::Damaged);
    };
    let seq = prev_seq.checked_add(entries).filter(|_| prev_seq >= 0).ok_or(Unreadable::Damaged)?;
    let mut batch = Batch { lane, epoch, prev_seq, prev_chain, seq, chain, puts: Vec::new(), deletes: Vec::new() };
    while !input.0.is_empty() {
        match take_block(input, find)? {
            Block::Puts(puts) => batch.puts.push(puts),
            Block::Deletes(deletes) => batch.deletes.push(deletes),
        }
    }
    Ok(Carried { batch, chains })
}

fn take_slice(input: &mut Input<'_>, find: &impl Fn(&str) -> Option<&'static Table>) -> Result<Slice, Unreadable> {
    let epoch = Uuid::from_bytes(input.array()?);
    let mut edge = || match input.byte()? {
        0 => Ok(None),
        1 => input.text().map(Some),
        _ => Err(Unreadable::Damaged),
    };
    let (after, upto) = (edge()?, edge()?);
    match take_block(input, find)? {
        Block::Puts(TablePuts { table, rows }) => Ok(Slice { epoch, table, after, upto, rows }),
        Block::Deletes(_) => Err(Unreadable::Damaged),
    }
}

enum Block {
    Puts(TablePuts),
    Deletes(TableDeletes),
}

fn take_block(input: &mut Input<'_>, find: &impl Fn(&str) -> Option<&'static Table>) -> Result<Block, Unreadable> {
    let verb = input.byte()?;
    let name = input.text()?;
    let table = find(&name).ok_or_else(|| Unreadable::Newer(format!("a table {name}")))?;
    let columns: Vec<usize> = (0..u16::from_be_bytes(input.array()?))
        .map(|_| {
            let column = input.text()?;
            let place = table.columns.iter().position(|known| known.name == column);
            place.ok_or_else(|| Unreadable::Newer(format!("a column {name}.{column}")))
        })
        .collect::<Result<_, _>>()?;
    let count = input.count()?;
    match verb {
        1 => {
            let rows = (0..count).map(|_| take_row(input, table, &columns)).collect::<Result<_, _>>()?;
            Ok(Block::Puts(TablePuts { table, rows }))
        }
        2 if columns.is_empty() => {
            let ids = (0..count).map(|_| input.text()).collect::<Result<_, _>>()?;
            Ok(Block::Deletes(TableDeletes { table, ids }))
        }
        _ => Err(Unreadable::Damaged),
    }
}

/// A column that an older box does not know has no value; the table says whether it may.
fn take_row(input: &mut Input<'_>, table: &Table, columns: &[usize]) -> Result<Row, Unreadable> {
    let id = input.text()?;
    let mut values = vec![Value::Null; table.columns.len()];
    for place in columns {
        let value = input.value()?;
        if let (Some(here), Some(column)) = (values.get_mut(*place), table.columns.get(*place)) {
            if !fits(column, &value) {
                return Err(Unreadable::Damaged);
            }
            *here = value;
        }
    }
    Ok(Row { id, values })
}

fn fits(column: &Column, value: &Value) -> bool {
    matches!(
        (column.ty, value),
        (_, Value::Null)
            | (Type::Text, Value::Text(_))
            | (Type::BigInt, Value::BigInt(_))
            | (Type::Bool, Value::Bool(_))
            | (Type::Bytes, Value::Bytes(_))
            | (Type::Time, Value::Time(_))
            | (Type::Json, Value::Json(_))
    )
}

/// Bytes that are left; no length in them makes this ask for memory that is not there.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Unreadable::Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Unreadable> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(Unreadable::Damaged)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, Unreadable> {
        self.array::<1>().map(u8::from_be_bytes)
    }

    fn number(&mut self) -> Result<i64, Unreadable> {
        self.array().map(i64::from_be_bytes)
    }

    fn count(&mut self) -> Result<u32, Unreadable> {
        self.array().map(u32::from_be_bytes)
    }

    fn bytes(&mut self) -> Result<&'a [u8], Unreadable> {
        let length = usize::try_from(self.count()?).map_err(|_| Unreadable::Damaged)?;
        self.take(length)
    }

    fn text(&mut self) -> Result<String, Unreadable> {
        from_utf8(self.bytes()?).map(str::to_owned).map_err(|_| Unreadable::Damaged)
    }

    fn value(&mut self) -> Result<Value, Unreadable> {
        Ok(match self.byte()? {
            0 => Value::Null,
            1 => Value::Text(self.text()?),
            2 => Value::BigInt(self.number()?),
            3 => match self.byte()? {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                _ => return Err(Unreadable::Damaged),
            },
            4 => Value::Bytes(self.bytes()?.to_vec()),
            5 => Value::Time(self.number()?),
            6 => Value::Json(self.text()?),
            _ => return Err(Unreadable::Damaged),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static THINGS: Table = Table {
        schema: "test",
        name: "things",
        append_only: false,
        columns: &[
            Column { name: "text", ty: Type::Text, nullable: true },
            Column { name: "n", ty: Type::BigInt, nullable: true },
            Column { name: "yes", ty: Type::Bool, nullable: true },
            Column { name: "bytes", ty: Type::Bytes, nullable: true },
            Column { name: "at", ty: Type::Time, nullable: true },
            Column { name: "json", ty: Type::Json, nullable: true },
        ],
    };
    /// The same table, as an older program knows it.
    static FEWER: Table = Table {
        schema: "test",
        name: "things",
        append_only: false,
        columns: &[Column { name: "text", ty: Type::Text, nullable: true }],
    };

    fn known(name: &str) -> Option<&'static Table> {
        (name == "test.things").then_some(&THINGS)
    }

    fn carried() -> Carried {
        let values = vec![
            Value::Text("für".into()),
            Value::BigInt(-7),
            Value::Bool(true),
            Value::Bytes(vec![0, 255]),
            Value::Time(1),
            Value::Json("{}".into()),
        ];
        let rows = vec![Row { id: "a".into(), values }, Row { id: "b".into(), values: vec![Value::Null; 6] }];
        let chains = vec![[1; 32], [2; 32], [3; 32]];
        let batch = Batch {
            lane: Lane::Bulk,
            epoch: Uuid::from_u128(5),
            prev_seq: 10,
            prev_chain: [9; 32],
            seq: 13,
            chain: [3; 32],
            puts: vec![TablePuts { table: &THINGS, rows }],
            deletes: vec![TableDeletes { table: &THINGS, ids: vec!["gone".into()] }],
        };
        Carried { batch, chains }
    }

    #[test]
    fn parts_come_back_as_they_were() {
        let slice = Slice {
            epoch: Uuid::from_u128(5),
            table: &THINGS,
            after: None,
            upto: Some("m".into()),
            rows: carried().batch.puts.remove(0).rows,
        };
        for part in [Part::Batch(carried()), Part::Slice(slice)] {
            assert_eq!(Part::decode(&part.encode(), &known), Ok(part));
        }
    }

    #[test]
    fn every_cut_is_seen_and_no_bent_byte_breaks_anything() {
        let bytes = Part::Batch(carried()).encode();
        for at in 0..bytes.len() {
            // A cut between two blocks leaves a shorter batch: the frame around it knows the length.
            if let Ok(Part::Batch(shorter)) = Part::decode(&bytes[..at], &known) {
                assert!(shorter.batch.len() < carried().batch.len());
            }
            for bit in 0..8 {
                let mut bent = bytes.clone();
                bent[at] ^= 1 << bit;
                drop(Part::decode(&bent, &known));
            }
        }
    }

    #[test]
    fn what_is_not_known_is_named_and_what_is_missing_has_no_value() {
        let bytes = Part::Batch(carried()).encode();
        assert_eq!(Part::decode(&bytes, &|_| None), Err(Unreadable::Newer("a table test.things".into())));
        let older = |name: &str| known(name).map(|_| &FEWER);
        assert_eq!(Part::decode(&bytes, &older), Err(Unreadable::Newer("a column test.things.n".into())));
        let mut from_older = carried();
        let row = Row { id: "a".into(), values: vec![Value::Text("x".into())] };
        from_older.batch.puts = vec![TablePuts { table: &FEWER, rows: vec![row] }];
        let Ok(Part::Batch(read)) = Part::decode(&Part::Batch(from_older).encode(), &known) else { panic!() };
        assert_eq!(read.batch.puts[0].rows[0].values[1..], vec![Value::Null; 5]);
    }

    #[test]
    fn a_batch_goes_on_from_any_entry_of_the_same_history_and_from_no_other() {
        let carried = carried();
        let at = |seq, chain: u8| Cursor { epoch: Uuid::from_u128(5), seq, chain: [chain; 32] };
        assert_eq!(carried.place(&at(10, 9)), Placed::Apply(carried.batch.clone()));
        let Placed::Apply(rest) = carried.place(&at(12, 2)) else { panic!() };
        assert_eq!((rest.prev_seq, rest.prev_chain, rest.end()), (12, [2; 32], carried.batch.end()));
        assert_eq!(carried.place(&at(13, 3)), Placed::Known);
        assert_eq!(carried.place(&at(14, 8)), Placed::Known);
        assert_eq!(carried.place(&at(9, 8)), Placed::Early);
        for (seq, chain) in [(10, 8), (11, 9), (13, 2)] {
            assert_eq!(carried.place(&at(seq, chain)), Placed::OtherHistory, "{seq}");
        }
        assert_eq!(carried.place(&Cursor { epoch: Uuid::nil(), ..at(10, 9) }), Placed::OtherEpoch);
    }
}
