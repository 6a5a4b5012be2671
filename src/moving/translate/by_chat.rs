//! The chat service's rows.

use crate::base::id::{ConversationId, UserId};
use crate::base::text::Reason;
use crate::base::time::Timestamp;
use crate::chat::audit::Action;
use crate::chat::body::Body;
use crate::chat::seal::away::Away;
use crate::chat::takeover::{self, OldAudit, OldConversation, OldHold, OldMessage, OldText};
use crate::ledger::What;
use crate::moving::cell::{Cell, Refusal, Row};
use crate::moving::cipher::Opened;
use crate::moving::translate::{Context, Old, Translated, Verdict};

/// What stands where the old service had no reason, or one that is shorter than this box asks for.
const TAKEN_OVER: &str = "(taken over)";
/// Letters of a reason that fit beside that mark.
const MAX_REASON: usize = 480;

/// A reason, with a mark where it is too short; cut where it is too long.
fn reason(text: Option<&str>) -> Reason {
    let cut: String = text.unwrap_or_default().chars().filter(|c| !c.is_control()).take(MAX_REASON).collect();
    let marked = || format!("{TAKEN_OVER} {cut}").trim().to_owned();
    #[expect(clippy::expect_used, reason = "the mark alone has 12 letters, and the rest is cut")]
    cut.parse().or_else(|_| marked().parse()).expect("a marked reason has 12 to 500 letters")
}

/// Whether a hold stands: a flag, or a word of a state.
fn held(row: &Row<'_>) -> Result<bool, Verdict> {
    match row.flag("hold") {
        Ok(flag) => Ok(flag.unwrap_or(false)),
        Err(_) => match row.must_text("hold")?.to_ascii_lowercase().as_str() {
            "held" | "hold" | "on_hold" | "active" | "legal_hold" | "placed" => Ok(true),
            "none" | "released" | "free" | "inactive" | "normal" | "not_held" => Ok(false),
            // Whatever else stands there: a hold too many is put right, a hold too few is not.
            _ => Ok(true),
        },
    }
}

pub(in crate::moving) fn conversation(context: &Context<'_>, row: &Row<'_>) -> Result<Translated, Verdict> {
    let id = row.must_id("id")?;
    let (mut distributor_id, mut customer_id): (UserId, UserId) =
        (row.must_id("distributor_id")?, row.must_id("customer_id")?);
    if distributor_id == customer_id {
        return Err(Verdict::Refused("customer_id: both participants are the same".to_owned()));
    }
    let (first, second) = (context.user(distributor_id)?, context.user(customer_id)?);
    // Stores that do not say who is who.
    let swapped = |a: &crate::identity::users::UserInfo, b: &crate::identity::users::UserInfo| {
        a.is_customer() && b.is_distributor()
    };
    let mut remarks = Vec::new();
    match (&first, &second) {
        (Some(first), Some(second)) if swapped(first, second) => {
            std::mem::swap(&mut distributor_id, &mut customer_id);
        }
        (Some(_), Some(_)) => {}
        _ => remarks.push((What::Remark, "a participant has no account here; moderators alone see it".to_owned())),
    }
    let hold = held(row)?.then(|| -> Result<OldHold, Refusal> {
        Ok(OldHold {
            reason: reason(row.text("hold_reason")?.as_deref()),
            placed_by: row.id("hold_by")?,
            placed_at: row.time("hold_at")?,
        })
    });
    let created_at = row.time("created_at")?.unwrap_or(context.now);
    let old = OldConversation { id, distributor_id, customer_id, hold: hold.transpose()?, created_at };
    Ok(Translated { old: Old::Conversation(old), remarks })
}

/// A column that is a set of users, a flag, or a time.
enum Mark {
    Unset,
    Users(Vec<UserId>),
    Set(Option<Timestamp>),
}

fn mark(row: &Row<'_>, field: &str, participants: [UserId; 2]) -> Result<Mark, Refusal> {
    if matches!(row.cell(field), Cell::Null) {
        return Ok(Mark::Unset);
    }
    let Some(text) = row.text(field)? else { return Ok(Mark::Unset) };
    let users = row.ids::<UserId>(field).unwrap_or_default();
    let ours: Vec<UserId> = users.iter().copied().filter(|user| participants.contains(user)).collect();
    if !ours.is_empty() {
        return Ok(Mark::Users(ours));
    }
    match row.flag(field) {
        Ok(Some(true)) => return Ok(Mark::Set(None)),
        Ok(Some(false) | None) => return Ok(Mark::Unset),
        Err(_) => {}
    }
    match row.time(field) {
        Ok(at) => Ok(Mark::Set(at)),
        // An empty set, or one of people who take no part.
        Err(_) if text.starts_with(['[', '{']) || !users.is_empty() => Ok(Mark::Unset),
        Err(refusal) => Err(refusal),
    }
}

