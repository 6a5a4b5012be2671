//! Cards, shapes, seats, and the three containers the rules keep them in.
//!
//! Owns section 2 of the rules (the deck) and the laws of its containers: a [`CardSet`] is a hand and is always read in
//! ascending id, a [`CardList`] is an ordered pile or market. Knows nothing of turns, options or JSON beyond how a card
//! and a seat are written.

use std::fmt;

use serde::ser::{Serialize, SerializeSeq, Serializer};

/// How many cards the deck has (rules 2.1).
pub const DECK_SIZE: usize = 54;

/// How many cards a list can hold. The deck has fewer; test positions may hold a card twice.
pub const LIST_CAPACITY: usize = 64;

/// The number that stands on every Whot (rules 2.3).
pub const WHOT_NUMBER: u8 = 20;

/// Numbers of all cards in id order (rules 2.1): circle, triangle, cross, square, star, Whot.
const NUMBERS: [u8; DECK_SIZE] = [
    1, 2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14, //
    1, 2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14, //
    1, 2, 3, 5, 7, 10, 11, 13, 14, //
    1, 2, 3, 5, 7, 10, 11, 13, 14, //
    1, 2, 3, 4, 5, 7, 8, //
    20, 20, 20, 20, 20,
];

/// The cards of each number as bits, so that "all cards with this number" is one look-up.
#[expect(clippy::indexing_slicing, reason = "Computed by the compiler, which refuses an index out of bounds.")]
const BY_NUMBER: [u64; WHOT_NUMBER as usize + 1] = {
    let mut masks = [0_u64; WHOT_NUMBER as usize + 1];
    let mut id = 0;
    while id < DECK_SIZE {
        masks[NUMBERS[id] as usize] |= 1 << id;
        id += 1;
    }
    masks
};

/// One of the two players of a match: `Zero` sent the invite, `One` accepted it (rules 1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seat {
    /// The player who sent the invite.
    Zero,
    /// The player who accepted.
    One,
}

impl Seat {
    /// Both seats in order.
    pub const BOTH: [Self; 2] = [Self::Zero, Self::One];

    /// The opponent.
    pub const fn other(self) -> Self {
        match self {
            Self::Zero => Self::One,
            Self::One => Self::Zero,
        }
    }

    /// 0 or 1, as it is written everywhere.
    pub const fn index(self) -> u8 {
        match self {
            Self::Zero => 0,
            Self::One => 1,
        }
    }

    /// The seat with this index, if there is one.
    pub const fn from_index(index: u64) -> Option<Self> {
        match index {
            0 => Some(Self::Zero),
            1 => Some(Self::One),
            _ => None,
        }
    }
}

impl Serialize for Seat {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.index())
    }
}

/// One value for each seat, so that nothing is ever indexed by a number that could be wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PerSeat<T>(pub [T; 2]);

impl<T> PerSeat<T> {
    /// The value of a seat.
    pub const fn of(&self, seat: Seat) -> &T {
        let [zero, one] = &self.0;
        match seat {
            Seat::Zero => zero,
            Seat::One => one,
        }
    }

    /// The value of a seat, to change it.
    pub const fn of_mut(&mut self, seat: Seat) -> &mut T {
        let [zero, one] = &mut self.0;
        match seat {
            Seat::Zero => zero,
            Seat::One => one,
        }
    }
}

impl<T: Serialize> Serialize for PerSeat<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// One of the five shapes (rules 2.1); a Whot has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// `C`, 12 cards.
    Circle,
    /// `T`, 12 cards.
    Triangle,
    /// `X`, 9 cards.
    Cross,
    /// `S`, 9 cards.
    Square,
    /// `R`, 7 cards that count double.
    Star,
}

impl Shape {
    /// All shapes in index order.
    pub const ALL: [Self; 5] = [Self::Circle, Self::Triangle, Self::Cross, Self::Square, Self::Star];

    /// The shape's index (rules 2.1).
    pub const fn index(self) -> u8 {
        match self {
            Self::Circle => 0,
            Self::Triangle => 1,
            Self::Cross => 2,
            Self::Square => 3,
            Self::Star => 4,
        }
    }

    /// The shape with this index, if there is one.
    pub fn from_index(index: u8) -> Option<Self> {
        Self::ALL.get(usize::from(index)).copied()
    }

