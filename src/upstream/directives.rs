//! Central's orders: asked for at every contact, carried out once and in order by the domains' own functions, answered by the log.
//!
//! ```text
//!   central   1 hold   2 suspend   3 hold (unknown conversation)   4 release
//!   box       applied  applied     refused: not found              applied      one transaction each, with its answer
//! ```
//! A refusal is an answer too, so one bad order blocks nothing; only a store that fails does, until it works again. The last answer
//! is the place to go on from: a box that was set back to an older copy carries out again what it has forgotten.

use serde::Deserialize;
use uuid::Uuid;

use replication::error::Error as Central;
use replication::upstream::{Directive, Upstream};

use crate::app::App;
use crate::base::id::{ConversationId, UserId};
use crate::base::notice::Notice;
use crate::base::text::{Alias, Reason, Username};
use crate::base::time::Timestamp;
use crate::chat::hold::{self, Placer, Terms};
use crate::chat::scope::Scope;
use crate::identity::accounts::{self, Change, NewUser};
use crate::identity::users::{self, Role};
use crate::store::answers::{self, Answer, Fate, Longer};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::locked::{self, Locked};
use crate::store::page::{MAX_PAGE, Page};
use crate::store::tx::Tx;
use crate::store::writer::AsFault;

/// Orders asked for at once.
const AT_ONCE: u32 = 50;
/// Seconds of a day.
const DAY: u64 = 86_400;
/// Days beyond which a retention is a typing mistake: a century.
const MAX_DAYS: u32 = 36_525;

/// Why orders could not be asked for or carried out now.
#[derive(Debug, thiserror::Error)]
pub enum Halt {
    /// Central cannot be asked.
    #[error(transparent)]
    Central(#[from] Central),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Fault),
}

/// Why an order is refused, in words for central's operator.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("{0}")]
    Said(String),
    #[error(transparent)]
    Store(#[from] Fault),
}

impl AsFault for Refusal {
    fn as_fault(&self) -> Option<&Fault> {
        match self {
            Self::Store(fault) => Some(fault),
            Self::Said(_) => None,
        }
    }
}

/// A domain's error as a refusal, unless it is the store's.
fn refused<E: AsFault + std::fmt::Display>(error: E) -> Refusal {
    match error.as_fault() {
        Some(fault) => Refusal::Store(fault.clone()),
        None => Refusal::Said(error.to_string()),
    }
}

/// An order that is understood.
enum Order {
    Hold { scope: Scope, reason: Reason },
    Release { scope: Scope, reason: Reason },
    Suspend { who: Who, suspended: bool },
    Provision(NewUser),
    Archive { days: u32 },
    Revoke { reason: Reason },
    Reinstate,
}

#[derive(Clone)]
enum Who {
    Id(UserId),
    Name(Username),
}

/// What the arguments may be, of all kinds together; each kind asks for its own.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Arguments {
    conversation_id: Option<String>,
    distributor_id: Option<String>,
    customer_id: Option<String>,
    reason: Option<String>,
    user_id: Option<String>,
    username: Option<String>,
    alias: Option<String>,
    archive_days: Option<u32>,
}

/// Asks for new orders and carries them out; how many.
///
/// # Errors
/// [`Halt`]; what was carried out stays so, and the next round goes on behind it.
pub async fn poll(app: &App, central: &impl Upstream) -> Result<usize, Halt> {
    let mut done = 0;
    loop {
        let last = answers::last(&app.store.read()?)?;
        let orders = central.directives(i64::try_from(last).unwrap_or(i64::MAX), AT_ONCE).await?;
        if orders.is_empty() {
            return Ok(done);
        }
        for order in &orders {
            carry_out(app, order).await?;
            done += 1;
        }
    }
}

