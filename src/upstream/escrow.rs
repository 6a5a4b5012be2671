//! The master key at central, sealed to the recovery key of the owner's sheet: with the sheet and central a lost box can be rebuilt.
//!
//! Central cannot open it, and neither can the box's own login.

use std::sync::Arc;

use replication::HAS_RECORDS;
use replication::row::{Row, Slice, Table, Type};
use replication::upstream::Upstream;

use crate::app::App;
use crate::backup::create::SealedKeys;
use crate::backup::keys;
use crate::store::columns::{bytes, column, text, time};
use crate::store::meta;
use crate::upstream::custody::Halt;

/// Where central keeps it. The box describes the table here, since it is filled past the log.
pub static RECOVERY_KEYS: Table = Table {
    schema: "replication",
    name: "recovery_keys",
    append_only: false,
    columns: &[column("recipient", Type::Text), column("sealed", Type::Bytes), column("sealed_at", Type::Time)],
};

/// The one row of a box.
const ID: &str = "master";

/// What central was given in this life of the program.
#[derive(Debug, Default)]
pub struct Escrow {
    sent_to: Option<String>,
}

impl Escrow {
    /// Gives central the master key, once a sheet was printed and whenever it was printed anew.
    ///
    /// # Errors
    /// [`Halt`]; it is tried again.
    pub async fn step(&mut self, app: &Arc<App>, central: &impl Upstream) -> Result<(), Halt> {
        let broken = |error: crate::backup::error::Error| Halt::Sealing(error.to_string());
        let Some(recovery) = keys::recovery(&app.config.data_dir).map_err(broken)? else { return Ok(()) };
        let recipient = recovery.public.as_str().to_owned();
        if self.sent_to.as_ref() == Some(&recipient) || central.schema().await? < HAS_RECORDS {
            return Ok(());
        }
        let sealed = SealedKeys::of_secrets(app).seal(&recovery.public).map_err(broken)?;
        let values = vec![text(&recipient), bytes(sealed), time(app.clock.now())];
        let rows = vec![Row { id: ID.to_owned(), values }];
        let epoch = meta::identity(&app.store.read()?)?.epoch;
        central.replace(&Slice { epoch, table: &RECOVERY_KEYS, after: None, upto: None, rows }).await?;
        self.sent_to = Some(recipient);
        Ok(())
    }
}