    /// The word used in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Circle => "circle",
            Self::Triangle => "triangle",
            Self::Cross => "cross",
            Self::Square => "square",
            Self::Star => "star",
        }
    }

    /// The shape of a JSON word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shape| shape.word() == word)
    }

    /// The letter that opens a card's name (rules 2.2).
    const fn letter(self) -> char {
        match self {
            Self::Circle => 'C',
            Self::Triangle => 'T',
            Self::Cross => 'X',
            Self::Square => 'S',
            Self::Star => 'R',
        }
    }

    /// All cards of the shape.
    pub const fn cards(self) -> CardSet {
        match self {
            Self::Circle => const { CardSet::range(0, 12) },
            Self::Triangle => const { CardSet::range(12, 24) },
            Self::Cross => const { CardSet::range(24, 33) },
            Self::Square => const { CardSet::range(33, 42) },
            Self::Star => const { CardSet::range(42, 49) },
        }
    }
}

impl Serialize for Shape {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// A card of the deck by its id, 0 to 53 (rules 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Card(u8);

impl Card {
    /// The card with this id, if there is one.
    pub fn new(id: u64) -> Option<Self> {
        u8::try_from(id).ok().filter(|id| usize::from(*id) < DECK_SIZE).map(Self)
    }

    /// The card of a name such as `C12`, `R8` or `W1` (rules 2.2), written exactly so.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().find(|card| card.name() == name)
    }

    /// All cards in ascending id.
    pub fn all() -> impl Iterator<Item = Self> {
        (0_u8..).take(DECK_SIZE).map(Self)
    }

    /// The id.
    pub const fn id(self) -> u8 {
        self.0
    }

    /// The number on the card; 20 on a Whot.
    pub fn number(self) -> u8 {
        NUMBERS.get(usize::from(self.0)).copied().unwrap_or(WHOT_NUMBER)
    }

    /// The shape; none for a Whot.
    pub const fn shape(self) -> Option<Shape> {
        match self.0 {
            0..=11 => Some(Shape::Circle),
            12..=23 => Some(Shape::Triangle),
            24..=32 => Some(Shape::Cross),
            33..=41 => Some(Shape::Square),
            42..=48 => Some(Shape::Star),
            _ => None,
        }
    }

    /// Whether the card is one of the five Whots.
    pub const fn is_whot(self) -> bool {
        self.shape().is_none()
    }

    /// What the card counts in a hand at the end of a round (rules 2.4).
    pub fn points(self) -> u32 {
        let number = u32::from(self.number());
        if self.shape() == Some(Shape::Star) { 2 * number } else { number }
    }

    /// The name for people and tests (rules 2.2).
    pub fn name(self) -> String {
        match self.shape() {
            Some(shape) => format!("{}{}", shape.letter(), self.number()),
            None => format!("W{}", self.0.saturating_sub(48)),
        }
    }
}

impl Serialize for Card {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.0)
    }
}

/// A set of cards, such as a hand; written and read in ascending id (rules 1.2).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CardSet(u64);

impl CardSet {
    /// No cards.
    pub const EMPTY: Self = Self(0);
    /// The whole deck.
    pub const DECK: Self = Self::range(0, 54);
    /// The five Whots.
    pub const WHOTS: Self = Self::range(49, 54);

    const fn range(from: u8, to: u8) -> Self {
        Self(((1 << to) - 1) & !((1 << from) - 1))
    }

    /// The set of these bits (bit n is card n); none if a bit above 53 is set.
    pub const fn from_bits(bits: u64) -> Option<Self> {
        if bits & !Self::DECK.0 == 0 { Some(Self(bits)) } else { None }
    }

    /// The set as bits: bit n is card n.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// All cards with this number.
    pub fn with_number(number: u8) -> Self {
        Self(BY_NUMBER.get(usize::from(number)).copied().unwrap_or(0))
    }

    /// Just this card.
    pub const fn of(card: Card) -> Self {
        Self(1 << card.0)
    }

    /// How many cards there are.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there are none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the card is in the set.
    pub const fn contains(self, card: Card) -> bool {
        self.0 & (1 << card.0) != 0
    }

    /// Adds a card.
    pub const fn insert(&mut self, card: Card) {
        self.0 |= 1 << card.0;
    }

    /// Takes a card out.
    pub const fn remove(&mut self, card: Card) {
        self.0 &= !(1 << card.0);
    }

    /// The cards that are in both sets.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The cards that are in either set.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The cards of this set that are not in the other.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// What the cards count together (rules 2.4).
    pub fn points(self) -> u32 {
        self.iter().map(Card::points).sum()
    }

