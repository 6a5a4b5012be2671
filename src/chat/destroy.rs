//! Destroying: the keys first, the rows second, in steps that a power cut may come between.
//!
//! ```text
//!   1  a transaction marks messages doomed (retention.rs), or a receipt marks them vanished     -> dead copies
//!   2  per bucket with dead copies: no copy enters any more · copies that live are rewrapped into another bucket
//!      · a transaction finds none left alive · the key file is replaced without the bucket's key  <- final
//!   3  a transaction empties dead copies whose key is gone, and deletes doomed messages
//! ```
//!
//! Nothing need be remembered between the steps: what is dead and which keys exist says where to go on. The ids of destroyed
//! keys are kept nevertheless (returned.rs), for a key file that somebody puts back. A bucket that is
//! not the newest of its kind is one whose step 2 was cut off. Must not decide who dies.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::base::id::MessageId;
use crate::base::time::Timestamp;
use crate::chat::error::Error;
use crate::chat::hold;
use crate::chat::records::{Conversation, MESSAGE_BY_BUCKET, MESSAGE_DEAD, Message, StoredCopy};
use crate::chat::returned;
use crate::chat::seal::bucket::{BucketId, Kind};
use crate::chat::seal::keyring::Keyring;
use crate::chat::seal::{self, CopyKind};
use crate::chat::service::{Service, blocking};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::tx::Tx;
use crate::store::writer::Store;

/// Copies moved or erased by one transaction, so that no command waits behind it for long.
pub(in crate::chat) const AT_ONCE: usize = 200;
/// Buckets of one pass: they share the file writes.
const MAX_BUCKETS: usize = 64;

/// What one pass did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Destroyed {
    /// Bucket keys destroyed.
    pub keys: u64,
    /// Copies emptied or deleted.
    pub copies: u64,
    /// Buckets that must wait: a held copy in them cannot be moved, because it fails its integrity check.
    pub blocked: u64,
    /// There is more to do.
    pub more: bool,
}

/// A copy on its way to another bucket.
pub(in crate::chat) struct Move {
    message: MessageId,
    kind: CopyKind,
    from: StoredCopy,
    to: StoredCopy,
}

const fn copies_of(kind: Kind) -> CopyKind {
    match kind {
        Kind::Participants(_) => CopyKind::Participants,
        Kind::Day(_) | Kind::Hold(_) => CopyKind::Archive,
    }
}

/// Where a copy that lives belongs.
pub(in crate::chat) fn home(message: &Message, kind: CopyKind) -> Kind {
    match kind {
        CopyKind::Participants => Kind::Participants(message.conversation_id),
        CopyKind::Archive if message.parked => Kind::Hold(message.conversation_id),
        CopyKind::Archive => Kind::day_of(message.expires_at),
    }
}

/// The buckets whose keys are to be destroyed: those of expired messages, those of copies that vanished before
/// `scrub`, those whose replacement was cut off, and days and holds that are over and empty.
pub(in crate::chat) fn condemned(
    service: &Service,
    read: &impl Read,
    now: Timestamp,
    scrub: Timestamp,
) -> Result<Vec<BucketId>, Fault> {
    let mut found = BTreeSet::new();
    let dead =
        |kind: CopyKind| read.list_by::<Message>(MESSAGE_DEAD, &Key::new().byte(kind.number()), &Page::first(MAX_PAGE));
    for message in dead(CopyKind::Archive)?.items {
        found.extend([&message.archive, &message.participants].into_iter().flatten().map(StoredCopy::bucket));
    }
    for message in dead(CopyKind::Participants)?.items {
        // A moment that lies ahead is one from before the clock was set back.
        let due = message.dead_since(CopyKind::Participants).is_some_and(|since| since <= scrub || since > now);
        found.extend(message.participants.filter(|_| due).map(|copy| copy.bucket()));
    }
    for (id, kind, _) in service.keyring.list() {
        let superseded = service.keyring.current(kind).is_some_and(|current| current.id != id);
        let over = match kind {
            Kind::Day(_) => kind < Kind::day_of(now) && service.clock.wall().trusted,
            Kind::Hold(_) => true,
            Kind::Participants(_) => false,
        };
        if superseded || (over && in_bucket(read, id, None, 1)?.0.is_empty()) {
            found.insert(id);
        }
    }
    Ok(found.into_iter().take(MAX_BUCKETS).collect())
}

