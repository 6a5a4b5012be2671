//! Retention: deciding what is to be destroyed, on time and never against a hold.
//!
//! The decision is one transaction in which the hold is looked at; the rest is [`crate::chat::destroy`]. While the
//! clock or the state of holds cannot be trusted nothing is decided, and [`Status`] says so. Must not know keys.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::base::id::{ConversationId, MessageId};
use crate::base::time::Timestamp;
use crate::chat::destroy::{self, AT_ONCE, Destroyed, Move};
use crate::chat::error::Error;
use crate::chat::hold;
use crate::chat::messages::unlist;
use crate::chat::records::{
    CONVERSATION_RELEASED, Conversation, MESSAGE_BY_EXPIRY, MESSAGE_PARKED, MESSAGE_UNDATED, Message,
};
use crate::chat::seal::CopyKind;
use crate::chat::seal::bucket::Kind;
use crate::chat::seal::keyring::Keyring;
use crate::chat::service::{Gate, Service, note_full};
use crate::chat::takeover;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;
use crate::store::writer::Store;

/// Between two steps with nothing to do: what is due is gone within 60 s (design, section 6), with room for two tries.
pub const EVERY: Duration = Duration::from_secs(20);
/// Scrubbing starts after this part of the shred window, so that a failed try is followed by others within it.
const SCRUB_AFTER: u32 = 3;
/// Released conversations of one step.
const RELEASED_AT_ONCE: usize = 50;
/// Why nothing is decided while the clock cannot be trusted.
pub const CLOCK: &str = "the clock is not known to be right";
/// Why nothing is decided while an import is open.
pub const IMPORT: &str = "an import is not finished: run it to its end, or abandon it (whotbox import --abandon)";

/// Why nothing is decided nor destroyed after a restore, until central has told its holds.
pub const RESTORED: &str = "the box was restored and central's holds are not known yet";

/// What the caller knows about the world.
#[derive(Debug, Clone, Copy, Default)]
pub struct Conditions {
    /// Why a hold may be pending that this box cannot know of, if so: then nothing is decided.
    pub holds_unknown: Option<&'static str>,
}

/// How expiry stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// Why nothing is destroyed; `None` while all is well.
    pub waiting: Option<&'static str>,
    /// When a step last ended well.
    pub last_run: Option<Timestamp>,
    /// The time of the oldest message that is due and neither destroyed nor held.
    pub oldest_due: Option<Timestamp>,
    /// Buckets that cannot be destroyed, because a held copy in them is damaged.
    pub blocked: u64,
    /// Why the last step failed, if it did.
    pub last_error: Option<String>,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Messages past their time that were looked at.
    pub examined: u64,
    /// Of these: to be destroyed.
    pub expired: u64,
    /// Of these: kept, because of a hold.
    pub held: u64,
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// What was decided.
    pub tally: Tally,
    /// What was destroyed.
    pub destroyed: Destroyed,
    /// Why nothing was decided.
    pub waiting: Option<&'static str>,
    /// There is more to do at once.
    pub more: bool,
}

impl Tally {
    const fn one(held: bool) -> Self {
        Self { examined: 1, expired: !held as u64, held: held as u64 }
    }

    const fn add(&mut self, other: Self) {
        self.examined += other.examined;
        self.expired += other.expired;
        self.held += other.held;
    }
}

/// Decides about what is due and destroys what is dead: one batch of each. The shared loop repeats it.
///
/// # Errors
/// [`Error::Keys`] or the store's; what was done stays done, and the next step goes on from there.
pub async fn step(service: &Service, store: &Store, conditions: Conditions) -> Result<Report, Error> {
    let _alone = service.destroying.lock().await;
    let result = match service.destroy_returned(store).await {
        Ok(()) => batch(service, store, conditions).await,
        Err(error) => Err(error),
    };
    let oldest_due = oldest_due(service, store);
    let mut status = service.status.lock().unwrap_or_else(PoisonError::into_inner);
    status.oldest_due = oldest_due;
    match &result {
        Ok(report) => {
            status.waiting = report.waiting;
            status.last_run = Some(service.clock.now());
            status.blocked = report.destroyed.blocked;
            status.last_error = None;
        }
        Err(error) => {
            note_full(store, error);
            status.last_error = Some(error.to_string());
        }
    }
    result
}

