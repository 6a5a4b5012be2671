//! Invite tokens and their typed codes: derived from the invite's id, so that an answer can be given again and only
//! digests are stored.
//!
//! Must not know the store.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::digest::{Key, keyed, sha256};
use crate::base::id::InviteId;

/// Letters of a typed code: Crockford's base 32, in which no two look alike.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters of a code: 40 bits, guarded by throttles.
const CODE: usize = 8;
/// Longest text that is looked up; ours have 32 characters, and those of an older service may be longer.
pub(in crate::customer) const MAX_TOKEN: usize = 256;

/// Derives tokens and codes.
pub(in crate::customer) struct Secrets(pub(in crate::customer) Key);

impl Secrets {
    /// The token of an invite: 192 bits.
    pub(in crate::customer) fn token(&self, invite: InviteId) -> String {
        let bytes = keyed(&self.0, &[b"token", &invite.raw().binding()]);
        URL_SAFE_NO_PAD.encode(bytes.split_at(24).0)
    }

    /// The code of an invite, without its dash. `round` is raised until the code is free.
    pub(in crate::customer) fn code(&self, invite: InviteId, round: u32) -> String {
        let bytes = keyed(&self.0, &[b"code", &invite.raw().binding(), &round.to_be_bytes()]);
        let letters = bytes.iter().take(CODE).filter_map(|byte| LETTERS.get(usize::from(byte % 32)));
        letters.map(|letter| char::from(*letter)).collect()
    }

    /// What is stored of a code. Keyed, because 40 bits could be found from a plain digest.
    pub(in crate::customer) fn code_digest(&self, code: &str) -> [u8; 32] {
        keyed(&self.0, &[b"code-digest", code.as_bytes()])
    }
}

/// What is stored of a token.
pub(in crate::customer) fn token_digest(token: &str) -> [u8; 32] {
    sha256(&[token.as_bytes()])
}

/// A code as people read it: `K7Q2-9FMD`.
pub(in crate::customer) fn shown(code: &str) -> String {
    code.split_at_checked(CODE / 2).map_or_else(|| code.to_owned(), |(front, back)| format!("{front}-{back}"))
}

/// A typed text as a code, if it can be one: dashes and blanks do not count, nor capitals, and the letters that
/// Crockford leaves out are read as the digits they look like.
pub(in crate::customer) fn typed(text: &str) -> Option<String> {
    let mut code = String::with_capacity(CODE);
    for c in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
        let letter = match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let known = u8::try_from(letter).is_ok_and(|byte| LETTERS.contains(&byte));
        if !known || code.len() >= CODE {
            return None;
        }
        code.push(letter);
    }
    (code.len() == CODE).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        for text in ["K7Q2-9FMD", "k7q29fmd", " k7q2 9fmd ", "K7-Q2-9F-MD"] {
            assert_eq!(typed(text).as_deref(), Some("K7Q29FMD"), "{text}");
        }
        assert_eq!(typed("oil0-0LI1").as_deref(), Some("01100111"));
        for text in ["K7Q2-9FM", "K7Q2-9FMDX", "K7Q2-9FMU", "K7Q2-9FMé", ""] {
            assert_eq!(typed(text), None, "{text}");
        }
    }

    #[test]
    fn tokens_and_codes_come_again_and_are_no_one_elses() {
        let secrets = Secrets(Secret::new([1; 32]));
        let (a, b) = (InviteId::from_uuid(uuid::Uuid::from_u128(1)), InviteId::from_uuid(uuid::Uuid::from_u128(2)));
        assert_eq!(secrets.token(a), secrets.token(a));
        assert_ne!(secrets.token(a), secrets.token(b));
        assert_ne!(secrets.code(a, 0), secrets.code(a, 1));
        assert_eq!(secrets.token(a).len(), 32);
        assert_eq!(typed(&shown(&secrets.code(a, 0))), Some(secrets.code(a, 0)));
    }
}
