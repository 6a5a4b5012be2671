//! How the rules declare a closed list of words: the JSON word and the stored number of each value in one place.
//!
//! Knows no word itself.

/// Declares an enum whose values have a JSON word and, as stored number, their position in the list. Values are
/// only ever added at the end, because the number is part of the stored format.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All values in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// All words in order, separated by blanks.
            pub const WORDS: &'static str = concat!($($word, " ",)*);

            /// The word used in JSON.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The value of a JSON word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.word() == word)
            }

            /// The position in the list, for compact storage.
            pub const fn code(self) -> u8 {
                self as u8
            }

            /// The value of a stored position.
            pub fn from_code(code: u8) -> Option<Self> {
                Self::ALL.get(usize::from(code)).copied()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }
    };
}

pub(in crate::whot) use words;
