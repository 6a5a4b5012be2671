//! The desk: the box's side of an import, one step at a time.
//!
//! Each step is safe to repeat. A batch is one transaction: its rows, the notes about them and the table's progress are
//! written together or not at all. Must not know where rows come from.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::base::id::UserId;
use crate::base::secret::Secret;
use crate::chat::error::Error as ChatError;
use crate::chat::takeover as chat_takeover;
use crate::identity::error::Error as IdentityError;
use crate::identity::users;
use crate::ledger::Chain;
use crate::ledger::{Note, Progress, What};
use crate::moving::cell::{Cell, Cells, Row};
use crate::moving::cipher::{Cipher, OldKeys};
use crate::moving::tables::{TABLES, Table, table_of};
use crate::moving::translate::{Context, Old, Verdict, new_name, notes, translate};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::ReadExt;
use crate::store::record::Record;
use crate::store::snapshot::Snapshot;

mod commit;
mod prepare;

/// Rows of one batch. Each of a message's writes is about eight keys, of a command's 100,000; and a batch shall not keep
/// the players of a running box waiting.
pub const BATCH: usize = 1000;
/// Bytes of one batch's cells, about: what the admin socket takes at once.
pub const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// How often a batch is prepared again because a chat key was being replaced. Once is rare.
const MAX_TRIES: usize = 5;

/// How the rows of a source are to be read.
#[derive(Clone, Serialize, Deserialize)]
pub struct Reading {
    /// Minutes east of UTC of times that name no zone.
    pub offset: i32,
    /// How messages are sealed.
    pub cipher: Cipher,
    /// The old `CHAT_ENCRYPTION_KEY`.
    pub key: String,
}

/// Rows of a table, in the order of the source.
#[derive(Clone, Serialize, Deserialize)]
pub struct Batch {
    /// `service.table`.
    pub table: String,
    /// The number of the first of them.
    pub first: u64,
    /// The rows.
    pub rows: Vec<Cells>,
    /// How to read them.
    pub reading: Reading,
}

/// A step of an import.
#[derive(Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Opens the import: from here on nothing expires.
    Open,
    /// How far a table has come.
    Place {
        /// `service.table`.
        table: String,
    },
    /// Begins a table anew: its source is not the one that was begun. Rows that are here stay.
    Again {
        /// `service.table`.
        table: String,
    },
    /// Takes rows.
    Take(Batch),
    /// Compares rows with what the box has.
    Compare(Batch),
    /// The source of a table has ended.
    End {
        /// `service.table`.
        table: String,
        /// Its rows.
        total: u64,
    },
    /// What became of everything, and closes the import where all of it is accounted for.
    Close,
    /// Closes the import as it is.
    Abandon,
}

/// What a step answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// It is done.
    Done,
    /// How far a table has come.
    Place(Place),
    /// What became of everything.
    Account(Account),
}

/// How far a table has come.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Place {
    /// Rows that were looked at.
    pub rows: u64,
    /// The digest over them.
    pub chain: Chain,
    /// Rows that the comparison has passed.
    pub passed: u64,
}

/// What became of everything: what the report is made of.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Account {
    /// Which box.
    pub box_id: String,
    /// Every table that was begun, in the order of the import.
    pub tables: Vec<TableAccount>,
    /// Temporary passwords that are still to be handed over: name and password.
    pub passwords: Vec<(String, String)>,
    /// The import is closed: what is due may expire again.
    pub closed: bool,
}

/// What became of a table.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TableAccount {
    /// `service.table`.
    pub table: String,
    /// Rows read.
    pub read: u64,
    /// Rows the source has.
    pub total: u64,
    /// Rows written.
    pub written: u64,
    /// Rows that were here.
    pub known: u64,
    /// Rows that became part of another.
    pub merged: u64,
    /// Rows not kept on purpose, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Rows refused.
    pub refused: u64,
    /// Rows compared.
    pub compared: u64,
    /// Of these, rows that differ.
    pub differing: u64,
    /// Digest of the compared rows as the source has them.
    pub source_digest: String,
    /// The same as the box has them.
    pub box_digest: String,
    /// Every source row is accounted for.
    pub whole: bool,
    /// Rows with a story: id, what, why.
    pub notes: Vec<(String, String, String)>,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Fault),
    /// The chat's key file failed.
    #[error("chat: {0}")]
    Chat(String),
    /// Passwords cannot be made.
    #[error("identity: {0}")]
    Identity(String),
    /// The batch does not begin where the table stands.
    #[error("the batch begins at row {given}, and {table} stands at row {stands}")]
    Elsewhere {
        /// The table.
        table: String,
        /// Where the batch begins.
        given: u64,
        /// Where the table stands.
        stands: u64,
    },
    /// There is no such table.
    #[error("{0} is no table of the import")]
    NoTable(String),
}

impl From<ChatError> for Error {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::Store(fault) => Self::Store(fault),
            other => Self::Chat(other.to_string()),
        }
    }
}

