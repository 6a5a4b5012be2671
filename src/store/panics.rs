//! What redb's panics say about a file: they are remembered beside it, because the process may not outlive them.
//!
//! ```text
//!   writing the tables ─ panic ─▶ suspect ─ opened: every page is checked ─ sound ─▶ written without a panic ─▶ forgotten
//!                                    │                    │
//!                                    └── another panic ───┴─ damaged ─▶ damaged: not opened, until it is another file
//! ```
//!
//! redb reads most damaged pages as errors and panics over some. A panic is caught where it unwinds, but over a damaged list of free
//! pages redb panics once more while it unwinds, and that ends the process: it would start, write, and end again for ever. So
//! the mark is set by the panic hook, which runs before anything unwinds. A process that is killed, or whose power is
//! cut, leaves none. Must not know what a checkpoint is.

use std::cell::RefCell;
use std::sync::{Arc, Once};

use crate::store::fault::Fault;
use crate::store::medium::{Mark, Medium};

thread_local! {
    /// The medium whose tables this thread is at work on, and what a panic over them tells.
    static AT_WORK: RefCell<Option<(Arc<dyn Medium>, Mark)>> = const { RefCell::new(None) };
}

/// Runs work in redb on a medium's tables. Where it panics, the medium is marked: as damaged, if it was suspect when it was opened.
pub(in crate::store) fn noted<T>(medium: &Arc<dyn Medium>, was_suspect: bool, work: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            note();
            others(panic);
        }));
    });
    let told = if was_suspect { Mark::Damaged } else { Mark::Suspect };
    AT_WORK.set(Some((Arc::clone(medium), told)));
    let done = Done;
    let result = work();
    drop(done);
    result
}

/// Ends the work, however it ends.
struct Done;

impl Drop for Done {
    fn drop(&mut self) {
        AT_WORK.set(None);
    }
}

/// Marks what this thread is at work on, once. Whatever cannot be done is left: a second panic in here would end the process.
fn note() {
    let at_work = AT_WORK.try_with(|at_work| at_work.try_borrow_mut().ok().and_then(|mut at_work| at_work.take()));
    let Ok(Some((medium, mark))) = at_work else { return };
    // On a disk that takes nothing the panic comes again, and is noted then.
    drop(medium.set_mark(Some(mark)));
}

/// What is said of a medium that is marked as damaged.
pub(in crate::store) const DAMAGED: Fault =
    Fault::Corrupt { table: "store", reason: "its file was checked and is damaged" };
