//! The wish that the box ends, from wherever it comes: to start again at once, or to stay down.
//!
//! Must not know who may wish it, nor how the box ends.

use tokio::sync::watch;

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
pub struct Power(watch::Sender<Option<Ending>>);

impl Default for Power {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Power {
    /// Leaves the wish. False where the box ends already.
    pub fn ask(&self, ending: Ending) -> bool {
        self.0.send_if_modified(|asked| {
            let first = asked.is_none();
            *asked = asked.or(Some(ending));
            first
        })
    }

    /// Waits for it.
    pub async fn asked(&self) -> Ending {
        let mut listener = self.0.subscribe();
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
        assert!(power.ask(Ending::Restart));
        assert!(!power.ask(Ending::ShutDown));
        assert_eq!(power.asked().await, Ending::Restart);
    }
}
