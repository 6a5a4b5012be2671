//! Records: what a table holds, and the bytes it is stored as.
//!
//! ```text
//!   [version][bincode of that version's shape][CRC-32 of table, key, version and body]
//! ```
//!
//! The checksum binds a row to its place, because redb does not check pages when it reads them: a damaged or
//! swapped page is named and never read as data. Only this file names bincode.

use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use replication::row::{Lane, Table as UpstreamTable, Value};

use crate::base::id::RawId;
use crate::store::fault::Fault;
use crate::store::index::Indexes;
use crate::store::key::Key;

/// No record may be longer, in bytes: the longest is a chat message's two sealed copies of 4,000 characters.
pub const MAX_RECORD: usize = 256 * 1024;

/// Bytes that hold most records, so that they need not be moved while they grow.
const USUAL_RECORD: usize = 512;

/// Bytes of the checksum.
const CRC: usize = 4;

/// Which table a record belongs to. Number and name are part of the file: never reuse, never rename.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableId {
    /// Unique number: the first two bytes of every key.
    pub number: u16,
    /// `domain.name`.
    pub name: &'static str,
}

/// Where a record goes upstream.
#[derive(Debug, Clone, Copy)]
pub struct Upstream {
    /// The table in PostgreSQL and its typed columns.
    pub table: &'static UpstreamTable,
    /// The lane its changes travel in.
    pub lane: Lane,
}

/// A row's stored shape. Shapes are plain structs and enums for storage alone: never an API type, never
/// `skip_serializing_if`, `flatten` or untagged enums, and the field order is the format.
pub trait Record: Serialize + DeserializeOwned + Send + 'static {
    /// The table.
    const TABLE: TableId;
    /// The version of this shape. A changed shape is a new version with [`Record::upgrade`] and new golden bytes.
    const VERSION: u8 = 1;
    /// Where it goes upstream; `None` stays on the box and leaves no change-log entry.
    const UPSTREAM: Option<Upstream> = None;

    /// The row's key within the table.
    fn key(&self) -> Key;

    /// Names the row's index entries.
    fn indexes(&self, _to: &mut Indexes<'_>) {}

    /// Reads the body of an earlier version.
    ///
    /// # Errors
    /// [`Fault::Newer`] for a version that this binary does not know; [`Fault::Corrupt`] for bytes that are no such shape.
    fn upgrade(version: u8, _body: &[u8]) -> Result<Self, Fault> {
        Err(Fault::Newer { table: Self::TABLE.name, version })
    }

    /// The `id` column upstream, from the key alone (a deleted row has nothing else).
    fn upstream_id(key: &[u8]) -> Option<String> {
        match RawId::read_key(key) {
            Ok((id, [])) => Some(id.to_string()),
            _ => None,
        }
    }

    /// The key of an `id` upstream: [`Record::upstream_id`] the other way round. Found for keys of one id and of two;
    /// a record with another kind of key says it itself.
    fn upstream_key(id: &str) -> Option<Vec<u8>> {
        let same = |key: &Vec<u8>| Self::upstream_id(key).as_deref() == Some(id);
        if let Some(key) = id.parse::<RawId>().ok().map(|id| id.to_key()).filter(same) {
            return Some(key);
        }
        // Ids of old services may hold the sign that stands between the two: the place with the most UUIDs is the right one.
        let at = |(at, sign): (usize, &str)| {
            let (first, second) =
                (id.get(..at)?.parse::<RawId>().ok()?, id.get(at + sign.len()..)?.parse::<RawId>().ok()?);
            let uuids = [first, second].iter().filter(|id| id.as_uuid().is_some()).count();
            Some((uuids, [first.to_key(), second.to_key()].concat())).filter(|(_, key)| same(key))
        };
        id.match_indices([':', '.']).filter_map(at).max_by_key(|(uuids, _)| *uuids).map(|(_, key)| key)
    }

    /// The values of the upstream table's columns, in their order; without the column `record`.
    fn upstream_row(&self) -> Vec<Value> {
        Vec::new()
    }

    /// What the column `record` carries, where the table has one: the row as it is stored, unless a record knows less that does.
    ///
    /// # Errors
    /// [`Fault`] where it cannot be encoded.
    fn upstream_record(&self, stored: &[u8]) -> Result<Value, Fault> {
        Ok(Value::Bytes(stored.to_vec()))
    }

    /// The record of a row upstream, the column `record` among its values.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] for a row that is none of a box.
    fn of_upstream(id: &str, values: &[Value]) -> Result<Self, Fault> {
        let key = Self::upstream_key(id).ok_or_else(|| corrupt(Self::TABLE, "the id upstream is none of a box"))?;
        match values.last() {
            Some(Value::Bytes(stored)) => decode(&key, stored),
            _ => Err(corrupt(Self::TABLE, "the row upstream has no record")),
        }
    }
}

