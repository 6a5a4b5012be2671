//! The stream within a bundle and the acknowledgement (`schemas/courier/README.md`).
//!
//! Must not know how a stream is sealed, nor what its parts mean.

use std::io::{self, ErrorKind, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::base::aead;
use crate::base::digest::{Key, hex};
use crate::base::entropy::Entropy;
use crate::base::sign::{Signer, is_signed_by};
use crate::base::time::Timestamp;
use crate::upstream::courier::CourierError;

const MAGIC: &[u8; 8] = b"WBBUNDLE";
const ACK_MAGIC: &[u8; 8] = b"WBACKNOW";
/// The format that is written; earlier ones are read for ever.
const FORMAT: u8 = 1;
/// No frame may be longer: a batch, and one row of the greatest length.
const MAX_FRAME: u64 = 128 << 20;
/// Bytes of an acknowledgement, at most: ten thousand refusals and orders.
pub(super) const MAX_ACK: u64 = 64 << 20;
/// What is signed besides the digest, so that the signature stands for nothing else.
const PURPOSE: &[u8] = b"whotbox/bundle/v1";
/// Kinds of frames.
const HEAD: u8 = 1;
const PART: u8 = 2;
const END: u8 = 9;

/// Where a lane's entries of a bundle begin and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stretch {
    /// Central must have this entry.
    pub(super) after: i64,
    /// The last one that is in it.
    pub(super) upto: i64,
}

/// The first frame. It holds a login: no Debug.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The bundle.
    pub(super) id: Uuid,
    pub(super) number: u64,
    /// The program that made it.
    pub(super) version: String,
    pub(super) made_at: Timestamp,
    pub(super) box_id: Uuid,
    pub(super) epoch: Uuid,
    /// The public key that the signature is checked with, base64.
    pub(super) signer: String,
    /// The urgent lane, then the bulk lane.
    pub(super) lanes: [Stretch; 2],
    /// The last order of central's that the box has answered.
    pub(super) answered: u64,
    /// The highest number of a bundle whose acknowledgement came back.
    pub(super) returned: u64,
    /// Rows that the box lists as refused: table and id.
    pub(super) refused: Vec<(String, String)>,
    /// The key of the answer, base64.
    pub(super) reply: String,
    /// The box's login.
    pub(super) url: String,
    /// The private CA that central's certificate is checked with, PEM.
    pub(super) ca: Option<String>,
}

/// The last frame.
#[derive(Serialize, Deserialize)]
struct End {
    parts: u64,
    sha256: String,
    signature: String,
}

/// Writes the stream.
pub(super) struct Writer<W> {
    out: W,
    hash: Sha256,
    parts: u64,
}

impl<W: Write> Writer<W> {
    pub(super) fn begin(out: W, head: &Head) -> io::Result<Self> {
        let mut writer = Self { out, hash: Sha256::new(), parts: 0 };
        writer.raw(MAGIC)?;
        writer.raw(&[FORMAT])?;
        writer.frame(HEAD, &serde_json::to_vec(head)?)?;
        Ok(writer)
    }

    pub(super) fn part(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.parts += 1;
        self.frame(PART, bytes)
    }

    pub(super) fn end(mut self, signer: &Signer) -> io::Result<()> {
        let digest: [u8; 32] = self.hash.clone().finalize().into();
        let signature = STANDARD.encode(signer.sign(&[PURPOSE, &digest].concat()));
        let end = End { parts: self.parts, sha256: hex(&digest), signature };
        self.frame(END, &serde_json::to_vec(&end)?)?;
        self.out.flush()
    }

    fn frame(&mut self, kind: u8, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len()).map_err(|_| io::Error::other("a frame beyond 4 GiB"))?;
        self.raw(&[kind])?;
        self.raw(&length.to_be_bytes())?;
        self.raw(body)
    }

    fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.out.write_all(bytes)
    }
}

/// Reads the stream.
pub(super) struct Reader<R> {
    input: R,
    hash: Sha256,
    head: Head,
    parts: u64,
}

impl<R: Read> Reader<R> {
    pub(super) fn open(mut input: R) -> Result<Self, CourierError> {
        let mut hash = Sha256::new();
        let mut start = [0; 9];
        input.read_exact(&mut start).map_err(damaged)?;
        hash.update(start);
        match start.split_first_chunk::<8>() {
            Some((MAGIC, [FORMAT])) => {}
            Some((MAGIC, [format])) if *format > FORMAT => {
                return Err(CourierError::Newer(format!("its form is {format}")));
            }
            _ => return Err(CourierError::Damaged),
        }
        let (kind, body) = frame(&mut input, &mut hash)?;
        if kind != HEAD {
            return Err(CourierError::Damaged);
        }
        Ok(Self { input, hash, head: json(&body)?, parts: 0 })
    }

