//! Reading through writes that lie over a base: what was written hides what is below.
//!
//! Must not know where either lies: both are sorted pairs here.

use std::cmp::Ordering;
use std::iter::Peekable;

use crate::store::fault::Fault;
use crate::store::read::Pair;

/// A key and what was written at it; `None` for a deletion.
pub(in crate::store) type Written = (Vec<u8>, Option<Vec<u8>>);

/// The pairs of a base with writes over them. Both come in the same direction, and are read no further than asked.
pub(in crate::store) struct Over<B: Iterator, W: Iterator> {
    base: Peekable<B>,
    written: Peekable<W>,
    backwards: bool,
}

impl<B, W> Over<B, W>
where
    B: Iterator<Item = Result<Pair, Fault>>,
    W: Iterator<Item = Written>,
{
    pub(in crate::store) fn new(base: B, written: W, backwards: bool) -> Self {
        Self { base: base.peekable(), written: written.peekable(), backwards }
    }

    /// Which comes first: less for the base, equal for a write that hides what is below it. `None` at the end of both.
    fn order(&mut self) -> Option<Ordering> {
        Some(match (self.base.peek(), self.written.peek()) {
            (None, None) => return None,
            (Some(Err(_)) | Some(Ok(_)), None) | (Some(Err(_)), _) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(Ok((below, _))), Some((above, _))) if self.backwards => above.cmp(below),
            (Some(Ok((below, _))), Some((above, _))) => below.cmp(above),
        })
    }
}

impl<B, W> Iterator for Over<B, W>
where
    B: Iterator<Item = Result<Pair, Fault>>,
    W: Iterator<Item = Written>,
{
    type Item = Result<Pair, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let order = self.order()?;
            if order.is_lt() {
                return self.base.next();
            }
            if order.is_eq() {
                self.base.next();
            }
            if let (key, Some(value)) = self.written.next()? {
                return Some(Ok((key, value)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(keys: &[u8]) -> impl Iterator<Item = Result<Pair, Fault>> {
        keys.iter().map(|key| Ok((vec![*key], vec![0])))
    }

    #[test]
    fn writes_hide_add_and_replace_in_both_directions() {
        let own = vec![(vec![1], Some(vec![9])), (vec![2], None), (vec![5], Some(vec![9]))];
        let merged: Result<Vec<_>, _> = Over::new(base(&[2, 3, 5]), own.clone().into_iter(), false).collect();
        assert_eq!(merged, Ok(vec![(vec![1], vec![9]), (vec![3], vec![0]), (vec![5], vec![9])]));
        let back: Result<Vec<_>, _> = Over::new(base(&[5, 3, 2]), own.into_iter().rev(), true).take(2).collect();
        assert_eq!(back, Ok(vec![(vec![5], vec![9]), (vec![3], vec![0])]));
    }

    #[test]
    fn a_base_that_cannot_be_read_is_told_and_not_taken_for_its_end() {
        let broken = base(&[1]).chain(std::iter::once(Err(Fault::Full)));
        let read: Result<Vec<_>, _> = Over::new(broken, std::iter::once((vec![9], Some(vec![9]))), false).collect();
        assert_eq!(read, Err(Fault::Full));
    }
}
