//! Pages: every listing is bounded and goes on from an opaque place.

/// Rows a caller may ask for at once, at most: the contract's 200, and room for internal walks.
pub const MAX_PAGE: usize = 1000;

/// Which part of a listing is wanted.
#[derive(Debug, Clone)]
pub struct Page {
    /// Go on after this place, which an earlier page gave.
    pub after: Option<Vec<u8>>,
    /// At most so many rows; more than [`MAX_PAGE`] counts as that.
    pub limit: usize,
    /// Last key first.
    pub newest_first: bool,
}

impl Page {
    /// The first `limit` rows.
    #[must_use]
    pub const fn first(limit: usize) -> Self {
        Self { after: None, limit, newest_first: false }
    }

    /// The last `limit` rows, last first.
    #[must_use]
    pub const fn newest(limit: usize) -> Self {
        Self { after: None, limit, newest_first: true }
    }

    /// The same page after a place.
    #[must_use]
    pub fn after(self, after: Option<Vec<u8>>) -> Self {
        Self { after, ..self }
    }
}

/// A listing gathered from its pages.
#[derive(Debug, Clone)]
pub struct Gathered<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Whether these are all.
    pub whole: bool,
}

/// Walks a listing page by page until its end, or until there are `most` rows.
///
/// # Errors
/// The first page's that fails.
pub fn gather<T, E>(most: usize, mut list: impl FnMut(&Page) -> Result<Listed<T>, E>) -> Result<Gathered<T>, E> {
    let (mut items, mut page) = (Vec::new(), Page::first(MAX_PAGE));
    loop {
        let mut listed = list(&page)?;
        items.append(&mut listed.items);
        let Some(next) = listed.next.filter(|_| items.len() <= most) else {
            let whole = items.len() <= most;
            items.truncate(most);
            return Ok(Gathered { items, whole });
        };
        page = page.after(Some(next));
    }
}

/// A part of a listing.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the next page goes on; `None` at the end.
    pub next: Option<Vec<u8>>,
}

impl<T> Listed<T> {
    /// The same listing of something made from each row.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Listed<U> {
        Listed { items: self.items.into_iter().map(each).collect(), next: self.next }
    }
}