type Rows = (Vec<Message>, Option<Vec<u8>>);

fn in_bucket(read: &(impl Read + ?Sized), id: BucketId, after: Option<Vec<u8>>, limit: usize) -> Result<Rows, Fault> {
    let page = Page::first(limit).after(after);
    let listed = read.list_by::<Message>(MESSAGE_BY_BUCKET, &Key::new().fixed(id.as_bytes()), &page)?;
    Ok((listed.items, listed.next))
}

/// Destroys what is dead in these buckets: steps 2 and 3 whole.
pub(in crate::chat) async fn pass(service: &Service, store: &Store, buckets: &[BucketId]) -> Result<Destroyed, Error> {
    let mut done = Destroyed::default();
    let present: Vec<BucketId> = buckets.iter().copied().filter(|id| service.keyring.get(*id).is_some()).collect();
    service.keyring.retire(&present);
    let mut lost = BTreeSet::new();
    for id in &present {
        lost.extend(move_living(service, store, *id).await?);
    }
    let ready = emptied(store, present.clone(), lost).await?;
    done.keys = ready.len() as u64;
    done.blocked = (present.len() - ready.len()) as u64;
    if !ready.is_empty() {
        let (keyring, ids) = (Arc::clone(&service.keyring), ready.clone());
        blocking(move || keyring.destroy(&ids)).await?;
        returned::gone(store, ready).await?;
    }
    done.copies = erase(service, store).await?;
    // Without progress the next pass would find the same again.
    done.more = buckets.len() == MAX_BUCKETS && done.keys > 0;
    Ok(done)
}

/// Step 2a: rewraps the copies of a bucket that live. Returns those that cannot be opened and may be lost with it.
pub(in crate::chat) async fn move_living(
    service: &Service,
    store: &Store,
    id: BucketId,
) -> Result<Vec<MessageId>, Error> {
    let Some(bucket) = service.keyring.get(id) else { return Ok(Vec::new()) };
    let kind = copies_of(bucket.kind);
    let (mut lost, mut after) = (Vec::new(), None);
    loop {
        let (rows, next) = in_bucket(&store.read()?, id, after, AT_ONCE)?;
        let living: Vec<Message> = rows.into_iter().filter(|row| row.dead_since(kind).is_none()).collect();
        let mut homes: Vec<Kind> = living.iter().map(|row| home(row, kind)).collect();
        homes.sort_unstable();
        homes.dedup();
        service.ensure(&homes).await?;
        let mut moves = Vec::with_capacity(living.len());
        for message in living {
            match rewrapped(service, &message, kind) {
                Some(moved) => moves.push(moved),
                None => lost.push(message.id),
            }
        }
        let keyring = Arc::clone(&service.keyring);
        store.write(move |tx, _| apply(tx, &moves, &keyring)).await?;
        match next {
            Some(next) => after = Some(next),
            None => return Ok(lost),
        }
    }
}

/// The same copy under the bucket where it belongs; nothing where it cannot be opened.
pub(in crate::chat) fn rewrapped(service: &Service, message: &Message, kind: CopyKind) -> Option<Move> {
    let from = message.copy(kind)?;
    let old = service.keyring.get(from.bucket())?;
    let new = service.keyring.current(home(message, kind))?;
    let entropy = service.keyring.entropy();
    let sealed = seal::rewrap(kind, &old, &new, &service.binding(message), &from.sealed(), entropy).ok()?;
    Some(Move { message: message.id, kind, from: from.clone(), to: StoredCopy::new(new.id, &sealed) })
}

impl Move {
    /// Puts the copy under its new bucket, unless something changed since it was rewrapped.
    pub(in crate::chat) fn apply(&self, row: &mut Message, keyring: &Keyring) -> bool {
        let fits = row.copy(self.kind) == Some(&self.from) && row.dead_since(self.kind).is_none();
        if fits && keyring.writable(self.to.bucket()) {
            *row.copy_mut(self.kind) = Some(self.to.clone());
            return true;
        }
        false
    }
}