    pub(super) const fn head(&self) -> &Head {
        &self.head
    }

    /// The next part; `None` at an end that is signed and whole.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, CourierError> {
        let digest: [u8; 32] = self.hash.clone().finalize().into();
        let (kind, body) = frame(&mut self.input, &mut self.hash)?;
        match kind {
            PART => {
                self.parts += 1;
                Ok(Some(body))
            }
            END => {
                let end: End = json(&body)?;
                let key = STANDARD.decode(&self.head.signer).map_err(|_| CourierError::Damaged)?;
                let signature = STANDARD.decode(&end.signature).map_err(|_| CourierError::Damaged)?;
                let signed = is_signed_by(&key, &[PURPOSE, &digest].concat(), &signature);
                let over = matches!(self.input.read(&mut [0]), Ok(0));
                if end.parts != self.parts || end.sha256 != hex(&digest) || !signed || !over {
                    return Err(CourierError::Damaged);
                }
                Ok(None)
            }
            _ => Err(CourierError::Damaged),
        }
    }
}

fn frame(input: &mut impl Read, hash: &mut Sha256) -> Result<(u8, Vec<u8>), CourierError> {
    let mut start = [0; 5];
    input.read_exact(&mut start).map_err(damaged)?;
    let [kind, length @ ..] = start;
    let length = u64::from(u32::from_be_bytes(length));
    if length > MAX_FRAME {
        return Err(CourierError::Damaged);
    }
    // Grows as it is read: a length alone asks for no memory.
    let mut body = Vec::new();
    input.take(length).read_to_end(&mut body).map_err(damaged)?;
    if body.len() as u64 != length {
        return Err(CourierError::Damaged);
    }
    hash.update(start);
    hash.update(&body);
    Ok((kind, body))
}

fn damaged(_: io::Error) -> CourierError {
    CourierError::Damaged
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, CourierError> {
    serde_json::from_slice(body).map_err(|_| CourierError::Damaged)
}

/// Where a lane stands at central.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stand {
    pub(super) seq: i64,
    /// Hexadecimal.
    pub(super) chain: String,
}

/// An order of central's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) seq: i64,
    pub(super) kind: String,
    pub(super) arguments: String,
    pub(super) issued_by: String,
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ack {
    /// Central's clock: microseconds since 1970.
    pub(super) at: i64,
    /// Central's schema.
    pub(super) schema: i64,
    /// The urgent lane, then the bulk lane.
    pub(super) lanes: [Stand; 2],
    /// Orders above this number, in order.
    pub(super) after: u64,
    pub(super) orders: Vec<Order>,
    /// Refused rows: table, id, reason.
    pub(super) refused: Vec<(String, String, String)>,
    /// Rows that had been refused and have arrived now: table and id.
    pub(super) arrived: Vec<(String, String)>,
}

/// What an acknowledgement says of itself before it is opened: it is bound to what is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    pub(super) box_id: Uuid,
    pub(super) epoch: Uuid,
    pub(super) bundle: Uuid,
    pub(super) number: u64,
}

/// Bytes of the magic, the format and the label.
const LABELLED: usize = 9 + 16 * 3 + 8;

impl Label {
    fn bytes(&self) -> Vec<u8> {
        let ids = [self.box_id, self.epoch, self.bundle].map(Uuid::into_bytes).concat();
        [&ACK_MAGIC[..], &[FORMAT], &ids, &self.number.to_be_bytes()].concat()
    }

    /// The label of an acknowledgement.
    pub(super) fn read(file: &[u8]) -> Result<Self, CourierError> {
        let (start, rest) = file.split_first_chunk::<9>().ok_or(CourierError::Damaged)?;
        match start.split_first_chunk::<8>() {
            Some((ACK_MAGIC, [FORMAT])) => {}
            Some((ACK_MAGIC, [format])) if *format > FORMAT => {
                return Err(CourierError::Newer(format!("its form is {format}")));
            }
            _ => return Err(CourierError::Damaged),
        }
        let mut rest = rest;
        let mut id = || -> Result<Uuid, CourierError> {
            let (bytes, left) = rest.split_first_chunk::<16>().ok_or(CourierError::Damaged)?;
            rest = left;
            Ok(Uuid::from_bytes(*bytes))
        };
        let (box_id, epoch, bundle) = (id()?, id()?, id()?);
        let number = rest.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes)).ok_or(CourierError::Damaged)?;
        Ok(Self { box_id, epoch, bundle, number })
    }

    /// Seals an acknowledgement.
    pub(super) fn seal(&self, key: &Key, entropy: &dyn Entropy, ack: &Ack) -> io::Result<Vec<u8>> {
        let label = self.bytes();
        let sealed = aead::seal(key, entropy, &label, &serde_json::to_vec(ack)?);
        Ok([label, sealed].concat())
    }

    /// Opens an acknowledgement of this label.
    pub(super) fn open(&self, key: &Key, file: &[u8]) -> Result<Ack, CourierError> {
        let (label, sealed) = file.split_at_checked(LABELLED).ok_or(CourierError::Damaged)?;
        json(&aead::open(key, label, sealed).map_err(|_| CourierError::Damaged)?)
    }
}