    /// The cards in ascending id.
    pub fn iter(self) -> impl Iterator<Item = Card> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            // A 64-bit number has at most 64 trailing zeros, so the conversion keeps its value.
            let id = u8::try_from(left.trailing_zeros()).ok().filter(|id| *id < 64)?;
            left &= left - 1;
            Some(Card(id))
        })
    }
}

impl FromIterator<Card> for CardSet {
    fn from_iter<I: IntoIterator<Item = Card>>(cards: I) -> Self {
        let mut set = Self::EMPTY;
        cards.into_iter().for_each(|card| set.insert(card));
        set
    }
}

impl fmt::Debug for CardSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Card::name)).finish()
    }
}

impl Serialize for CardSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(usize::try_from(self.len()).ok())?;
        for card in self.iter() {
            seq.serialize_element(&card)?;
        }
        seq.end()
    }
}

/// An ordered list of cards, such as the market (first is next) or the pile (last is top), held without allocation.
///
/// Cards are taken from the front and put at the back. All lists of a state together hold each card once, so a list
/// never outgrows its room; [`CardList::push`] on a full list does nothing.
#[derive(Clone, Copy)]
pub struct CardList {
    cards: [Card; LIST_CAPACITY],
    start: u8,
    end: u8,
}

impl CardList {
    /// No cards.
    pub const EMPTY: Self = Self { cards: [Card(0); LIST_CAPACITY], start: 0, end: 0 };

    /// The cards in order.
    pub fn as_slice(&self) -> &[Card] {
        self.cards.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }

    /// The cards in order, to rearrange them.
    pub fn as_mut_slice(&mut self) -> &mut [Card] {
        self.cards.get_mut(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }

    /// How many cards there are.
    pub const fn len(&self) -> u8 {
        self.end - self.start
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.end == self.start
    }

    /// The last card: the top of a pile.
    pub fn last(&self) -> Option<Card> {
        self.as_slice().last().copied()
    }

    /// Puts a card at the end.
    pub fn push(&mut self, card: Card) {
        if self.start > 0 && usize::from(self.end) == LIST_CAPACITY {
            self.cards.copy_within(usize::from(self.start).., 0);
            self.end -= self.start;
            self.start = 0;
        }
        if let Some(place) = self.cards.get_mut(usize::from(self.end)) {
            *place = card;
            self.end += 1;
        }
    }

    /// Takes the first card.
    pub fn take_first(&mut self) -> Option<Card> {
        let first = self.as_slice().first().copied()?;
        self.start += 1;
        Some(first)
    }
}

impl FromIterator<Card> for CardList {
    fn from_iter<I: IntoIterator<Item = Card>>(cards: I) -> Self {
        let mut list = Self::EMPTY;
        cards.into_iter().take(LIST_CAPACITY).for_each(|card| list.push(card));
        list
    }
}

impl PartialEq for CardList {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for CardList {}

impl fmt::Debug for CardList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.as_slice().iter().map(|card| card.name())).finish()
    }
}

impl Serialize for CardList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::{Card, CardList, CardSet, DECK_SIZE, Shape};

    #[test]
    fn the_deck_counts_472_and_every_name_is_its_own() {
        assert_eq!(CardSet::DECK.points(), 472);
        assert_eq!(Card::all().count(), DECK_SIZE);
        for card in Card::all() {
            assert_eq!(Card::from_name(&card.name()), Some(card));
            assert!(CardSet::with_number(card.number()).contains(card));
            let home = card.shape().map_or(CardSet::WHOTS, Shape::cards);
            assert!(home.contains(card), "{}", card.name());
        }
        assert_eq!(
            [Card::from_name("c1"), Card::from_name("C01"), Card::from_name("W6"), Card::from_name("C6")],
            [None; 4]
        );
    }

    #[test]
    fn a_list_keeps_its_order_through_taking_and_putting_back() {
        let mut list: CardList = Card::all().collect();
        for _ in 0..100 {
            let first = list.take_first().expect("the list holds 54 cards");
            list.push(first);
        }
        let ids: Vec<u8> = list.as_slice().iter().map(|card| card.id()).collect();
        assert_eq!(ids, (46..54).chain(0..46).collect::<Vec<u8>>());
    }

    #[test]
    fn bits_beyond_the_deck_are_no_set() {
        assert_eq!(CardSet::from_bits(CardSet::DECK.bits()), Some(CardSet::DECK));
        assert_eq!(CardSet::from_bits(1 << 54), None);
    }
}
