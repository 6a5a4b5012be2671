//! DNS messages: bytes from anybody on the network to questions and records, and back.
//!
//! Every length is checked, a pointer only leads backwards, and what does not fit is no message. Must not know what is
//! answered.

use std::net::IpAddr;

/// An IPv4 address.
pub const A: u16 = 1;
/// Another name.
pub const PTR: u16 = 12;
/// Words about a service.
pub const TXT: u16 = 16;
/// An IPv6 address.
pub const AAAA: u16 = 28;
/// Host and port of a service.
pub const SRV: u16 = 33;
/// Which types a name has.
pub const NSEC: u16 = 47;
/// A question for every type.
pub const ANY: u16 = 255;

/// Longest message that is read (RFC 6762, section 17).
pub const MAX_MESSAGE: usize = 9000;
/// More questions and records than any honest message on a small network has.
const MAX_ENTRIES: usize = 256;
/// Longest name (RFC 1035, section 2.3.4).
const MAX_NAME: usize = 255;
/// The bit of a response in the header's flags.
const RESPONSE: u16 = 0x8000;
/// Response and authoritative.
const ANSWER_FLAGS: u16 = 0x8400;
/// Internet, without the bit that has a meaning of its own in each section.
const IN: u16 = 1;
/// The bit in a record's class: this is all there is of it (RFC 6762, section 10.2).
const FLUSH: u16 = 0x8000;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// For which name, in small letters.
    pub name: String,
    /// For which type.
    pub kind: u16,
}

/// A record. Names within its data are written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Of which name, in small letters.
    pub name: String,
    /// Its type.
    pub kind: u16,
    /// For how many seconds it may be kept.
    pub ttl: u32,
    /// Only one host has it, and this is all of it.
    pub unique: bool,
    /// What it says.
    pub data: Vec<u8>,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Its number, which only old-fashioned askers need.
    pub id: u16,
    /// It answers.
    pub response: bool,
    /// What is asked.
    pub questions: Vec<Question>,
    /// What is answered, or known already by who asks.
    pub answers: Vec<Record>,
    /// What who asks would like to claim.
    pub claims: Vec<Record>,
    /// What may be of use besides.
    pub additional: Vec<Record>,
}

struct Reader<'a> {
    all: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let end = self.at.checked_add(length)?;
        let bytes = self.all.get(self.at..end)?;
        self.at = end;
        Some(bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    /// A name, by whatever pointers it goes; each leads further back than all before it, so that it ends.
    fn name(&mut self) -> Option<String> {
        let mut name = String::new();
        let (mut at, mut lowest, mut after) = (self.at, self.at, None);
        loop {
            let length = usize::from(*self.all.get(at)?);
            match length {
                0 => break,
                1..=63 => {
                    let label = self.all.get(at + 1..at + 1 + length)?;
                    // A dot or a strange byte within a label must not look like another name.
                    let plain = |byte: &u8| match byte.to_ascii_lowercase() {
                        byte @ (b'!'..=b'-' | b'/'..=b'~' | b' ') => char::from(byte),
                        _ => '\u{fffd}',
                    };
                    if !name.is_empty() {
                        name.push('.');
                    }
                    name.extend(label.iter().map(plain));
                    at += 1 + length;
                    if name.chars().count() > MAX_NAME {
                        return None;
                    }
                }
                0xc0..=0xff => {
                    let to = (length & 0x3f) << 8 | usize::from(*self.all.get(at + 1)?);
                    after = after.or(Some(at + 2));
                    if to >= lowest {
                        return None;
                    }
                    (at, lowest) = (to, to);
                }
                _ => return None,
            }
        }
        self.at = after.unwrap_or(at + 1);
        Some(name)
    }

    fn question(&mut self) -> Option<Question> {
        let (name, kind, _class) = (self.name()?, self.u16()?, self.u16()?);
        Some(Question { name, kind })
    }

    fn record(&mut self) -> Option<Record> {
        let (name, kind, class, ttl) = (self.name()?, self.u16()?, self.u16()?, self.u32()?);
        let length = usize::from(self.u16()?);
        let end = self.at.checked_add(length).filter(|end| *end <= self.all.len())?;
        let data = match kind {
            PTR => encoded(&self.name()?),
            SRV => [self.take(6)?.to_vec(), encoded(&self.name()?)].concat(),
            _ => self.take(length)?.to_vec(),
        };
        (self.at == end).then_some(Record { name, kind, ttl, unique: class & FLUSH != 0, data })
    }

    fn records(&mut self, count: u16) -> Option<Vec<Record>> {
        (0..count).map(|_| self.record()).collect()
    }
}

