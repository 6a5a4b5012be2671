//! Reading through writes that lie over a base: what was written hides what is below.
//!
//! Must not know where either lies: both are sorted pairs here.

use std::iter::Peekable;

use crate::store::fault::Fault;
use crate::store::read::Pair;

/// A key and what was written at it; `None` for a deletion.
pub(in crate::store) type Written = (Vec<u8>, Option<Vec<u8>>);

/// At most `limit` pairs of the base with the writes over them. Both come in the same direction and are read no further
/// than needed.
pub(in crate::store) fn merge(
    base: impl Iterator<Item = Result<Pair, Fault>>,
    written: impl Iterator<Item = Written>,
    backwards: bool,
    limit: usize,
) -> Result<Vec<Pair>, Fault> {
    let mut out = Vec::new();
    let (mut base, mut written) = (base.peekable(), written.peekable());
    while out.len() < limit {
        match order(&mut base, &mut written, backwards)? {
            None => break,
            Some(order) if order.is_lt() => out.extend(base.next().transpose()?),
            Some(order) => {
                if order.is_eq() {
                    base.next();
                }
                if let Some((key, Some(value))) = written.next() {
                    out.push((key, value));
                }
            }
        }
    }
    Ok(out)
}

/// Which comes first: less for the base, equal for a write that hides what is below it. `None` at the end of both.
fn order(
    base: &mut Peekable<impl Iterator<Item = Result<Pair, Fault>>>,
    written: &mut Peekable<impl Iterator<Item = Written>>,
    backwards: bool,
) -> Result<Option<std::cmp::Ordering>, Fault> {
    use std::cmp::Ordering::{Greater, Less};
    Ok(match (base.peek(), written.peek()) {
        (Some(Err(fault)), _) => return Err(fault.clone()),
        (None, None) => None,
        (Some(_), None) => Some(Less),
        (None, Some(_)) => Some(Greater),
        (Some(Ok((below, _))), Some((above, _))) if backwards => Some(above.cmp(below)),
        (Some(Ok((below, _))), Some((above, _))) => Some(below.cmp(above)),
    })
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
        let merged = merge(base(&[2, 3, 5]), own.clone().into_iter(), false, 10);
        assert_eq!(merged, Ok(vec![(vec![1], vec![9]), (vec![3], vec![0]), (vec![5], vec![9])]));
        let back = merge(base(&[5, 3, 2]), own.into_iter().rev(), true, 2);
        assert_eq!(back, Ok(vec![(vec![5], vec![9]), (vec![3], vec![0])]));
    }

    #[test]
    fn a_base_that_cannot_be_read_is_told_and_not_taken_for_its_end() {
        let broken = base(&[1]).chain(std::iter::once(Err(Fault::Full)));
        assert_eq!(merge(broken, std::iter::empty(), false, 10), Err(Fault::Full));
    }
}