fn text(context: &Context<'_>, row: &Row<'_>, remarks: &mut Vec<(What, String)>) -> Result<OldText, Verdict> {
    let cell = row.cell("ciphertext");
    let closed = |bytes: Vec<u8>, why: &str, remarks: &mut Vec<(What, String)>| {
        remarks.push((What::Unopened, why.to_owned()));
        OldText::Unopened(bytes)
    };
    // From a box whose archive is sealed to a key off it: no key of the old services opens that.
    if let Cell::Text(text) = cell
        && let Ok(away) = Away::from_text(text)
    {
        remarks.push((What::Unopened, "it is sealed to a key that is kept elsewhere, and stays so".to_owned()));
        return Ok(OldText::Away(away));
    }
    match context.keys.open(cell, context.cipher) {
        Opened::Empty => Err(Verdict::Refused("ciphertext: it is empty".to_owned())),
        Opened::Broken(why) => Err(Verdict::Refused(format!("ciphertext: {why}"))),
        Opened::Closed(bytes, why) => Ok(closed(bytes, why, remarks)),
        Opened::Text(text) => match (Body::parse(text.to_string()), cell) {
            (Ok(body), _) => Ok(OldText::Open(body)),
            // What was sealed there may stay as it is; what was not must not be kept in plain text.
            (Err(_), Cell::Text(sealed)) if *sealed != *text => Ok(closed(
                sealed.as_bytes().to_vec(),
                "its text has more than 4,000 characters, none, or a NUL",
                remarks,
            )),
            (Err(_), Cell::Bytes(sealed)) if sealed.as_slice() != text.as_bytes() => {
                Ok(closed(sealed.clone(), "its text has more than 4,000 characters, none, or a NUL", remarks))
            }
            (Err(why), _) => Err(Verdict::Refused(format!("ciphertext: {why}"))),
        },
    }
}

pub(in crate::moving) fn message(context: &Context<'_>, row: &Row<'_>) -> Result<Translated, Verdict> {
    let id = row.must_id("id")?;
    let named: ConversationId = row.must_id("conversation_id")?;
    let conversation_id = context.conversation(named);
    let Some(conversation) = takeover::conversation(&context.read, conversation_id)? else {
        return Err(Verdict::Refused(format!("conversation_id: there is no conversation {named}")));
    };
    let sender_id: UserId = row.must_id("sender_id")?;
    let participants = [conversation.distributor_id, conversation.customer_id];
    let recipient = match participants {
        [one, two] if one == sender_id => two,
        [one, two] if two == sender_id => one,
        _ => return Err(Verdict::Refused(format!("sender_id: {sender_id} takes no part in conversation {named}"))),
    };
    let created_at = row.must_time("created_at")?;
    let expires_at = row.time("expires_at")?;
    let (mut delivered_at, mut read_at) = (row.time("delivered_at")?, row.time("read_at")?);
    let receipt = |field: &str, at: &mut Option<Timestamp>| -> Result<Vec<UserId>, Refusal> {
        let mut users = match mark(row, field, participants)? {
            Mark::Unset => Vec::new(),
            Mark::Users(users) => users,
            Mark::Set(when) => {
                *at = at.or(when);
                vec![recipient]
            }
        };
        if at.is_some() && !users.contains(&recipient) {
            users.push(recipient);
        }
        if users.contains(&recipient) && at.is_none() {
            *at = Some(created_at);
        }
        Ok(users)
    };
    let mut delivered_by = receipt("delivered_to", &mut delivered_at)?;
    let read_by = receipt("read_by", &mut read_at)?;
    if let Some(at) = read_at
        && delivered_at.is_none()
    {
        delivered_at = Some(at);
        delivered_by.push(recipient);
    }
    let (deleted_for, gone_at) = match mark(row, "deleted_for", participants)? {
        Mark::Unset => (Vec::new(), None),
        Mark::Users(users) => (users, None),
        Mark::Set(at) => (Vec::new(), Some(at.unwrap_or(created_at))),
    };
    let all_deleted = participants.iter().all(|user| deleted_for.contains(user)).then_some(created_at);
    let mut remarks = Vec::new();
    let old = OldMessage {
        id,
        conversation_id,
        sender_id,
        text: text(context, row, &mut remarks)?,
        created_at,
        expires_at,
        delivered_by,
        read_by,
        delivered_at,
        read_at,
        deleted_for,
        // Who has read it has made it vanish, as here.
        vanished_at: gone_at.or(read_at).or(all_deleted),
    };
    Ok(Translated { old: Old::Message(Box::new(context.app.chat.as_taken(old))), remarks })
}

pub(in crate::moving) fn audit(context: &Context<'_>, row: &Row<'_>) -> Result<Translated, Verdict> {
    let word = row.text("action")?.unwrap_or_default().to_ascii_lowercase();
    let action = match word.as_str() {
        word if word.contains("release") || word.contains("unhold") => Action::HoldReleased,
        word if word.contains("hold") => Action::HoldPlaced,
        word if word.contains("export") => Action::Export,
        word if word.contains("report") => Action::Reported,
        _ => Action::Review,
    };
    let conversation: Option<ConversationId> = row.id("conversation_id")?;
    Ok(Old::Audit(OldAudit {
        id: row.must_id("id")?,
        conversation_id: conversation.map(|id| context.conversation(id)),
        moderator_id: row.must_id("moderator_id")?,
        action,
        reason: reason(Some(&row.must_text("reason")?)),
        at: row.time("created_at")?.unwrap_or(context.now),
    })
    .into())
}
