//! The transaction of a batch: every row through its domain, the notes about them, and the table's progress.

use std::sync::Arc;

use crate::app::App;
use crate::base::text::Username;
use crate::base::time::Timestamp;
use crate::chat::error::Error as ChatError;
use crate::chat::takeover as chat;
use crate::customer::takeover as customer;
use crate::game::takeover as game;
use crate::identity::error::Error as IdentityError;
use crate::identity::legacy;
use crate::identity::takeover::{self as identity, OldUser};
use crate::ledger::{Note, Progress, What};
use crate::moving::cell::{Row, link};
use crate::moving::desk::prepare::{Prepared, Ready};
use crate::moving::desk::{Batch, Error, Place, place, progress};
use crate::moving::tables::Table;
use crate::moving::translate::Old;
use crate::store::fault::Fault;
use crate::store::tx::Tx;
use crate::store::writer::AsFault;

/// How many other names are tried for a user whose own is taken.
const MAX_NAMES: usize = 1000;

/// What became of a row.
enum Outcome {
    Written,
    Known,
    Merged(String),
    Refused(String),
}

/// Why a batch was not committed.
enum Failed {
    Store(Fault),
    /// A chat key was replaced after the message had been sealed.
    Stale,
    Elsewhere(u64),
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self::Store(fault)
    }
}

impl AsFault for Failed {
    fn as_fault(&self) -> Option<&Fault> {
        match self {
            Self::Store(fault) => Some(fault),
            Self::Stale | Self::Elsewhere(_) => None,
        }
    }
}

/// Commits a prepared batch; nothing where it must be sealed again.
pub(super) async fn commit(
    app: &Arc<App>,
    table: &'static Table,
    batch: &Arc<Batch>,
    prepared: Vec<Prepared>,
) -> Result<Option<Place>, Error> {
    let (owner, rows) = (Arc::clone(app), Arc::clone(batch));
    let committed = app.store.write(move |tx, now| write(&owner, tx, now, table, &rows, prepared)).await;
    match committed {
        Ok(place) => Ok(Some(place)),
        Err(Failed::Stale) => Ok(None),
        Err(Failed::Store(fault)) => Err(fault.into()),
        Err(Failed::Elsewhere(stands)) => {
            Err(Error::Elsewhere { table: table.key.to_owned(), given: batch.first, stands })
        }
    }
}

fn write(
    app: &App,
    tx: &mut Tx<'_>,
    now: Timestamp,
    table: &'static Table,
    batch: &Batch,
    prepared: Vec<Prepared>,
) -> Result<Place, Failed> {
    let mut progress = progress(tx, table.key)?;
    if progress.rows != batch.first {
        return Err(Failed::Elsewhere(progress.rows));
    }
    for (cells, one) in batch.rows.iter().zip(prepared) {
        let row = Row { table, cells, offset: batch.reading.offset };
        settle(app, tx, now, &row, one, &mut progress)?;
        progress.chain = link(&progress.chain, cells);
        progress.rows += 1;
    }
    tx.put(&progress)?;
    Ok(place(&progress))
}

/// Writes a row, counts it, and notes what is worth knowing.
fn settle(
    app: &App,
    tx: &mut Tx<'_>,
    now: Timestamp,
    row: &Row<'_>,
    one: Prepared,
    progress: &mut Progress,
) -> Result<(), Failed> {
    let mut remarks = one.remarks;
    let outcome = match one.ready {
        Ready::Dropped(why) => {
            *progress.dropped.entry(why.to_owned()).or_default() += 1;
            return Ok(());
        }
        Ready::Refused(why) => Outcome::Refused(why),
        Ready::Message(sealed) => match chat::take_over_message(tx, app.chat.keyring(), &sealed) {
            Ok(taken) => chat_outcome(taken),
            Err(ChatError::Stale) => return Err(Failed::Stale),
            Err(ChatError::Store(fault)) => return Err(fault.into()),
            Err(other) => Outcome::Refused(other.to_string()),
        },
        Ready::Row(old) => take(app, tx, now, row, old, &mut remarks)?,
    };
    match &outcome {
        Outcome::Written => progress.written += 1,
        Outcome::Known => {
            progress.known += 1;
            // What was said about it when it came still stands.
            return Ok(());
        }
        Outcome::Merged(into) => {
            progress.merged += 1;
            remarks = vec![(What::Merged, into.clone())];
        }
        Outcome::Refused(why) => {
            progress.refused += 1;
            remarks = vec![(What::Refused, why.clone())];
        }
    }
    for (part, (what, detail)) in (0..u8::MAX).zip(remarks) {
        let (table, id) = (row.table.key.to_owned(), row.name());
        tx.put(&Note { table, ordinal: progress.rows, part, id, what, detail })?;
    }
    Ok(())
}