/// Carries out one order and answers it, in one transaction.
pub(in crate::upstream) async fn carry_out(app: &App, directive: &Directive) -> Result<(), Fault> {
    let Ok(seq) = u64::try_from(directive.seq) else { return Ok(()) };
    let kind: String = directive.kind.chars().take(64).collect();
    let answer = move |fate, detail, at| Answer { seq, kind: kind.clone(), fate, detail, at };
    let refusal = match understand(app, directive).await {
        Ok(order) => {
            let (placer, archive) = (issuer(&directive.issued_by), app.config.archive);
            let terms = Terms { grace: app.config.hold_grace, second_moderator: false };
            let applied = answer.clone();
            let done = app.store.reserved().write(move |tx, now| {
                // An answer that is there already came by a second poll: the order has had its effect.
                if answers::last(tx)? >= seq {
                    return Ok(());
                }
                let detail = act(tx, now, seq, order, placer, archive, terms)?;
                Ok(tx.put(&applied(Fate::Applied, detail, now))?)
            });
            match done.await {
                Ok(()) => None,
                Err(Refusal::Said(reason)) => Some(reason),
                Err(Refusal::Store(fault)) => return Err(fault),
            }
        }
        Err(Refusal::Said(reason)) => Some(reason),
        Err(Refusal::Store(fault)) => return Err(fault),
    };
    if let Some(reason) = &refusal {
        let reason: String = reason.chars().filter(|c| *c != '\0').take(300).collect();
        app.store.reserved().write(move |tx, now| tx.put(&answer(Fate::Refused, Some(reason), now))).await?;
    }
    app.note_lock()?;
    tracing::info!(seq, kind = directive.kind, refused = refusal, "an order of central's was answered");
    Ok(())
}

/// What a hold is to cover.
fn scope(given: &Arguments) -> Option<Scope> {
    let ids = (given.conversation_id.as_deref(), given.distributor_id.as_deref(), given.customer_id.as_deref());
    match ids {
        (Some(id), None, None) => id.parse::<ConversationId>().ok().map(Scope::Conversation),
        (None, Some(id), None) => id.parse::<UserId>().ok().map(Scope::Distributor),
        (None, Some(id), Some(customer)) => {
            Some(Scope::Relationship { distributor: id.parse().ok()?, customer: customer.parse().ok()? })
        }
        _ => None,
    }
}

async fn understand(app: &App, directive: &Directive) -> Result<Order, Refusal> {
    let say = |text: &str| Refusal::Said(text.to_owned());
    let given: Arguments =
        serde_json::from_str(&directive.arguments).map_err(|error| Refusal::Said(format!("the arguments: {error}")))?;
    let scope =
        || scope(&given).ok_or_else(|| say("it takes a conversation_id, a distributor_id, or that and a customer_id"));
    let reason = || {
        let text = given.reason.as_deref().ok_or_else(|| say("reason is missing"))?;
        text.parse::<Reason>().map_err(|error| Refusal::Said(format!("reason: {error}")))
    };
    let named = || {
        let text = given.username.as_deref().ok_or_else(|| say("username is missing"))?;
        text.parse::<Username>().map_err(|error| Refusal::Said(format!("username: {error}")))
    };
    match directive.kind.as_str() {
        "hold" => Ok(Order::Hold { scope: scope()?, reason: reason()? }),
        "release" => Ok(Order::Release { scope: scope()?, reason: reason()? }),
        "suspend" | "restore" => {
            let who = match &given.user_id {
                Some(id) => Who::Id(id.parse().map_err(|_| say("user_id is no id"))?),
                None => Who::Name(named()?),
            };
            Ok(Order::Suspend { who, suspended: directive.kind == "suspend" })
        }
        "provision_distributor" => {
            let alias = given.alias.as_deref().map(str::parse::<Alias>).transpose();
            let alias = alias.map_err(|error| Refusal::Said(format!("alias: {error}")))?;
            provision(app, named()?, alias).await.map(Order::Provision)
        }
        "settings" => {
            let days = given.archive_days.filter(|days| (1..=MAX_DAYS).contains(days));
            Ok(Order::Archive { days: days.ok_or_else(|| say("archive_days is missing or out of range"))? })
        }
        "revoke" => Ok(Order::Revoke { reason: reason()? }),
        "reinstate" => reason().map(|_| Order::Reinstate),
        _ => Err(say("this version of the box does not know the order")),
    }
}

