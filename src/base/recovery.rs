//! Sealing to a key that is kept off the box, in the form of age (age-encryption.org/v1): its own tool opens it too.
//!
//! Must not know what is sealed. Only this file names the crate. A program built without the `age` feature seals and
//! opens nothing, and says so.

use std::io::{self, Read, Write};

use zeroize::Zeroizing;

use crate::base::secret::Secret;

/// Why something cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The text is no key of this kind.
    #[error("this is no recovery key: it starts with AGE-SECRET-KEY-1, and one wrong letter makes it another")]
    NoKey,
    /// The text is no public half of such a key.
    #[error("this is no public key of a recovery key: it starts with age1")]
    NoPublic,
    /// The key is another one than it was sealed to.
    #[error("it was sealed to another recovery key")]
    OtherKey,
    /// What was sealed was changed or cut.
    #[error("it is damaged or cut off")]
    Damaged,
    /// This program was built without age.
    #[error("this program was built without age and can neither make nor open backups")]
    Unsupported,
    /// The disk refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The half of a recovery key that seals; it opens nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryPublic(String);

/// A recovery key: it opens what was sealed to it.
#[derive(Debug, Clone)]
pub struct RecoveryKey(Secret<String>);

/// A stream that is sealed as it is written. What is not finished cannot be opened.
pub struct Sealer<'a>(Box<dyn Finish + 'a>);

trait Finish: Write {
    fn finish(self: Box<Self>) -> io::Result<()>;
}

impl RecoveryPublic {
    /// Reads the text form, `age1…`.
    ///
    /// # Errors
    /// [`RecoveryError::NoPublic`].
    pub fn parse(text: &str) -> Result<Self, RecoveryError> {
        sealed::check_public(text.trim())?;
        Ok(Self(text.trim().to_owned()))
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RecoveryKey {
    /// A new key.
    ///
    /// # Errors
    /// [`RecoveryError::Unsupported`].
    pub fn generate() -> Result<Self, RecoveryError> {
        sealed::generate().map(Self)
    }

    /// Reads the text form, `AGE-SECRET-KEY-1…`, in letters of any case, with spaces and line breaks as typed from paper.
    ///
    /// # Errors
    /// [`RecoveryError::NoKey`].
    pub fn parse(text: &str) -> Result<Self, RecoveryError> {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let plain: String = lines.flat_map(str::chars).filter(|letter| !letter.is_whitespace()).collect();
        let key = Secret::new(plain.to_ascii_uppercase());
        sealed::public(key.expose())?;
        Ok(Self(key))
    }

    /// The text form, for the recovery sheet and a key file alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The half that seals.
    ///
    /// # Errors
    /// [`RecoveryError::Unsupported`].
    pub fn public(&self) -> Result<RecoveryPublic, RecoveryError> {
        sealed::public(self.0.expose()).map(RecoveryPublic)
    }
}

impl Sealer<'_> {
    /// Ends the stream: only now it can be opened.
    ///
    /// # Errors
    /// What the disk says.
    pub fn finish(self) -> io::Result<()> {
        self.0.finish()
    }
}

impl Write for Sealer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Seals what is written to the returned stream: each of these keys opens it.
///
/// # Errors
/// [`RecoveryError::Io`] where the head cannot be written.
pub fn seal<'a>(to: &[&RecoveryPublic], out: impl Write + 'a) -> Result<Sealer<'a>, RecoveryError> {
    sealed::seal(to, out)
}

/// Opens a sealed stream. Reading it ends in an error where it was changed or cut.
///
/// # Errors
/// [`RecoveryError::OtherKey`], [`RecoveryError::Damaged`].
pub fn open<'a>(key: &RecoveryKey, input: impl Read + 'a) -> Result<Box<dyn Read + 'a>, RecoveryError> {
    sealed::open(key.expose(), input)
}

/// The same of a short text at once.
///
/// # Errors
/// [`RecoveryError::Unsupported`].
pub fn seal_bytes(to: &RecoveryPublic, plain: &[u8]) -> Result<Vec<u8>, RecoveryError> {
    let mut out = Vec::new();
    let mut sealer = seal(&[to], &mut out)?;
    sealer.write_all(plain)?;
    sealer.finish()?;
    Ok(out)
}