const fn news(news: bool) -> Outcome {
    if news { Outcome::Written } else { Outcome::Known }
}

fn chat_outcome(taken: chat::Taken) -> Outcome {
    match taken {
        chat::Taken::New => Outcome::Written,
        chat::Taken::Known => Outcome::Known,
        chat::Taken::Same(id) => Outcome::Merged(id.to_string()),
        chat::Taken::NoConversation => Outcome::Refused("conversation_id: there is no such conversation".to_owned()),
        chat::Taken::Stranger => Outcome::Refused("sender_id: it takes no part in the conversation".to_owned()),
    }
}

fn customer_outcome(taken: customer::Taken) -> Outcome {
    match taken {
        customer::Taken::New => Outcome::Written,
        customer::Taken::Known => Outcome::Known,
        customer::Taken::Same(id) => Outcome::Merged(id.to_string()),
        customer::Taken::Other(distributor) => {
            Outcome::Refused(format!("customer_id: it has an active relationship with {distributor}"))
        }
        customer::Taken::TokenTaken => Outcome::Refused("token: another invite has it".to_owned()),
    }
}

fn take(
    app: &App,
    tx: &mut Tx<'_>,
    now: Timestamp,
    row: &Row<'_>,
    old: Old,
    remarks: &mut Vec<(What, String)>,
) -> Result<Outcome, Failed> {
    Ok(match old {
        Old::User(user) => take_user(tx, now, row, *user, remarks)?,
        Old::Session(session) => match identity::take_over_session(tx, &session) {
            Ok(new) => news(new),
            Err(Fault::Duplicate { .. }) => Outcome::Refused("token: another sign-in has it".to_owned()),
            Err(fault) => return Err(fault.into()),
        },
        Old::Attempt(attempt) => news(identity::take_over_attempt(tx, attempt)?),
        Old::Legacy(_, row) => news(legacy::take_over(tx, &row)?),
        Old::Invite(invite) => customer_outcome(app.customer.take_over_invite(tx, invite)?),
        Old::Relationship(bond) => customer_outcome(customer::take_over_relationship(tx, now, bond)?),
        Old::GameInvite(invite) => news(game::take_over_invite(tx, invite)?),
        Old::Game(session) => news(game::take_over(tx, session)?),
        Old::Conversation(conversation) => chat_outcome(chat::take_over_conversation(tx, conversation)?),
        Old::Audit(audit) => chat_outcome(chat::take_over_audit(tx, audit)?),
        // Messages come sealed.
        Old::Message(_) => Outcome::Refused("it was not sealed".to_owned()),
    })
}

/// A user whose name is taken gets the next free one: two people whose names differed in their case alone are two people.
fn take_user(
    tx: &mut Tx<'_>,
    now: Timestamp,
    row: &Row<'_>,
    user: OldUser,
    remarks: &mut Vec<(What, String)>,
) -> Result<Outcome, Failed> {
    let wanted = user.username.to_string();
    for number in 1..MAX_NAMES {
        let name = if number == 1 { wanted.clone() } else { numbered(&wanted, number) };
        let Ok(username) = name.parse::<Username>() else { continue };
        match identity::take_over(tx, now, OldUser { username, ..user.clone() }) {
            Ok(new) => {
                if new && number > 1 {
                    remarks.retain(|(what, _)| *what != What::Renamed);
                    let own = row.text("username").ok().flatten().unwrap_or(wanted);
                    remarks.push((What::Renamed, format!("{own} -> {name}")));
                }
                return Ok(news(new));
            }
            Err(IdentityError::UsernameTaken) => {}
            Err(IdentityError::Store(fault)) => return Err(fault.into()),
            Err(other) => return Ok(Outcome::Refused(other.to_string())),
        }
    }
    Ok(Outcome::Refused("username: it is taken, and so are all that come near it".to_owned()))
}

/// A name with a number that fits within the longest name.
fn numbered(name: &str, number: usize) -> String {
    let end = format!("-{number}");
    let front: String = name.chars().take(32 - end.len()).collect();
    format!("{front}{end}")
}