/// A distributor's account. Its temporary password never leaves the box: the owner makes one to hand over (`user reset-password`).
async fn provision(app: &App, username: Username, alias: Option<Alias>) -> Result<NewUser, Refusal> {
    let id = app.identity.new_user_id(app.clock.now());
    let (_nonce, password) = app.identity.make_temporary(id).await.map_err(refused)?;
    Ok(NewUser { id, username, role: Role::Distributor, alias, phone: None, password, temporary: true })
}

/// The act itself; what is to be known besides.
fn act(
    tx: &mut Tx<'_>,
    now: Timestamp,
    seq: u64,
    order: Order,
    issuer: UserId,
    archive: std::time::Duration,
    terms: Terms,
) -> Result<Option<String>, Refusal> {
    match order {
        Order::Hold { scope, reason } => {
            let change = hold::place(tx, now, Placer::Central(issuer), scope, reason).map_err(refused)?;
            Ok((change.count > 0).then(|| format!("{} messages had been doomed before", change.count)))
        }
        Order::Release { scope, reason } => {
            hold::release(tx, now, Placer::Central(issuer), scope, reason, terms).map_err(refused)?;
            Ok(None)
        }
        Order::Suspend { who, suspended } => {
            let user = match who {
                Who::Id(id) => id,
                Who::Name(name) => {
                    users::by_username(tx, &name)?.ok_or_else(|| Refusal::Said("not found".to_owned()))?.id
                }
            };
            let change = Change { suspended: Some(suspended), ..Change::default() };
            accounts::apply(tx, now, user, change).map_err(refused)?;
            Ok(None)
        }
        Order::Provision(new) => {
            let id = accounts::create(tx, now, new).map_err(refused)?;
            Ok(Some(format!("user {id}; the owner gives it a password with: whotbox user reset-password")))
        }
        Order::Archive { days } => {
            let present = answers::archive_days(tx)?.map_or(0, u64::from).max(archive.as_secs() / DAY);
            if u64::from(days) < present {
                return Err(Refusal::Said(format!("an order never shortens retention: it is {present} days")));
            }
            tx.put(&Longer { archive_days: days })?;
            Ok(Some("from the next start of the box".to_owned()))
        }
        Order::Revoke { reason } => {
            if locked::of(tx)?.is_some() {
                return Err(Refusal::Said("this box is shut already".to_owned()));
            }
            tx.put(&Locked { seq, reason: reason.to_string(), at: now, wiped_at: None })?;
            everybody_out(tx)?;
            Ok(Some("shut; its keys are wiped once central has every row and key".to_owned()))
        }
        Order::Reinstate => match locked::of(tx)? {
            None => Err(Refusal::Said("this box is not shut".to_owned())),
            Some(lock) if lock.wiped_at.is_some() => {
                Err(Refusal::Said("its keys are wiped: rebuild it from central (whotbox sync rebuild)".to_owned()))
            }
            Some(_) => {
                tx.delete::<Locked>(&Key::new())?;
                Ok(None)
            }
        },
    }
}

/// Every socket looks again whether it may stay.
fn everybody_out(tx: &mut Tx<'_>) -> Result<(), Fault> {
    let mut page = Page::first(MAX_PAGE);
    loop {
        let some = users::list(tx, None, &page)?;
        some.items.iter().for_each(|user| tx.notify(Notice::UserRevoked(user.id)));
        if some.next.is_none() {
            return Ok(());
        }
        page = Page::first(MAX_PAGE).after(some.next);
    }
}

/// Who stands in the box's records for an order: central's login.
fn issuer(login: &str) -> UserId {
    let name: String = login.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(48).collect();
    format!("central:{name}").parse().unwrap_or_else(|_| UserId::from(crate::base::id::RawId::from_uuid(Uuid::nil())))
}
