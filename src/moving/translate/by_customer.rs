//! The customer service's rows.

use crate::base::id::{InviteId, UserId};
use crate::base::text::Alias;
use crate::customer::takeover::{OldInvite, OldRelationship, digest_of};
use crate::ledger::What;
use crate::moving::cell::{Cell, Row, token_id};
use crate::moving::translate::{Context, Old, Translated, Verdict};

/// The id of an invite. Where a store has no other, it is taken from the token's digest: the token itself is a secret.
fn invite_id(row: &Row<'_>, token: &str) -> Result<InviteId, Verdict> {
    if row.text("id")?.as_deref() == Some(token) {
        return token_id(token).parse().map_err(|_| Verdict::Refused("id: it is no id".to_owned()));
    }
    Ok(row.must_id("id")?)
}

fn marked(row: &Row<'_>, field: &str) -> bool {
    match row.cell(field) {
        Cell::Null => false,
        _ => row.flag(field).unwrap_or(Some(true)).unwrap_or(false),
    }
}

fn alias(row: &Row<'_>, remarks: &mut Vec<(What, String)>) -> Option<Alias> {
    match row.bounded::<Alias>("distributor_alias") {
        Ok(alias) => alias,
        Err(why) => {
            remarks.push((What::Remark, format!("{}; it was left out", why.0)));
            None
        }
    }
}

pub(in crate::moving) fn invite(context: &Context<'_>, row: &Row<'_>) -> Result<Translated, Verdict> {
    let token = row.must_text("token")?;
    let id = invite_id(row, &token)?;
    let distributor_id: UserId = row.must_id("distributor_id")?;
    let distributor = context.must_user("distributor_id", distributor_id)?;
    let expires_at = row.must_time("expires_at")?;
    if !matches!(row.cell("redeemed_by_user_id"), Cell::Null) && row.text("redeemed_by_user_id")?.is_some() {
        return Err(Verdict::Dropped("used"));
    }
    if marked(row, "revoked") {
        return Err(Verdict::Dropped("revoked"));
    }
    if expires_at <= context.now {
        return Err(Verdict::Dropped("expired"));
    }
    let mut remarks = Vec::new();
    let distributor_alias = alias(row, &mut remarks).or(distributor.alias);
    let old = Old::Invite(OldInvite {
        id,
        token_digest: digest_of(&token),
        distributor_id,
        distributor_alias,
        status: "open",
        expires_at,
        redeemed_by_user_id: None,
        created_at: row.time("created_at")?.unwrap_or(context.now),
    });
    Ok(Translated { old, remarks })
}

/// Whether a relationship is over: a word or a flag of its state.
fn ended(row: &Row<'_>) -> Result<bool, Verdict> {
    let Some(word) = row.text("status")? else { return Ok(false) };
    match word.to_ascii_lowercase().as_str() {
        "active" | "true" | "t" | "1" | "yes" | "open" | "current" => Ok(false),
        "ended" | "inactive" | "false" | "f" | "0" | "no" | "closed" | "terminated" | "removed" | "cancelled" => {
            Ok(true)
        }
        other => Err(Verdict::Refused(format!("status: {other:?} is no state of a relationship"))),
    }
}

pub(in crate::moving) fn relationship(context: &Context<'_>, row: &Row<'_>) -> Result<Translated, Verdict> {
    let id = row.must_id("id")?;
    let (customer_id, distributor_id): (UserId, UserId) = (row.must_id("customer_id")?, row.must_id("distributor_id")?);
    let customer = context.must_user("customer_id", customer_id)?;
    context.must_user("distributor_id", distributor_id)?;
    let created_at = row.time("created_at")?.unwrap_or(context.now);
    let ended_at = match (row.time("ended_at")?, ended(row)?) {
        (Some(at), _) => Some(at),
        (None, true) => Some(created_at),
        (None, false) => None,
    };
    let mut remarks = Vec::new();
    let distributor_alias = alias(row, &mut remarks);
    let old = Old::Relationship(OldRelationship {
        id,
        customer_id,
        distributor_id,
        customer_username: customer.username,
        distributor_alias,
        created_at,
        ended_at,
    });
    Ok(Translated { old, remarks })
}