impl From<IdentityError> for Error {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Store(fault) => Self::Store(fault),
            other => Self::Identity(other.to_string()),
        }
    }
}

/// Does a step.
///
/// # Errors
/// [`Error`]; then nothing of the step was done.
pub async fn perform(app: &Arc<App>, step: Step) -> Result<Answer, Error> {
    match step {
        Step::Open => {
            app.store.write(|tx, now| chat_takeover::open(tx, now).map(|()| Answer::Done)).await.map_err(Error::Store)
        }
        Step::Abandon => {
            app.store.write(|tx, _| chat_takeover::close(tx).map(|()| Answer::Done)).await.map_err(Error::Store)
        }
        Step::Place { table } => Ok(Answer::Place(place(&progress(&app.store.read()?, &table)?))),
        Step::Again { table } => again(app, table).await.map(Answer::Place),
        Step::Take(batch) => take(app, batch).await.map(Answer::Place),
        Step::Compare(batch) => compare(app, batch).await.map(Answer::Place),
        Step::End { table, total } => {
            let ended = app.store.write(move |tx, _| {
                let mut progress = progress(tx, &table)?;
                progress.total = total;
                tx.put(&progress)?;
                Ok::<_, Fault>(place(&progress))
            });
            Ok(Answer::Place(ended.await?))
        }
        Step::Close => close(app).await.map(Answer::Account),
    }
}

fn progress(read: &(impl crate::store::read::Read + ?Sized), table: &str) -> Result<Progress, Fault> {
    Ok(read.get::<Progress>(&Key::new().text(table))?.unwrap_or_else(|| Progress::new(table)))
}

const fn place(progress: &Progress) -> Place {
    Place { rows: progress.rows, chain: progress.chain, passed: progress.passed }
}

/// The counters start anew, and what was refused is judged anew. The other notes stay: their rows are here.
async fn again(app: &App, table: String) -> Result<Place, Error> {
    let refused = notes(&app.store.read()?, &table, What::Refused)?;
    for some in refused.chunks(BATCH) {
        let keys: Vec<Key> = some.iter().map(Record::key).collect();
        app.store.write(move |tx, _| keys.iter().try_for_each(|key| tx.delete::<Note>(key))).await?;
    }
    let fresh = app.store.write(move |tx, _| {
        let fresh = Progress::new(&table);
        tx.put(&fresh)?;
        Ok::<_, Fault>(place(&fresh))
    });
    Ok(fresh.await?)
}

fn known_table(name: &str) -> Result<&'static Table, Error> {
    table_of(name).ok_or_else(|| Error::NoTable(name.to_owned()))
}

async fn take(app: &Arc<App>, batch: Batch) -> Result<Place, Error> {
    let table = known_table(&batch.table)?;
    let batch = Arc::new(batch);
    for _ in 0..MAX_TRIES {
        let prepared = prepare::prepare(app, table, &batch).await?;
        match commit::commit(app, table, &batch, prepared).await? {
            Some(place) => return Ok(place),
            // A bucket was replaced between sealing and commit.
            None => continue,
        }
    }
    Err(Fault::Busy.into())
}

/// Facts that change by themselves as soon as a row is here.
const MOVING: &[&str] = &["password_hash"];
/// Facts that are the moment of the import where the source has none.
const DATES: &[&str] = &["created_at", "ended_at"];

/// Translates the rows again and reads what the box has of each.
async fn compare(app: &Arc<App>, batch: Batch) -> Result<Place, Error> {
    let table = known_table(&batch.table)?;
    let (reader, passed) = (Arc::clone(app), batch.first + batch.rows.len() as u64);
    let work = tokio::task::spawn_blocking(move || compared(&reader, table, &batch).map(|found| (found, batch.table)));
    let (found, name) = work.await.map_err(|_| Error::Store(Fault::Closed))??;
    let written = app.store.write(move |tx, _| {
        let mut progress = progress(tx, &name)?;
        progress.passed = passed;
        progress.compared += found.rows;
        progress.differing += found.differing.len() as u64;
        progress.source_digest = fold(&progress.source_digest, &found.source);
        progress.box_digest = fold(&progress.box_digest, &found.here);
        for (ordinal, id, detail) in found.differing {
            let table = name.clone();
            tx.put(&Note { table, ordinal, part: u8::MAX, id, what: What::Remark, detail })?;
        }
        tx.put(&progress)?;
        Ok::<_, Fault>(place(&progress))
    });
    Ok(written.await?)
}

fn fold(before: &Chain, more: &Chain) -> Chain {
    Sha256::new().chain_update(before).chain_update(more).finalize().into()
}

struct Compared {
    rows: u64,
    source: Chain,
    here: Chain,
    /// Number, id, and in what it differs.
    differing: Vec<(u64, String, String)>,
}