/// Whether a file could not be read because it is not there or not ours to read, rather than because it is damaged.
pub(super) fn unreadable(error: &io::Error) -> bool {
    !matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SeededEntropy;
    use crate::base::secret::Secret;

    fn head() -> Head {
        let signer = Signer::new(&Secret::new([3; 32]));
        Head {
            id: Uuid::from_u128(1),
            number: 7,
            version: "0.1.0".into(),
            made_at: Timestamp::from_micros(1_795_341_600_000_000),
            box_id: Uuid::from_u128(2),
            epoch: Uuid::from_u128(3),
            signer: STANDARD.encode(signer.public()),
            lanes: [Stretch { after: 0, upto: 2 }, Stretch { after: 10, upto: 20 }],
            answered: 4,
            returned: 6,
            refused: vec![("identity.users".into(), "u".into())],
            reply: STANDARD.encode([5; 32]),
            url: "postgres://box@db.example/central".into(),
            ca: None,
        }
    }

    fn stream() -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer::begin(&mut out, &head()).unwrap();
        writer.part(b"one").unwrap();
        writer.part(b"two").unwrap();
        writer.end(&Signer::new(&Secret::new([3; 32]))).unwrap();
        out
    }

    fn ack() -> Ack {
        Ack {
            at: 1_795_341_600_000_000,
            schema: 11,
            lanes: [Stand { seq: 2, chain: hex(&[1; 32]) }, Stand { seq: 20, chain: hex(&[2; 32]) }],
            after: 4,
            orders: vec![Order { seq: 5, kind: "hold".into(), arguments: "{}".into(), issued_by: "operator".into() }],
            refused: vec![("identity.users".into(), "u".into(), "no".into())],
            arrived: Vec::new(),
        }
    }

    const LABEL: Label =
        Label { box_id: Uuid::from_u128(2), epoch: Uuid::from_u128(3), bundle: Uuid::from_u128(1), number: 7 };

    fn golden(name: &str, bytes: &[u8]) {
        let path = format!("{}/schemas/courier/{name}.v1.hex", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            std::fs::write(&path, hex(bytes) + "\n").unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), hex(bytes), "{name}");
    }

    fn read(bytes: &[u8]) -> Result<Vec<Vec<u8>>, CourierError> {
        let mut reader = Reader::open(bytes)?;
        assert!(*reader.head() == head() || bytes != stream());
        let mut parts = Vec::new();
        while let Some(part) = reader.next()? {
            parts.push(part);
        }
        Ok(parts)
    }

    #[test]
    fn the_forms_are_as_they_were() {
        golden("bundle", &stream());
        golden("ack", &LABEL.seal(&Secret::new([5; 32]), &SeededEntropy::new(1), &ack()).unwrap());
        assert_eq!(read(&stream()).unwrap(), [b"one", b"two"]);
    }

    #[test]
    fn every_cut_and_every_bent_byte_of_a_bundle_is_seen() {
        let whole = stream();
        for at in 0..whole.len() {
            assert!(read(&whole[..at]).is_err(), "cut at {at}");
            let mut bent = whole.clone();
            bent[at] ^= 1;
            // The signature's text has bits that mean nothing; nothing else may pass, and what passes reads the same.
            assert!(read(&bent).is_err_and(|_| true) || read(&bent).unwrap() == [b"one", b"two"], "byte {at}");
        }
        let longer = [&whole[..], b"x"].concat();
        assert!(matches!(read(&longer), Err(CourierError::Damaged)));
        let mut newer = whole;
        newer[8] = 2;
        assert!(matches!(read(&newer), Err(CourierError::Newer(_))));
    }

    #[test]
    fn an_acknowledgement_opens_whole_and_with_its_own_key_alone() {
        let key = Secret::new([5; 32]);
        let file = LABEL.seal(&key, &SeededEntropy::new(1), &ack()).unwrap();
        assert_eq!(Label::read(&file).unwrap(), LABEL);
        assert_eq!(LABEL.open(&key, &file).unwrap(), ack());
        assert!(LABEL.open(&Secret::new([6; 32]), &file).is_err());
        for at in 0..file.len() {
            let mut bent = file.clone();
            bent[at] ^= 1;
            assert!(LABEL.open(&key, &bent).is_err(), "byte {at}");
            assert!(LABEL.open(&key, &file[..at]).is_err(), "cut at {at}");
        }
    }
}
