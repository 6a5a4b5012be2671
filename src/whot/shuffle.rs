//! The shuffle of section 4 of the rules: ChaCha20 keystreams of a seed, `below`, and the deck of a deal.
//!
//! Knows nothing of where a seed comes from (that is [`crate::whot::fair`]) nor of what the cards are for.

use std::fmt;

use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use serde::ser::{Serialize, Serializer};

use crate::whot::card::{Card, CardList};

/// The 32 bytes that decide a whole round (rules 4.1). Secret until the round is over, so `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

impl Seed {
    /// The seed of 64 lower-case hexadecimal digits, and of nothing else (rules 12.2).
    pub fn from_hex(text: &str) -> Option<Self> {
        bytes_from_hex(text).map(Self)
    }

    /// 64 lower-case hexadecimal digits. Publishes the seed.
    pub fn to_hex(self) -> String {
        bytes_to_hex(&self.0)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(hidden)")
    }
}

impl Serialize for Seed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

/// 32 bytes of exactly 64 lower-case hexadecimal digits.
pub fn bytes_from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            *byte = *byte << 4 | value;
        }
    }
    Some(bytes)
}

/// Lower-case hexadecimal digits, two a byte.
pub fn bytes_to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 }));
        }
    }
    text
}

/// Bytes of stream k of a seed, in keystream order, fetched a block at a time.
struct Stream {
    cipher: ChaCha20,
    block: [u8; 64],
    used: usize,
}

impl Stream {
    fn new(seed: &Seed, k: u32) -> Self {
        let mut nonce = [0; 12];
        for (place, byte) in nonce.iter_mut().zip(k.to_le_bytes()) {
            *place = byte;
        }
        Self { cipher: ChaCha20::new(&seed.0.into(), &nonce.into()), block: [0; 64], used: 64 }
    }

    fn byte(&mut self) -> u8 {
        if self.used == self.block.len() {
            self.block = [0; 64];
            self.cipher.apply_keystream(&mut self.block);
            self.used = 0;
        }
        let byte = self.block.get(self.used).copied().unwrap_or_default();
        self.used += 1;
        byte
    }

    /// A number below `n`, 1 to 54 here, every one as likely as the others (rules 4.2).
    fn below(&mut self, n: usize) -> usize {
        let limit = 256 - 256 % n;
        loop {
            let byte = usize::from(self.byte());
            if byte < limit {
                return byte % n;
            }
        }
    }
}

/// Shuffles the list in place with stream `k` of the seed (rules 4.3).
pub fn shuffle(seed: &Seed, k: u32, cards: &mut CardList) {
    let cards = cards.as_mut_slice();
    if cards.len() < 2 {
        return;
    }
    let mut stream = Stream::new(seed, k);
    for i in (1..cards.len()).rev() {
        cards.swap(i, stream.below(i + 1));
    }
}

/// The deck of a round before anything is dealt (rules 5.2). It shows every card of the round.
pub fn deck(seed: &Seed) -> CardList {
    let mut deck: CardList = Card::all().collect();
    shuffle(seed, 0, &mut deck);
    deck
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::{Seed, Stream, bytes_to_hex, deck};

    #[test]
    fn the_zero_seed_gives_the_check_value_of_the_rules() {
        let ids: Vec<u8> = deck(&Seed([0; 32])).as_slice().iter().map(|card| card.id()).collect();
        assert_eq!(ids[..6], [53, 3, 37, 31, 35, 14]);
        assert_eq!(
            bytes_to_hex(&Sha256::digest(&ids)),
            "6bbd2af348b3fa8b50dcc20eb367afe4de73266a285384a2f74b3579c768b28e"
        );
    }

    #[test]
    fn below_one_still_reads_a_byte() {
        let (mut one, mut two) = (Stream::new(&Seed([7; 32]), 1), Stream::new(&Seed([7; 32]), 1));
        assert_eq!(one.below(1), 0);
        two.byte();
        assert_eq!(one.byte(), two.byte());
    }

    #[test]
    fn only_64_lower_case_digits_are_a_seed() {
        let hex = "0123456789abcdef".repeat(4);
        assert_eq!(Seed::from_hex(&hex).map(Seed::to_hex), Some(hex.clone()));
        for bad in ["", "0", &hex.to_uppercase(), &hex[1..], &format!("{hex}0"), &"é".repeat(32)] {
            assert_eq!(Seed::from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn debug_does_not_show_a_seed() {
        assert_eq!(format!("{:?}", Seed([1; 32])), "Seed(hidden)");
    }
}
