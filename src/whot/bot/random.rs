//! The bots' own randomness: a small generator that repeats itself from a seed, so that every choice can be replayed.
//!
//! Not for deals, keys or anything that must not be guessed. Knows nothing of cards but how to mix a list.

use crate::whot::shuffle::Seed;

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Debug)]
pub(in crate::whot::bot) struct Random(u64);

impl Random {
    pub(in crate::whot::bot) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(in crate::whot::bot) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, by the high bits of a product; its bias for the few dozen used here is below 2^-58. 0 for 0.
    pub(in crate::whot::bot) fn below(&mut self, n: usize) -> usize {
        let wide = u128::from(self.next()) * u128::try_from(n).unwrap_or_default();
        usize::try_from(wide >> 64).unwrap_or_default()
    }

    /// Puts a list in any order, each as likely as the others (Fisher, Yates).
    pub(in crate::whot::bot) fn mix<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.below(i + 1));
        }
    }

    /// A seed for the refills of an imagined round.
    pub(in crate::whot::bot) fn seed(&mut self) -> Seed {
        let mut bytes = [0; 32];
        for (place, byte) in bytes.iter_mut().zip(self.next().to_le_bytes()) {
            *place = byte;
        }
        Seed(bytes)
    }
}