impl Message {
    /// Reads one; `None` for what is none.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader { all: bytes.get(..bytes.len().min(MAX_MESSAGE))?, at: 0 };
        let (id, flags) = (reader.u16()?, reader.u16()?);
        // Other operations than a query, and faults, are to be ignored (RFC 6762, section 18).
        if flags & 0x780f != 0 {
            return None;
        }
        let counts = [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        if counts.iter().map(|count| usize::from(*count)).sum::<usize>() > MAX_ENTRIES {
            return None;
        }
        let [questions, answers, claims, additional] = counts;
        Some(Self {
            id,
            response: flags & RESPONSE != 0,
            questions: (0..questions).map(|_| reader.question()).collect::<Option<_>>()?,
            answers: reader.records(answers)?,
            claims: reader.records(claims)?,
            additional: reader.records(additional)?,
        })
    }

    /// Writes it.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let count = |length: usize| u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        out.extend(self.id.to_be_bytes());
        out.extend(if self.response { ANSWER_FLAGS } else { 0 }.to_be_bytes());
        out.extend(count(self.questions.len()));
        for records in [&self.answers, &self.claims, &self.additional] {
            out.extend(count(records.len()));
        }
        for question in &self.questions {
            out.extend(encoded(&question.name));
            out.extend([question.kind.to_be_bytes(), IN.to_be_bytes()].concat());
        }
        for record in [&self.answers, &self.claims, &self.additional].into_iter().flatten() {
            let class = if record.unique { IN | FLUSH } else { IN };
            out.extend(encoded(&record.name));
            out.extend([record.kind.to_be_bytes(), class.to_be_bytes()].concat());
            out.extend(record.ttl.to_be_bytes());
            out.extend(count(record.data.len()));
            out.extend(&record.data);
        }
        out
    }
}

/// A name as it is written, in small letters and without pointers.
#[must_use]
pub fn encoded(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let bytes = label.as_bytes();
        let bytes = bytes.get(..bytes.len().min(63)).unwrap_or_default();
        out.push(u8::try_from(bytes.len()).unwrap_or_default());
        out.extend(bytes);
    }
    out.push(0);
    out
}

/// The type and the data of an address.
#[must_use]
pub fn address(ip: IpAddr) -> (u16, Vec<u8>) {
    match ip {
        IpAddr::V4(ip) => (A, ip.octets().to_vec()),
        IpAddr::V6(ip) => (AAAA, ip.octets().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message() -> Message {
        let host = "whot-mama.local".to_owned();
        let srv = [vec![0, 0, 0, 0, 0x1f, 0x90], encoded(&host)].concat();
        let record = |name: &str, kind, data| Record { name: name.into(), kind, ttl: 120, unique: true, data };
        Message {
            id: 7,
            response: true,
            questions: vec![Question { name: host.clone(), kind: ANY }],
            answers: vec![record(&host, A, vec![192, 168, 4, 1])],
            claims: vec![record("whot-mama._http._tcp.local", SRV, srv)],
            additional: vec![record("_http._tcp.local", PTR, encoded("whot-mama._http._tcp.local"))],
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(Message::parse(&message().bytes()), Some(message()));
    }

    #[test]
    fn pointers_are_followed_backwards_and_nowhere_else() {
        let head = |pointer: [u8; 2]| {
            let mut bytes = vec![0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0];
            bytes.extend(b"\x04WHOT\x05local\0\0\x01\0\x01");
            bytes.extend(pointer);
            bytes.extend([0, 1, 0, 1]);
            bytes
        };
        let read = Message::parse(&head([0xc0, 12])).unwrap();
        assert_eq!((read.questions.len(), read.questions[1].name.as_str()), (2, "whot.local"));
        // One to itself, one forwards, one out of the message.
        for pointer in [[0xc0, 28], [0xc0, 30], [0xff, 0xff]] {
            assert_eq!(Message::parse(&head(pointer)), None);
        }
        // A dot within a label is none between two.
        let mut bytes = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        bytes.extend(b"\x0awhot.local\0\0\x01\0\x01");
        assert_ne!(Message::parse(&bytes).unwrap().questions[0].name, "whot.local");
    }

    proptest! {
        #[test]
        fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            drop(Message::parse(&bytes));
        }

        #[test]
        fn no_damage_does_harm(flips in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8), cut in 0_usize..200) {
            let mut bytes = message().bytes();
            for (at, value) in flips {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            bytes.truncate(bytes.len() - cut.min(bytes.len()));
            if let Some(read) = Message::parse(&bytes) {
                prop_assert!(read.bytes().len() <= 64 * 1024);
            }
        }
    }
}