fn apply(tx: &mut Tx<'_>, moves: &[Move], keyring: &Keyring) -> Result<(), Fault> {
    for moved in moves {
        if let Some(mut row) = tx.get::<Message>(&Key::of(moved.message))?
            && moved.apply(&mut row, keyring)
        {
            tx.put(&row)?;
        }
    }
    Ok(())
}

/// Step 2b: which of the buckets hold nothing that lives. Asked in the one write path, where every command that was
/// allowed to write into them has been before; and no other is allowed to.
pub(in crate::chat) async fn emptied(
    store: &Store,
    buckets: Vec<BucketId>,
    lost: BTreeSet<MessageId>,
) -> Result<Vec<BucketId>, Error> {
    store
        .write(move |tx, now| {
            let mut ready = Vec::new();
            for id in buckets {
                if is_emptied(tx, now, id, &lost)? {
                    ready.push(id);
                }
            }
            // Remembered before the file is replaced, so that no destroyed key is ever unknown.
            returned::remember(tx, now, &ready)?;
            Ok::<_, Error>(ready)
        })
        .await
}

fn is_emptied(tx: &Tx<'_>, now: Timestamp, id: BucketId, lost: &BTreeSet<MessageId>) -> Result<bool, Fault> {
    let mut after = None;
    loop {
        let (rows, next) = in_bucket(tx, id, after, MAX_PAGE)?;
        for row in rows {
            let ours = |kind| row.copy(kind).is_some_and(|copy| copy.bucket() == id) && row.dead_since(kind).is_none();
            if !ours(CopyKind::Participants) && !ours(CopyKind::Archive) {
                continue;
            }
            // One that cannot be opened goes with its bucket, but not while a hold stands over it.
            let conversation = tx.get::<Conversation>(&Key::of(row.conversation_id))?;
            let held = conversation.map_or(Ok(true), |conversation| hold::protects(tx, &conversation, now))?;
            if !lost.contains(&row.id) || held {
                return Ok(false);
            }
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(true),
        }
    }
}

/// Step 3: empties dead copies whose keys are gone, and deletes doomed messages that have no copy left.
pub(in crate::chat) async fn erase(service: &Service, store: &Store) -> Result<u64, Error> {
    let mut erased = 0;
    for kind in [CopyKind::Archive, CopyKind::Participants] {
        let mut after = None;
        loop {
            let front = Key::new().byte(kind.number());
            let page = Page::first(AT_ONCE).after(after);
            let rows = store.read()?.list_by::<Message>(MESSAGE_DEAD, &front, &page)?;
            let keyless =
                |row: &Message| row.copy(kind).is_some_and(|copy| service.keyring.get(copy.bucket()).is_none());
            let ids: Vec<MessageId> = rows.items.iter().filter(|row| keyless(row)).map(|row| row.id).collect();
            if !ids.is_empty() {
                let keyring = Arc::clone(&service.keyring);
                erased += store.write(move |tx, _| empty(tx, &ids, &keyring)).await?;
            }
            match rows.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(erased)
}

fn empty(tx: &mut Tx<'_>, ids: &[MessageId], keyring: &Keyring) -> Result<u64, Fault> {
    let mut erased = 0;
    for id in ids {
        let Some(mut row) = tx.get::<Message>(&Key::of(*id))? else { continue };
        for kind in [CopyKind::Archive, CopyKind::Participants] {
            let gone = row.copy(kind).is_some_and(|copy| keyring.get(copy.bucket()).is_none());
            if gone && row.dead_since(kind).is_some() {
                *row.copy_mut(kind) = None;
                erased += 1;
            }
        }
        if row.doomed_at.is_some() && row.participants.is_none() && row.archive.is_none() {
            tx.delete::<Message>(&Key::of(*id))?;
        } else {
            tx.put(&row)?;
        }
    }
    Ok(erased)
}