fn compared(app: &App, table: &'static Table, batch: &Batch) -> Result<Compared, Error> {
    let keys = OldKeys::parse(&batch.reading.key);
    let context = Context::new(app, &keys, batch.reading.cipher)?;
    let (mut source, mut here) = (Sha256::new(), Sha256::new());
    let mut found = Compared { rows: 0, source: [0; 32], here: [0; 32], differing: Vec::new() };
    for (ordinal, cells) in (batch.first..).zip(&batch.rows) {
        let row = Row { table, cells, offset: batch.reading.offset };
        let mut old = match translate(&context, &row) {
            Ok(translated) => translated.old,
            Err(Verdict::Failed(fault)) => return Err(fault.into()),
            Err(Verdict::Refused(_) | Verdict::Dropped(_)) => continue,
        };
        let front = Key::new().text(table.key).text(&row.name());
        let notes = context.read.list::<Note>(&front, &Page::first(MAX_PAGE))?.items;
        let ours = |note: &&Note| note.ordinal == ordinal;
        if notes.iter().filter(ours).any(|note| matches!(note.what, What::Refused | What::Merged)) {
            continue;
        }
        if let Old::User(user) = &mut old
            && let Some(name) = new_name(&context.read, user.id.raw())?
            && let Ok(name) = name.parse()
        {
            user.username = name;
        }
        found.rows += 1;
        let undated = matches!(row.cell("created_at"), Cell::Null);
        let left_out = |name: &str| MOVING.contains(&name) || (undated && DATES.contains(&name));
        let (wanted, has) = (old.facts(), old.found(app, &context.read)?);
        let differs: Vec<&str> = match &has {
            None => vec!["it is not there"],
            Some(has) => wanted.iter().zip(has).filter(|(a, b)| a != b && !left_out(a.0)).map(|(a, _)| a.0).collect(),
        };
        for (hash, facts) in [(&mut source, Some(&wanted)), (&mut here, has.as_ref())] {
            for (name, value) in facts.into_iter().flatten().filter(|(name, _)| !left_out(name)) {
                hash.update(format!("{name}={}:{value:?};", value.as_ref().map_or(0, String::len)));
            }
        }
        if !differs.is_empty() {
            found.differing.push((ordinal, row.name(), format!("differs after the import: {}", differs.join(", "))));
        }
    }
    (found.source, found.here) = (source.finalize().into(), here.finalize().into());
    Ok(found)
}

async fn close(app: &App) -> Result<Account, Error> {
    let mut account = account(app)?;
    if !account.tables.is_empty() && account.tables.iter().all(|table| table.whole) {
        app.store.write(|tx, _| chat_takeover::close(tx)).await?;
    }
    account.closed = !chat_takeover::is_open(&app.store.read()?)?;
    Ok(account)
}

fn account(app: &App) -> Result<Account, Fault> {
    let read = app.store.read()?;
    let mut account = Account { box_id: app.box_id.to_string(), ..Account::default() };
    for table in TABLES {
        let Some(progress) = read.get::<Progress>(&Key::new().text(table.key))? else { continue };
        let notes = all_notes(&read, table.key)?;
        for note in notes.iter().filter(|note| note.what == What::TemporaryPassword) {
            account.passwords.extend(password(app, &read, note)?);
        }
        // What a password derives from is nobody's to read.
        let told = |note: &Note| match note.what {
            What::TemporaryPassword => "its password cannot be verified here; it has a temporary one".to_owned(),
            _ => note.detail.clone(),
        };
        account.tables.push(TableAccount {
            table: progress.table.clone(),
            read: progress.rows,
            total: progress.total,
            written: progress.written,
            known: progress.known,
            merged: progress.merged,
            dropped: progress.dropped.clone(),
            refused: progress.refused,
            compared: progress.compared,
            differing: progress.differing,
            source_digest: crate::base::digest::hex(&progress.source_digest),
            box_digest: crate::base::digest::hex(&progress.box_digest),
            whole: progress.is_whole(),
            notes: notes.iter().map(|note| (note.id.clone(), note.what.name().to_owned(), told(note))).collect(),
        });
    }
    Ok(account)
}

fn all_notes(read: &Snapshot, table: &str) -> Result<Vec<Note>, Fault> {
    let (mut all, mut page) = (Vec::new(), Page::first(MAX_PAGE));
    loop {
        let listed = read.list::<Note>(&Key::new().text(table), &page)?;
        all.extend(listed.items);
        match listed.next {
            Some(next) => page = page.after(Some(next)),
            None => return Ok(all),
        }
    }
}

/// A temporary password that nobody has changed yet; it derives from the user and what the note keeps.
fn password(app: &App, read: &Snapshot, note: &Note) -> Result<Option<(String, String)>, Fault> {
    let (Ok(id), Ok(nonce)) = (note.id.parse::<UserId>(), note.detail.parse()) else { return Ok(None) };
    let user = users::by_id(read, id)?.filter(|user| user.must_change_password);
    let shown = |password: Secret<String>| password.expose().clone();
    Ok(user.map(|user| (user.username.to_string(), shown(app.identity.temporary_password(id, nonce)))))
}