/// Opens a short text at once. What comes out is wiped when dropped.
///
/// # Errors
/// As [`open`].
pub fn open_bytes(key: &RecoveryKey, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, RecoveryError> {
    // What is opened is shorter than what was sealed: room at once leaves no copies behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
    open(key, sealed)?.read_to_end(&mut plain).map_err(|_| RecoveryError::Damaged)?;
    Ok(plain)
}

#[cfg(feature = "age")]
mod sealed {
    use std::io::{self, Read, Write};

    use age::secrecy::ExposeSecret as _;
    use age::stream::StreamWriter;
    use age::x25519::{Identity, Recipient};
    use age::{DecryptError, Decryptor, Encryptor};

    use crate::base::recovery::{Finish, RecoveryError, RecoveryPublic, Sealer};
    use crate::base::secret::Secret;

    fn identity(key: &str) -> Result<Identity, RecoveryError> {
        key.parse().map_err(|_| RecoveryError::NoKey)
    }

    fn recipient(text: &str) -> Result<Recipient, RecoveryError> {
        text.parse().map_err(|_| RecoveryError::NoPublic)
    }

    pub(super) fn generate() -> Result<Secret<String>, RecoveryError> {
        Ok(Secret::new(Identity::generate().to_string().expose_secret().to_owned()))
    }

    pub(super) fn public(key: &str) -> Result<String, RecoveryError> {
        Ok(identity(key)?.to_public().to_string())
    }

    pub(super) fn check_public(text: &str) -> Result<(), RecoveryError> {
        recipient(text).map(drop)
    }

    impl<W: Write> Finish for StreamWriter<W> {
        fn finish(self: Box<Self>) -> io::Result<()> {
            StreamWriter::finish(*self)?.flush()
        }
    }

    pub(super) fn seal<'a>(to: &[&RecoveryPublic], out: impl Write + 'a) -> Result<Sealer<'a>, RecoveryError> {
        let to = to.iter().map(|public| recipient(public.as_str())).collect::<Result<Vec<_>, _>>()?;
        let each = to.iter().map(|recipient| recipient as &dyn age::Recipient);
        let sealing = Encryptor::with_recipients(each).map_err(|_| RecoveryError::NoPublic)?;
        Ok(Sealer(Box::new(sealing.wrap_output(out)?)))
    }

    pub(super) fn open<'a>(key: &str, input: impl Read + 'a) -> Result<Box<dyn Read + 'a>, RecoveryError> {
        let identity = identity(key)?;
        let opening = Decryptor::new(input).map_err(refused)?;
        let stream = opening.decrypt(std::iter::once(&identity as &dyn age::Identity)).map_err(refused)?;
        Ok(Box::new(stream))
    }

    fn refused(error: DecryptError) -> RecoveryError {
        match error {
            DecryptError::NoMatchingKeys => RecoveryError::OtherKey,
            DecryptError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => RecoveryError::Io(error),
            _ => RecoveryError::Damaged,
        }
    }
}

#[cfg(not(feature = "age"))]
mod sealed {
    use std::io::{Read, Write};

    use crate::base::recovery::{RecoveryError, RecoveryPublic, Sealer};
    use crate::base::secret::Secret;

    pub(super) fn generate() -> Result<Secret<String>, RecoveryError> {
        Err(RecoveryError::Unsupported)
    }

    pub(super) fn public(_: &str) -> Result<String, RecoveryError> {
        Err(RecoveryError::Unsupported)
    }

    pub(super) fn check_public(_: &str) -> Result<(), RecoveryError> {
        Err(RecoveryError::Unsupported)
    }

    pub(super) fn seal<'a>(_: &[&RecoveryPublic], _: impl Write + 'a) -> Result<Sealer<'a>, RecoveryError> {
        Err(RecoveryError::Unsupported)
    }

    pub(super) fn open<'a>(_: &str, _: impl Read + 'a) -> Result<Box<dyn Read + 'a>, RecoveryError> {
        Err(RecoveryError::Unsupported)
    }
}

#[cfg(feature = "age")]
#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(to: &[&RecoveryPublic], plain: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut sealer = seal(to, &mut out).unwrap();
        sealer.write_all(plain).unwrap();
        sealer.finish().unwrap();
        out
    }

    fn opened(key: &RecoveryKey, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        open(key, bytes).ok()?.read_to_end(&mut out).ok()?;
        Some(out)
    }

    #[test]
    fn each_of_the_named_keys_opens_it_and_no_other() {
        let [one, two, other] = [0; 3].map(|_| RecoveryKey::generate().unwrap());
        let bytes = sealed(&[&one.public().unwrap(), &two.public().unwrap()], b"the box");
        assert_eq!(opened(&one, &bytes).unwrap(), b"the box");
        assert_eq!(opened(&two, &bytes).unwrap(), b"the box");
        assert!(matches!(open(&other, &bytes[..]), Err(RecoveryError::OtherKey)));
    }

    #[test]
    fn every_cut_and_every_bent_byte_is_seen() {
        let key = RecoveryKey::generate().unwrap();
        let bytes = sealed(&[&key.public().unwrap()], &[7; 300]);
        for at in 0..bytes.len() {
            assert_eq!(opened(&key, &bytes[..at]), None, "cut at {at}");
            let mut bent = bytes.clone();
            bent[at] ^= 1;
            assert!(opened(&key, &bent).is_none_or(|plain| plain == [7; 300]), "byte {at}");
        }
    }

    #[test]
    fn a_key_typed_from_paper_is_the_key() {
        let key = RecoveryKey::generate().unwrap();
        let typed = format!("# a note\n {} \n{}\n", key.expose()[..20].to_lowercase(), &key.expose()[20..]);
        assert_eq!(RecoveryKey::parse(&typed).unwrap().expose(), key.expose());
        let last = if key.expose().ends_with('Q') { "P" } else { "Q" };
        let wrong = key.expose().split_at(key.expose().len() - 1).0.to_owned() + last;
        assert!(RecoveryKey::parse(&wrong).is_err());
        assert!(!format!("{key:?}").contains("AGE"));
    }
}