/// Does everything that is due, by hand.
///
/// # Errors
/// As [`step`].
pub async fn run(service: &Service, store: &Store, conditions: Conditions) -> Result<Report, Error> {
    let mut total = Report::default();
    loop {
        let report = step(service, store, conditions).await?;
        total.tally.add(report.tally);
        total.waiting = report.waiting;
        total.destroyed = report.destroyed;
        if !report.more {
            break;
        }
    }
    // What a hold keeps past its time is told every time, not only when it was set aside.
    let kept = parked(&store.read()?, service.clock.now())?;
    total.tally.examined += kept.saturating_sub(total.tally.held);
    total.tally.held = total.tally.held.max(kept);
    Ok(total)
}

/// What a run would decide now. Nothing is changed.
///
/// # Errors
/// The store's.
pub fn dry_run(service: &Service, read: &impl Read) -> Result<Tally, Fault> {
    let now = service.clock.now();
    let held = parked(read, now)?;
    let mut tally = Tally { examined: held, expired: 0, held };
    let mut after = None;
    loop {
        let page = Page::first(MAX_PAGE).after(after);
        let rows = read.list_by::<Message>(MESSAGE_BY_EXPIRY, &Key::new(), &page)?;
        for row in &rows.items {
            if row.expires_at > now {
                return Ok(tally);
            }
            tally.add(Tally::one(is_protected(read, row.conversation_id, now)?));
        }
        match rows.next {
            Some(next) => after = Some(next),
            None => return Ok(tally),
        }
    }
}

fn is_protected(read: &(impl Read + ?Sized), id: ConversationId, now: Timestamp) -> Result<bool, Fault> {
    // A message without its conversation is damage, and damage is no reason to destroy.
    read.get::<Conversation>(&Key::of(id))?.map_or(Ok(true), |conversation| hold::protects(read, &conversation, now))
}

/// Messages that holds keep past their time.
fn parked(read: &impl Read, now: Timestamp) -> Result<u64, Fault> {
    let (mut count, mut after) = (0, None);
    loop {
        let page = Page::first(MAX_PAGE).after(after);
        let rows = read.list_by::<Message>(MESSAGE_PARKED, &Key::new(), &page)?;
        for row in &rows.items {
            count += u64::from(is_protected(read, row.conversation_id, now)?);
        }
        match rows.next {
            Some(next) => after = Some(next),
            None => return Ok(count),
        }
    }
}

fn oldest_due(service: &Service, store: &Store) -> Option<Timestamp> {
    let rows = store.read().ok()?.list_by::<Message>(MESSAGE_BY_EXPIRY, &Key::new(), &Page::first(1)).ok()?;
    rows.items.first().map(|row| row.expires_at).filter(|at| *at <= service.clock.now())
}

async fn batch(service: &Service, store: &Store, conditions: Conditions) -> Result<Report, Error> {
    if service.gate() == Gate::ClosedUntilHolds {
        return Ok(Report { waiting: Some(RESTORED), ..Report::default() });
    }
    let wall = service.clock.wall();
    service.keep_time(store).await?;
    let unknown = conditions
        .holds_unknown
        .map_or_else(|| service.holds_unknown(&store.read()?, wall.now), |why| Ok(Some(why)))?;
    let moving = takeover::is_open(&store.read()?)?.then_some(IMPORT);
    let waiting = if wall.trusted { unknown.or(moving) } else { Some(CLOCK) };
    let mut report = Report { waiting, ..Report::default() };
    if report.waiting.is_none() {
        let archive = service.settings.archive;
        let released = released(&store.read()?, wall.now)?;
        report.more = store.write(move |tx, _| prepare(tx, wall.now, archive, &released)).await?;
        let due = due(&store.read()?, wall.now)?;
        report.more |= due.len() == AT_ONCE;
        report.tally = decide(service, store, wall.now, due).await?;
    }
    let scrub = wall.now.minus(service.settings.shred / SCRUB_AFTER);
    let condemned = destroy::condemned(service, &store.read()?, wall.now, scrub)?;
    report.destroyed = destroy::pass(service, store, &condemned).await?;
    report.more |= report.destroyed.more;
    Ok(report)
}

/// Conversations with parked messages that no hold protects any more. Those that a wider hold keeps stand in the same
/// list, so it is walked here and not within a transaction.
fn released(read: &impl Read, now: Timestamp) -> Result<Vec<ConversationId>, Fault> {
    let (mut found, mut page) = (Vec::new(), Page::first(MAX_PAGE));
    loop {
        let rows = read.list_by::<Conversation>(CONVERSATION_RELEASED, &Key::new(), &page)?;
        for row in &rows.items {
            if !hold::protects(read, row, now)? {
                found.push(row.id);
            }
            if found.len() == RELEASED_AT_ONCE {
                return Ok(found);
            }
        }
        match rows.next {
            Some(next) => page = page.after(Some(next)),
            None => return Ok(found),
        }
    }
}

