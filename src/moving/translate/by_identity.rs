//! The identity service's rows.

use crate::base::digest::plain_sha256;
use crate::base::id::UserId;
use crate::base::text::{Alias, Phone, Username};
use crate::base::time::Timestamp;
use crate::identity::legacy::{Earning, Influencer, LegacyRow, LegacyTable, Referral, UserInfluencerCode};
use crate::identity::passwords::PasswordHash;
use crate::identity::takeover::{OldAttempt, OldSession, OldUser};
use crate::identity::users::{AccountType, Role, Status};
use crate::ledger::What;
use crate::moving::cell::{Cell, Refusal, Row};
use crate::moving::translate::{Context, Old, Translated, Verdict};

/// A token's digest in hexadecimal has so many letters.
const HEX_DIGEST: usize = 64;

fn refused<T>(why: impl Into<String>) -> Result<T, Verdict> {
    Err(Verdict::Refused(why.into()))
}

/// What services call a role or a kind of account.
fn role(word: &str) -> Option<Role> {
    match word.to_ascii_lowercase().as_str() {
        "admin" | "administrator" | "superuser" | "superadmin" | "owner" | "root" => Some(Role::Admin),
        "distributor" | "dist" | "reseller" | "dealer" => Some(Role::Distributor),
        "customer" | "user" | "player" | "member" | "client" => Some(Role::Customer),
        "moderator" | "mod" | "reviewer" | "compliance" => Some(Role::Moderator),
        _ => None,
    }
}

fn account_type(word: &str) -> Option<AccountType> {
    match word.to_ascii_lowercase().as_str() {
        "staff" | "internal" | "employee" => Some(AccountType::Staff),
        word => role(word).map(AccountType::of),
    }
}

fn status(word: &str) -> Option<Status> {
    match word.to_ascii_lowercase().as_str() {
        "active" | "enabled" | "ok" | "true" | "t" | "1" | "yes" | "normal" | "verified" => Some(Status::Active),
        "suspended" | "disabled" | "blocked" | "banned" | "inactive" | "locked" | "false" | "f" | "0" | "no"
        | "deactivated" => Some(Status::Suspended),
        _ => None,
    }
}

/// `role` and `account_type` as far as they are there: either tells the other.
fn standing(row: &Row<'_>) -> Result<(Role, AccountType), Verdict> {
    let (role_word, type_word) = (row.text("role")?, row.text("account_type")?);
    let own = match &role_word {
        Some(word) => Some(role(word).ok_or_else(|| Refusal(format!("role: {word:?} is no role")))?),
        None => None,
    };
    let kind = match &type_word {
        Some(word) => {
            Some(account_type(word).ok_or_else(|| Refusal(format!("account_type: {word:?} is no kind of account")))?)
        }
        None => None,
    };
    match (own, kind) {
        (Some(role), Some(kind)) => Ok((role, kind)),
        (Some(role), None) => Ok((role, AccountType::of(role))),
        (None, Some(AccountType::Distributor)) => Ok((Role::Distributor, AccountType::Distributor)),
        (None, Some(AccountType::Customer)) => Ok((Role::Customer, AccountType::Customer)),
        (None, Some(AccountType::Staff)) => refused("role: it is empty, and staff may be admins or moderators"),
        (None, None) => refused("role: neither it nor account_type is there"),
    }
}

/// A name that fits: as it was, without its case, or with what does not fit replaced.
fn username(row: &Row<'_>) -> Result<(Username, Option<String>), Verdict> {
    let text = row.must_text("username")?;
    if let Ok(name) = text.parse::<Username>() {
        return Ok((name, None));
    }
    let fit = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '-' };
    let mut made: String = text.chars().map(fit).take(24).collect();
    while made.len() < 3 {
        made.push('-');
    }
    match made.parse::<Username>() {
        Ok(name) => {
            let note = format!("{text} -> {name}");
            Ok((name, Some(note)))
        }
        Err(why) => refused(format!("username: {why}")),
    }
}

