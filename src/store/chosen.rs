//! What the owner chose on the screen: the name of the box, and settings that nothing else says.
//!
//! It stays on the box, and travels in its backups. Must not know what a setting may be.

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt as _};
use crate::store::record::{Record, TableId};
use crate::store::tx::Tx;

/// The name of the box among the choices; it is no setting of a file.
pub const BOX_NAME: &str = "box_name";

/// One choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// The setting.
    pub name: String,
    /// Its value, as a variable would say it.
    pub value: String,
    /// When.
    pub at: Timestamp,
}

impl Record for Chosen {
    const TABLE: TableId = TableId { number: 90, name: "store.chosen" };

    fn key(&self) -> Key {
        Key::new().text(&self.name)
    }
}

/// All of them.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn all(read: &(impl Read + ?Sized)) -> Result<Vec<Chosen>, Fault> {
    Ok(read.list::<Chosen>(&Key::new(), &Page::first(MAX_PAGE))?.items)
}

/// The choice of a name.
///
/// # Errors
/// [`Fault`] where the store cannot be read.
pub fn one(read: &(impl Read + ?Sized), name: &str) -> Result<Option<String>, Fault> {
    Ok(read.get::<Chosen>(&Key::new().text(name))?.map(|chosen| chosen.value))
}

/// Takes a choice, or takes it back.
///
/// # Errors
/// [`Fault`] where it cannot be written.
pub fn choose(tx: &mut Tx<'_>, now: Timestamp, name: &str, value: Option<&str>) -> Result<(), Fault> {
    match value {
        Some(value) => tx.put(&Chosen { name: name.into(), value: value.into(), at: now }),
        None => tx.delete::<Chosen>(&Key::new().text(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::golden;

    #[test]
    fn stored_as_ever() {
        let at = Timestamp::from_micros(1_795_341_600_000_000);
        golden(&[Chosen { name: "archive_days".into(), value: "30".into(), at }]);
    }
}
