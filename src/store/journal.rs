//! The journal: what makes a commit durable, at the price of one short write and one sync.
//!
//! ```text
//!   first half    ┌ record 41 ─────────┬ record 42 ┬ of an earlier round ┄   a checkpoint is bringing these into the tables
//!   second half   ┌ record 43 ──┬ record 44 ─ torn ┬ of an earlier round ┄   the next record goes here
//!                 [magic len seq crc][writes]       whole blocks each
//! ```
//!
//! Records are numbered without a gap, and each is synced before the next is written. So when they are read back, a number
//! that is missing before one that is there shows that something acknowledged was damaged, and one that is not whole at
//! the end was never acknowledged. Records go into one half while a checkpoint makes those of the other superfluous.
//!
//! Must not know what is in a row.

use crate::store::fault::Fault;
use crate::store::layout::{BLOCK, Layout, SharedFile};
use crate::store::memory::{Memory, Seq};
use crate::store::read::Space;

const MAGIC: [u8; 4] = *b"wjr1";
/// Bytes before a record's writes: magic, length, number, checksum.
const HEADER: usize = MAGIC.len() + 4 + 8 + 4;
/// The length that stands for a deletion.
const DELETED: u32 = u32::MAX;

/// The writes of one commit, on their way into the journal.
#[derive(Debug)]
pub(in crate::store) struct Record {
    bytes: Vec<u8>,
    /// Bytes of keys and values, of those too that found no room.
    payload: u64,
    /// What a record may have; with more it goes another way, and is not kept.
    room: usize,
    /// It cannot be said in a record, or is too long for one.
    pub(in crate::store) outgrown: bool,
}

impl Record {
    /// Notes a write.
    pub(in crate::store) fn push(&mut self, space: Space, key: &[u8], value: Option<&[u8]>) {
        self.payload += (key.len() + value.map_or(0, <[u8]>::len)) as u64;
        if self.outgrown {
            return;
        }
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(DELETED);
        self.bytes.push(space_number(space));
        self.bytes.extend_from_slice(&length(key).to_le_bytes());
        self.bytes.extend_from_slice(&value.map_or(DELETED, length).to_le_bytes());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value.unwrap_or_default());
        if self.bytes.len() > self.room {
            self.outgrown = true;
            self.bytes = Vec::new();
        }
    }

    /// Bytes of keys and values.
    pub(in crate::store) const fn payload(&self) -> u64 {
        self.payload
    }
}

/// What goes into every checksum, drawn when the store was made: bytes that a user chose, and that an earlier round left
/// where a record could begin, are not taken for one.
pub(in crate::store) type Salt = u64;

/// The journal of an open store.
#[derive(Debug)]
pub(in crate::store) struct Journal {
    file: SharedFile,
    layout: Layout,
    salt: Salt,
    /// The half that is written to: 0 or 1.
    half: u64,
    /// Where in it the next record goes.
    at: u64,
    /// The other half holds commits that are not in the tables yet.
    other_is_needed: bool,
}