/// A phone number that fits, or a remark that it does not: nobody is refused for a number.
fn phone(row: &Row<'_>, remarks: &mut Vec<(What, String)>) -> Option<Phone> {
    match row.bounded::<Phone>("phone") {
        Ok(phone) => phone,
        Err(_) => {
            remarks.push((What::Remark, "phone: the number is not written with its country, and was left out".into()));
            None
        }
    }
}

/// `phone_verified` as a flag, a time or a word.
fn phone_verified(row: &Row<'_>) -> bool {
    match row.flag("phone_verified") {
        Ok(flag) => flag.unwrap_or(false),
        Err(_) => match row.text("phone_verified") {
            Ok(Some(word)) => {
                word.eq_ignore_ascii_case("verified") || row.time("phone_verified").is_ok_and(|at| at.is_some())
            }
            Ok(None) | Err(_) => false,
        },
    }
}

pub(in crate::moving) fn user(context: &Context<'_>, row: &Row<'_>) -> Result<Translated, Verdict> {
    let id: UserId = row.must_id("id")?;
    let (username, renamed) = username(row)?;
    let (role, account_type) = standing(row)?;
    let mut remarks: Vec<_> = renamed.map(|note| (What::Renamed, note)).into_iter().collect();
    let phone = phone(row, &mut remarks).map(|phone| context.app.identity.seal_phone(id, &phone));
    let alias = match row.bounded::<Alias>("alias") {
        Ok(alias) => alias,
        Err(Refusal(why)) => {
            remarks.push((What::Remark, format!("{why}; it was left out")));
            None
        }
    };
    let status = match row.text("status")? {
        Some(word) => status(&word).ok_or_else(|| Refusal(format!("status: {word:?} is no status")))?,
        None => Status::Active,
    };
    let hash = row.text("password_hash")?;
    let password = hash.as_deref().and_then(PasswordHash::taken_over);
    Ok(Translated {
        old: Old::User(Box::new(OldUser {
            id,
            username,
            role,
            account_type,
            distributor_id: row.id("distributor_id")?,
            alias,
            phone_verified: phone.is_some() && phone_verified(row),
            phone,
            vip_enabled: row.flag("vip_enabled")?.unwrap_or(false),
            status,
            temporary: password.is_none(),
            password,
            created_at: row.time("created_at")?.unwrap_or(context.now),
        })),
        remarks,
    })
}

/// Whether a mark is set: a flag that is true, a time, or another row's id.
fn marked(row: &Row<'_>, field: &str) -> bool {
    match row.cell(field) {
        Cell::Null => false,
        _ => row.flag(field).unwrap_or(Some(true)).unwrap_or(false),
    }
}

pub(in crate::moving) fn session(context: &Context<'_>, row: &Row<'_>) -> Result<Translated, Verdict> {
    let id = row.must_id("id")?;
    let user_id: UserId = row.must_id("user_id")?;
    context.must_user("user_id", user_id)?;
    if marked(row, "revoked") {
        return Err(Verdict::Dropped("revoked"));
    }
    if marked(row, "used") {
        return Err(Verdict::Dropped("used"));
    }
    let Some(expires_at) = row.time("expires_at")? else { return Err(Verdict::Dropped("without an end")) };
    if expires_at <= context.now {
        return Err(Verdict::Dropped("expired"));
    }
    let token = row.must_text("token")?;
    let digest = if token.len() == HEX_DIGEST { unhex(&token) } else { None };
    let token_digest = digest.unwrap_or_else(|| plain_sha256(token.as_bytes()));
    let created_at = row.time("created_at")?.unwrap_or(context.now);
    Ok(Old::Session(OldSession { id, user_id, token_digest, created_at, expires_at }).into())
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let byte = |two: &[u8]| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok();
    text.as_bytes().chunks(2).map(byte).collect::<Option<Vec<u8>>>()?.try_into().ok()
}