/// Dates messages from a time without a trusted clock, and takes messages out of holds that are over. Returns whether
/// there are more of them.
fn prepare(tx: &mut Tx<'_>, now: Timestamp, archive: Duration, released: &[ConversationId]) -> Result<bool, Fault> {
    let undated = tx.list_by::<Message>(MESSAGE_UNDATED, &Key::new(), &Page::first(AT_ONCE))?;
    let mut more = undated.next.is_some();
    for mut row in undated.items {
        row.dated = true;
        row.expires_at = now.plus(archive);
        tx.put(&row)?;
    }
    let mut room = AT_ONCE;
    for id in released {
        let Some(mut conversation) = tx.get::<Conversation>(&Key::of(*id))? else { continue };
        if hold::protects(tx, &conversation, now)? || room == 0 {
            continue;
        }
        let kept = tx.list_by::<Message>(MESSAGE_PARKED, &Key::of(conversation.id), &Page::first(room))?;
        room = room.saturating_sub(kept.items.len());
        for mut row in kept.items {
            row.parked = false;
            tx.put(&row)?;
        }
        conversation.hold.parked = kept.next.is_some();
        // Another conversation may wait behind this one.
        more = true;
        tx.put(&conversation)?;
    }
    Ok(more)
}

/// The plan: messages past their time, the oldest first.
pub(in crate::chat) fn due(read: &impl Read, now: Timestamp) -> Result<Vec<Message>, Fault> {
    let rows = read.list_by::<Message>(MESSAGE_BY_EXPIRY, &Key::new(), &Page::first(AT_ONCE))?;
    Ok(rows.items.into_iter().take_while(|row| row.expires_at <= now).collect())
}

/// The act: under a hold a message is parked, in a bucket that outlives its day; all others are doomed.
pub(in crate::chat) async fn decide(
    service: &Service,
    store: &Store,
    now: Timestamp,
    due: Vec<Message>,
) -> Result<Tally, Error> {
    if due.is_empty() {
        return Ok(Tally::default());
    }
    let mut to_park = Vec::new();
    let read = store.read()?;
    for row in &due {
        if is_protected(&read, row.conversation_id, now)? {
            to_park.push(Message { parked: true, ..row.clone() });
        }
    }
    drop(read);
    let mut holds: Vec<Kind> = to_park.iter().map(|row| Kind::Hold(row.conversation_id)).collect();
    holds.sort_unstable();
    holds.dedup();
    service.ensure(&holds).await?;
    // What cannot be rewrapped is damaged; it is parked where it lies, and its bucket waits.
    let parks: HashMap<MessageId, Option<Move>> =
        to_park.iter().map(|row| (row.id, destroy::rewrapped(service, row, CopyKind::Archive))).collect();
    let (ids, keyring) = (due.into_iter().map(|row| row.id).collect::<Vec<_>>(), Arc::clone(&service.keyring));
    store.write(move |tx, _| judge(tx, now, &ids, &parks, &keyring)).await
}

/// One transaction: the hold is looked at and the decision is made.
fn judge(
    tx: &mut Tx<'_>,
    now: Timestamp,
    ids: &[MessageId],
    parks: &HashMap<MessageId, Option<Move>>,
    keyring: &Keyring,
) -> Result<Tally, Error> {
    let mut tally = Tally::default();
    for id in ids {
        let row = tx.get::<Message>(&Key::of(*id))?;
        let Some(mut row) = row.filter(|row| row.doomed_at.is_none() && !row.parked && row.expires_at <= now) else {
            continue;
        };
        let held = is_protected(tx, row.conversation_id, now)?;
        tally.add(Tally::one(held));
        if held {
            park(tx, &mut row, parks.get(id), keyring)?;
        } else {
            if row.visible() {
                unlist(tx, &row)?;
            }
            if let Some(mut conversation) = tx.get::<Conversation>(&Key::of(row.conversation_id))? {
                conversation.archived = conversation.archived.saturating_sub(1);
                tx.put(&conversation)?;
            }
            row.doomed_at = Some(now);
        }
        tx.put(&row)?;
    }
    Ok(tally)
}

fn park(tx: &mut Tx<'_>, row: &mut Message, prepared: Option<&Option<Move>>, keyring: &Keyring) -> Result<(), Fault> {
    // A hold that was placed after the plan was made: the next step parks what it covers.
    let Some(moved) = prepared else { return Ok(()) };
    let settled = moved.as_ref().is_none_or(|moved| moved.apply(row, keyring));
    if settled && let Some(mut conversation) = tx.get::<Conversation>(&Key::of(row.conversation_id))? {
        row.parked = true;
        conversation.hold.parked = true;
        tx.put(&conversation)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