impl Journal {
    /// Reads the journal back into a memory over tables that hold everything up to its commit.
    ///
    /// # Errors
    /// [`Fault::Corrupt`] where something that was acknowledged cannot be read.
    pub(in crate::store) fn open(file: SharedFile, layout: Layout, salt: Salt, memory: &Memory) -> Result<Self, Fault> {
        let mut bytes = vec![0; usize::try_from(layout.journal_bytes()).unwrap_or(usize::MAX)];
        file.read(layout.journal_start(), &mut bytes)?;
        let mut found = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let record = record_at(&bytes, at, salt);
            let length = record.map_or(BLOCK, |(_, writes)| (HEADER + writes.len()).next_multiple_of(BLOCK));
            found.extend(record.filter(|(seq, _)| *seq > memory.committed()).map(|(seq, writes)| (seq, at, writes)));
            at += length;
        }
        found.sort_unstable_by_key(|(seq, ..)| *seq);
        let mut journal = Self { file, layout, salt, half: 0, at: 0, other_is_needed: false };
        let half_of = |at: usize| u64::from(at as u64 >= layout.half_bytes());
        for ((seq, at, writes), expected) in found.iter().zip(memory.committed() + 1..) {
            if *seq != expected {
                return Err(damaged("a commit of the journal is damaged"));
            }
            replay(memory, *seq, writes).ok_or(damaged("a record of the journal cannot be read"))?;
            journal.half = half_of(*at);
            journal.at =
                (at + HEADER + writes.len()).next_multiple_of(BLOCK) as u64 - journal.half * layout.half_bytes();
        }
        if let Some((last, ..)) = found.last() {
            // A process that was killed may have written the last record and not synced it.
            journal.file.sync_data()?;
            memory.publish(*last);
            journal.other_is_needed = found.iter().any(|(_, at, _)| half_of(*at) != journal.half);
        }
        Ok(journal)
    }

    /// A record for the writes of a commit.
    pub(in crate::store) fn record(&self) -> Record {
        let room = usize::try_from(self.layout.half_bytes()).unwrap_or(usize::MAX);
        Record { bytes: vec![0; HEADER], payload: 0, room, outgrown: false }
    }

    /// Whether there is room for a record now.
    pub(in crate::store) fn fits(&self, record: &Record) -> bool {
        let whole = record.bytes.len().next_multiple_of(BLOCK) as u64;
        !record.outgrown && self.at + whole <= self.layout.half_bytes()
    }

    /// Writes a record that fits, and syncs it: the commit is on the disk when this returns.
    ///
    /// # Errors
    /// What the disk says; the record may then be there or not, and the store has to be opened again.
    pub(in crate::store) fn append(&mut self, seq: Seq, mut record: Record) -> Result<(), Fault> {
        let length = u32::try_from(record.bytes.len() - HEADER).unwrap_or(DELETED);
        if let Some((header, writes)) = record.bytes.split_first_chunk_mut::<HEADER>() {
            let numbered = [&MAGIC[..], &length.to_le_bytes(), &seq.to_le_bytes()].concat();
            let crc = checksum(self.salt, &numbered, writes);
            header.copy_from_slice(&[&numbered[..], &crc.to_le_bytes()].concat());
        }
        record.bytes.resize(record.bytes.len().next_multiple_of(BLOCK), 0);
        let start = self.layout.journal_start() + self.half * self.layout.half_bytes();
        self.file.write(start + self.at, &record.bytes)?;
        self.file.sync_data()?;
        self.at += record.bytes.len() as u64;
        Ok(())
    }

    /// Whether it is time for a checkpoint, and the other half is free meanwhile.
    pub(in crate::store) const fn is_due(&self) -> bool {
        !self.other_is_needed && self.at * 2 >= self.layout.half_bytes()
    }

    /// A checkpoint begins: what comes from here on goes into the other half.
    pub(in crate::store) const fn turn(&mut self) {
        self.half = 1 - self.half;
        self.at = 0;
        self.other_is_needed = true;
    }

    /// The checkpoint has made the other half superfluous.
    pub(in crate::store) const fn release(&mut self) {
        self.other_is_needed = false;
    }

    /// Everything is in the tables.
    pub(in crate::store) const fn rewind(&mut self) {
        self.at = 0;
        self.other_is_needed = false;
    }
}

const fn damaged(reason: &'static str) -> Fault {
    Fault::Corrupt { table: "journal", reason }
}

const fn space_number(space: Space) -> u8 {
    match space {
        Space::Rows => 0,
        Space::Indexes => 1,
        Space::Changes => 2,
    }
}

fn checksum(salt: Salt, header: &[u8], writes: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&salt.to_le_bytes());
    crc.update(header);
    crc.update(writes);
    crc.finalize()
}

/// The whole record that starts at a place: its number and its writes.
fn record_at(bytes: &[u8], at: usize, salt: Salt) -> Option<(Seq, &[u8])> {
    let (header, rest) = bytes.get(at..)?.split_first_chunk::<HEADER>()?;
    let (numbered, crc) = header.split_last_chunk::<4>()?;
    let (magic, fields) = numbered.split_first_chunk::<4>()?;
    let (length, seq) = fields.split_first_chunk::<4>()?;
    if *magic != MAGIC {
        return None;
    }
    let writes = rest.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    (checksum(salt, numbered, writes) == u32::from_le_bytes(*crc))
        .then_some((u64::from_le_bytes(seq.try_into().ok()?), writes))
}

/// Puts a record's writes into the memory. `None` where it is no list of writes.
fn replay(memory: &Memory, seq: Seq, mut writes: &[u8]) -> Option<()> {
    let number = |bytes: [u8; 4]| u32::from_le_bytes(bytes);
    while let Some((space, rest)) = writes.split_first() {
        let space = Space::ALL.into_iter().find(|known| space_number(*known) == *space)?;
        let (key, rest) = rest.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_first_chunk::<4>()?;
        let (key, rest) = rest.split_at_checked(usize::try_from(number(*key)).ok()?)?;
        let (value, rest) = match number(*value) {
            DELETED => (None, rest),
            length => {
                let (value, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                (Some(value.to_vec()), rest)
            }
        };
        memory.write(seq, space, key.to_vec(), value);
        writes = rest;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_a_user_chose_are_no_record() {
        // given: a row whose value is a whole record, made by somebody who knows everything but the salt
        let writes = b"anything";
        let forge = |salt: Salt| {
            let numbered = [&MAGIC[..], &8_u32.to_le_bytes(), &7_u64.to_le_bytes()].concat();
            [&numbered[..], &checksum(salt, &numbered, writes).to_le_bytes(), writes].concat()
        };
        // then: it is taken for one only with the salt
        assert_eq!(record_at(&forge(99), 0, 99), Some((7, &writes[..])));
        assert_eq!(record_at(&forge(0), 0, 99), None);
    }
}
