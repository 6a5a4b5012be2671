//! The wish that the box ends, from wherever it comes: to start again at once, or to stay down.
//!
//! Must not know who may wish it, nor how the box ends.

use tokio::sync::{Mutex, MutexGuard, watch};

/// How the box is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It comes back by itself.
    Restart,
    /// It stays down until somebody starts it.
    ShutDown,
}

/// Where the wish is left and waited for. The first one stands.
#[derive(Debug)]
pub struct Power {
    asked: watch::Sender<Option<Ending>>,
    turn: Mutex<()>,
}

/// The right to leave the wish: nobody else leaves one meanwhile.
#[derive(Debug)]
pub struct Turn<'a> {
    power: &'a Power,
    _turn: MutexGuard<'a, ()>,
}

impl Turn<'_> {
    /// Leaves the wish. False where the box has come to its end by itself meanwhile.
    #[must_use]
    pub fn ask(self, ending: Ending) -> bool {
        self.power.ask(ending)
    }
}

impl Default for Power {
    fn default() -> Self {
        Self { asked: watch::Sender::new(None), turn: Mutex::new(()) }
    }
}

impl Power {
    /// Waits for the turn of who wishes; `None` where the box ends already. What is to be noted first is noted in between.
    pub async fn turn(&self) -> Option<Turn<'_>> {
        let turn = self.turn.lock().await;
        let first = self.asked.borrow().is_none();
        first.then_some(Turn { power: self, _turn: turn })
    }

    /// Leaves a wish of the box's own, for which nobody waits his turn. False where it ends already.
    pub fn ask(&self, ending: Ending) -> bool {
        self.asked.send_if_modified(|asked| {
            let first = asked.is_none();
            *asked = asked.or(Some(ending));
            first
        })
    }

    /// Waits for it.
    pub async fn asked(&self) -> Ending {
        let mut listener = self.asked.subscribe();
        loop {
            if let Some(ending) = *listener.borrow_and_update() {
                return ending;
            }
            if listener.changed().await.is_err() {
                // Never: the sender is held by who waits.
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_wish_stands_and_is_heard_by_who_comes_late() {
        let power = Power::default();
        // Who had a turn and made nothing of it is in nobody's way.
        drop(power.turn().await.unwrap());
        assert!(power.turn().await.unwrap().ask(Ending::Restart));
        assert!(power.turn().await.is_none() && !power.ask(Ending::ShutDown));
        assert_eq!(power.asked().await, Ending::Restart);
    }
}