pub(in crate::moving) fn attempt(context: &Context<'_>, row: &Row<'_>) -> Result<Translated, Verdict> {
    let id = row.must_id("id")?;
    let at: Timestamp = row.must_time("created_at")?;
    let success = match row.flag("success") {
        Ok(flag) => flag.unwrap_or(false),
        Err(_) => {
            let word = row.must_text("success")?.to_ascii_lowercase();
            ["success", "succeeded", "ok"].contains(&word.as_str())
        }
    };
    let name = row.text("username")?;
    let by_id = match row.id::<UserId>("user_id")? {
        Some(user) => context.user(user)?,
        None => None,
    };
    let user = match (by_id, &name) {
        (Some(user), _) => Some(user),
        (None, Some(name)) => context.named(name)?,
        (None, None) => None,
    };
    let username = match (&user, name) {
        (Some(user), _) => user.username.to_string(),
        (None, Some(name)) => context.app.identity.pseudonym_of(&name.to_lowercase()),
        (None, None) => return refused("username: neither it nor user_id says whose it was"),
    };
    let address = row.text("address")?;
    Ok(Old::Attempt(OldAttempt { id, username, user_id: user.map(|user| user.id), success, address, at }).into())
}

pub(in crate::moving) fn code(context: &Context<'_>, row: &Row<'_>) -> Result<Translated, Verdict> {
    if marked(row, "used") {
        return Err(Verdict::Dropped("used"));
    }
    match row.time("expires_at")? {
        Some(at) if at > context.now => Err(Verdict::Dropped("still open: a new one is asked for in a moment")),
        Some(_) | None => Err(Verdict::Dropped("expired")),
    }
}

/// The columns that no field names, as the reader gathered them.
fn extra(row: &Row<'_>) -> Result<String, Refusal> {
    Ok(row.text("extra")?.unwrap_or_else(|| "{}".to_owned()))
}

fn legacy(table: LegacyTable, row: LegacyRow) -> Translated {
    Old::Legacy(table, Box::new(row)).into()
}

pub(in crate::moving) fn influencer(row: &Row<'_>) -> Result<Translated, Verdict> {
    Ok(legacy(
        LegacyTable::Influencers,
        LegacyRow::Influencer(Influencer {
            id: row.must_id("id")?,
            user_id: row.id("user_id")?,
            name: row.text("name")?,
            code: row.text("code")?,
            status: row.text("status")?,
            created_at: row.time("created_at")?,
            extra: extra(row)?,
        }),
    ))
}

pub(in crate::moving) fn referral(row: &Row<'_>) -> Result<Translated, Verdict> {
    Ok(legacy(
        LegacyTable::Referrals,
        LegacyRow::Referral(Referral {
            id: row.must_id("id")?,
            influencer_id: row.id("influencer_id")?,
            referred_user_id: row.id("referred_user_id")?,
            code: row.text("code")?,
            status: row.text("status")?,
            created_at: row.time("created_at")?,
            extra: extra(row)?,
        }),
    ))
}

pub(in crate::moving) fn earning(row: &Row<'_>) -> Result<Translated, Verdict> {
    Ok(legacy(
        LegacyTable::Earnings,
        LegacyRow::Earning(Earning {
            id: row.must_id("id")?,
            influencer_id: row.id("influencer_id")?,
            referral_id: row.id("referral_id")?,
            amount_minor: row.number("amount_minor")?,
            currency: row.text("currency")?,
            status: row.text("status")?,
            created_at: row.time("created_at")?,
            extra: extra(row)?,
        }),
    ))
}

pub(in crate::moving) fn user_code(row: &Row<'_>) -> Result<Translated, Verdict> {
    Ok(legacy(
        LegacyTable::UserInfluencerCodes,
        LegacyRow::UserInfluencerCode(UserInfluencerCode {
            id: row.must_id("id")?,
            user_id: row.id("user_id")?,
            influencer_id: row.id("influencer_id")?,
            code: row.text("code")?,
            created_at: row.time("created_at")?,
            extra: extra(row)?,
        }),
    ))
}