/// What a decoded record may take in memory: bincode counts a number as its type's bytes, of which it stores as few as
/// one, so that with a lower limit a record could be written and not be read.
const MAX_DECODED: usize = 16 * MAX_RECORD;

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<MAX_DECODED>()
}

fn corrupt(table: TableId, reason: &'static str) -> Fault {
    Fault::Corrupt { table: table.name, reason }
}

fn checksum(table: TableId, key: &[u8], stored: &[u8]) -> [u8; CRC] {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&table.number.to_be_bytes());
    crc.update(&(key.len() as u64).to_be_bytes());
    crc.update(key);
    crc.update(stored);
    crc.finalize().to_le_bytes()
}

/// The stored bytes of a record.
///
/// # Errors
/// [`Fault::Corrupt`] for a record longer than [`MAX_RECORD`].
pub fn encode<R: Record>(record: &R) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::with_capacity(USUAL_RECORD);
    bytes.push(R::VERSION);
    bincode::serde::encode_into_writer(record, Bounded(&mut bytes), config()).map_err(|error| match error {
        EncodeError::UnexpectedEnd => corrupt(R::TABLE, "longer than a record may be"),
        _ => corrupt(R::TABLE, "cannot be encoded"),
    })?;
    let crc = checksum(R::TABLE, record.key().as_bytes(), &bytes);
    bytes.extend_from_slice(&crc);
    Ok(bytes)
}

/// The bytes of a record while they grow. bincode hands over a `Vec<u8>` byte by byte, so this is as plain as can be.
struct Bounded<'a>(&'a mut Vec<u8>);

impl Writer for Bounded<'_> {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        if self.0.len() + bytes.len() > MAX_RECORD {
            return Err(EncodeError::UnexpectedEnd);
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Reads the stored bytes of the record at `key`.
///
/// # Errors
/// [`Fault::Corrupt`] for damaged or misplaced bytes, [`Fault::Newer`] for a version this binary does not know.
pub fn decode<R: Record>(key: &[u8], stored: &[u8]) -> Result<R, Fault> {
    let (bytes, crc) = stored.split_last_chunk::<CRC>().ok_or_else(|| corrupt(R::TABLE, "too short"))?;
    if checksum(R::TABLE, key, bytes) != *crc {
        return Err(corrupt(R::TABLE, "checksum does not match"));
    }
    match bytes.split_first() {
        Some((&version, body)) if version == R::VERSION => decode_body(R::TABLE, body),
        Some((&version, body)) if version < R::VERSION => R::upgrade(version, body),
        Some((&version, _)) => Err(Fault::Newer { table: R::TABLE.name, version }),
        None => Err(corrupt(R::TABLE, "too short")),
    }
}

/// Reads one version's body, all of it; for [`Record::upgrade`] and the decoding of the present version.
///
/// # Errors
/// [`Fault::Corrupt`] for bytes that are not exactly one such shape.
pub fn decode_body<T: DeserializeOwned>(table: TableId, body: &[u8]) -> Result<T, Fault> {
    match bincode::serde::decode_from_slice(body, config()) {
        Ok((value, used)) if used == body.len() => Ok(value),
        Ok(_) => Err(corrupt(table, "has bytes left over")),
        Err(_) => Err(corrupt(table, "is not of this shape")),
    }
}

/// The bytes of a value that is no record: an idempotency record's reference to its answer.
///
/// # Errors
/// [`Fault::Corrupt`] for a value that bincode cannot hold.
pub(in crate::store) fn pack<T: Serialize>(table: TableId, value: &T) -> Result<Vec<u8>, Fault> {
    bytes_of(table, value)
}

/// A part of a record in the form in which it is stored, for an upstream column that carries it whole.
///
/// # Errors
/// [`Fault::Corrupt`] for a value that bincode cannot hold.
pub fn bytes_of<T: Serialize>(table: TableId, value: &T) -> Result<Vec<u8>, Fault> {
    bincode::serde::encode_to_vec(value, config()).map_err(|_| corrupt(table, "cannot be encoded"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, serde::Deserialize, PartialEq, Debug, Clone)]
    struct Row {
        id: u64,
        text: String,
    }
    impl Record for Row {
        const TABLE: TableId = TableId { number: 9, name: "test.row" };
        const VERSION: u8 = 2;
        fn key(&self) -> Key {
            Key::new().number(self.id)
        }
        fn upgrade(version: u8, body: &[u8]) -> Result<Self, Fault> {
            match version {
                1 => decode_body::<u64>(Self::TABLE, body).map(|id| Self { id, text: String::new() }),
                _ => Err(Fault::Newer { table: Self::TABLE.name, version }),
            }
        }
    }

    fn stored(version: u8, body: &[u8], key: &Key) -> Vec<u8> {
        let bytes = [&[version], body].concat();
        let crc = checksum(Row::TABLE, key.as_bytes(), &bytes);
        [bytes, crc.to_vec()].concat()
    }

    #[test]
    fn every_bent_bit_is_named_and_a_row_of_another_key_too() {
        let row = Row { id: 7, text: "seven".into() };
        let (key, bytes) = (row.key(), encode(&row).unwrap());
        assert_eq!(decode::<Row>(key.as_bytes(), &bytes).unwrap(), row);
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(decode::<Row>(key.as_bytes(), &bent), Err(Fault::Corrupt { .. })), "bit {bit}");
        }
        assert!(decode::<Row>(Key::new().number(8).as_bytes(), &bytes).is_err());
    }

    #[test]
    fn old_versions_are_upgraded_and_newer_ones_say_so() {
        let key = Key::new().number(7);
        let one = pack(Row::TABLE, &7u64).unwrap();
        assert_eq!(decode::<Row>(key.as_bytes(), &stored(1, &one, &key)).unwrap().id, 7);
        assert_eq!(
            decode::<Row>(key.as_bytes(), &stored(3, &one, &key)),
            Err(Fault::Newer { table: "test.row", version: 3 })
        );
    }

    struct Two;
    impl serde::Serialize for Two {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_unit()
        }
    }
    impl<'de> serde::Deserialize<'de> for Two {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            <()>::deserialize(from).map(|()| Self)
        }
    }
    impl Record for Two {
        const TABLE: TableId = TableId { number: 9, name: "test.two" };
        fn key(&self) -> Key {
            Key::new()
        }
        fn upstream_id(key: &[u8]) -> Option<String> {
            let (first, rest) = RawId::read_key(key).ok()?;
            let (second, rest) = RawId::read_key(rest).ok()?;
            rest.is_empty().then(|| format!("{first}:{second}"))
        }
    }

    #[test]
    fn a_key_of_two_ids_is_found_again_from_its_text() {
        let uuid = "019ab3c0-0000-7000-8000-000000000001";
        for (first, second) in [(uuid, uuid), ("old:17@lagos", uuid), (uuid, "a:b"), ("a", "b")] {
            let key = [first, second].map(|id| id.parse::<RawId>().unwrap().to_key()).concat();
            let id = Two::upstream_id(&key).unwrap();
            assert_eq!(Two::upstream_key(&id), Some(key), "{id}");
        }
        assert_eq!(Row::upstream_key(uuid), Some(uuid.parse::<RawId>().unwrap().to_key()));
        assert_eq!(Two::upstream_key(uuid), None);
    }

    #[test]
    fn a_record_that_is_too_long_is_refused_and_the_longest_is_read_again() {
        let longest = Row { id: 7, text: "x".repeat(MAX_RECORD - 7) };
        let stored = encode(&longest).unwrap();
        assert_eq!(stored.len(), MAX_RECORD + CRC);
        assert_eq!(decode::<Row>(longest.key().as_bytes(), &stored).unwrap(), longest);
        let numbers = vec![0_u64; MAX_RECORD - 10];
        assert_eq!(decode_body::<Vec<u64>>(Row::TABLE, &pack(Row::TABLE, &numbers).unwrap()).unwrap(), numbers);
        let longer = Row { id: 7, text: "x".repeat(MAX_RECORD - 6) };
        assert!(matches!(encode(&longer), Err(Fault::Corrupt { .. })));
    }

    #[test]
    fn bytes_left_over_and_length_bombs_are_refused() {
        let (key, row) = (Key::new().number(7), Row { id: 7, text: "x".into() });
        let body = pack(Row::TABLE, &row).unwrap();
        assert!(decode::<Row>(key.as_bytes(), &stored(2, &[&body[..], &[0]].concat(), &key)).is_err());
        assert!(
            decode::<Row>(key.as_bytes(), &stored(2, &[7, 253, 255, 255, 255, 255, 255, 255, 255, 255], &key)).is_err()
        );
    }
}
