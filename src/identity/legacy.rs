//! Tables of the old identity service that the box keeps and replicates, and no route serves: influencers,
//! referrals, earnings and influencer codes.
//!
//! The import alone writes them. What the old service knew beyond the named columns stands in `extra`, as JSON.

use replication::row::{Lane, Table, Type, Value};
use serde::{Deserialize, Serialize};

use crate::base::id::{LegacyId, UserId};
use crate::base::time::Timestamp;
use crate::store::columns::{RECORD, column, nullable, number_or_null, text_or_null, time_or_null};
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{Listed, Page};
use crate::store::read::{Read, ReadExt};
use crate::store::record::{Record, TableId, Upstream};
use crate::store::tx::Tx;

/// A person who brought players to the old service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Influencer {
    /// Its id in the old service.
    pub id: LegacyId,
    /// The account, if there was one.
    pub user_id: Option<UserId>,
    /// The name.
    pub name: Option<String>,
    /// The code that was passed around.
    pub code: Option<String>,
    /// The old service's word for the state.
    pub status: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// All else, as a JSON object.
    pub extra: String,
}

/// A user whom an influencer brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Referral {
    /// Its id in the old service.
    pub id: LegacyId,
    /// Who brought the user.
    pub influencer_id: Option<LegacyId>,
    /// Who was brought.
    pub referred_user_id: Option<UserId>,
    /// The code that was used.
    pub code: Option<String>,
    /// The old service's word for the state.
    pub status: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// All else, as a JSON object.
    pub extra: String,
}

/// What an influencer earned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earning {
    /// Its id in the old service.
    pub id: LegacyId,
    /// Who earned it.
    pub influencer_id: Option<LegacyId>,
    /// By whom.
    pub referral_id: Option<LegacyId>,
    /// How much, in the currency's smallest unit.
    pub amount_minor: Option<i64>,
    /// ISO 4217, as the old service had it.
    pub currency: Option<String>,
    /// The old service's word for the state.
    pub status: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// All else, as a JSON object.
    pub extra: String,
}

/// The code that a user came with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserInfluencerCode {
    /// Its id in the old service.
    pub id: LegacyId,
    /// Who came.
    pub user_id: Option<UserId>,
    /// Whose code it was.
    pub influencer_id: Option<LegacyId>,
    /// The code.
    pub code: Option<String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// All else, as a JSON object.
    pub extra: String,
}

/// A row of one of the four tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LegacyRow {
    /// See [`Influencer`].
    Influencer(Influencer),
    /// See [`Referral`].
    Referral(Referral),
    /// See [`Earning`].
    Earning(Earning),
    /// See [`UserInfluencerCode`].
    UserInfluencerCode(UserInfluencerCode),
}

/// Takes over a row, and says whether that was news: one whose id is here stays as it is.
///
/// # Errors
/// [`Fault`] where it cannot be written.
pub fn take_over(tx: &mut Tx<'_>, row: &LegacyRow) -> Result<bool, Fault> {
    match row {
        LegacyRow::Influencer(row) => put_new(tx, row),
        LegacyRow::Referral(row) => put_new(tx, row),
        LegacyRow::Earning(row) => put_new(tx, row),
        LegacyRow::UserInfluencerCode(row) => put_new(tx, row),
    }
}

fn put_new<R: Record>(tx: &mut Tx<'_>, row: &R) -> Result<bool, Fault> {
    if tx.get::<R>(&row.key())?.is_some() {
        return Ok(false);
    }
    tx.put(row).map(|()| true)
}

/// The four tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegacyTable {
    /// See [`Influencer`].
    Influencers,
    /// See [`Referral`].
    Referrals,
    /// See [`Earning`].
    Earnings,
    /// See [`UserInfluencerCode`].
    UserInfluencerCodes,
}

/// The row of an id.
///
/// # Errors
/// [`Fault`] where it cannot be read.
pub fn row(read: &(impl Read + ?Sized), table: LegacyTable, id: LegacyId) -> Result<Option<LegacyRow>, Fault> {
    let key = Key::of(id);
    Ok(match table {
        LegacyTable::Influencers => read.get(&key)?.map(LegacyRow::Influencer),
        LegacyTable::Referrals => read.get(&key)?.map(LegacyRow::Referral),
        LegacyTable::Earnings => read.get(&key)?.map(LegacyRow::Earning),
        LegacyTable::UserInfluencerCodes => read.get(&key)?.map(LegacyRow::UserInfluencerCode),
    })
}

/// The rows of a table, in the order of their ids.
///
/// # Errors
/// [`Fault`] where they cannot be read.
pub fn rows(read: &(impl Read + ?Sized), table: LegacyTable, page: &Page) -> Result<Listed<LegacyRow>, Fault> {
    let all = Key::new();
    Ok(match table {
        LegacyTable::Influencers => read.list(&all, page)?.map(LegacyRow::Influencer),
        LegacyTable::Referrals => read.list(&all, page)?.map(LegacyRow::Referral),
        LegacyTable::Earnings => read.list(&all, page)?.map(LegacyRow::Earning),
        LegacyTable::UserInfluencerCodes => read.list(&all, page)?.map(LegacyRow::UserInfluencerCode),
    })
}

/// A row as named texts, for comparing and for giving out.
type Facts = Vec<(&'static str, Option<String>)>;

impl LegacyRow {
    /// The row as named texts.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let id = |id: LegacyId| ("id", Some(id.to_string()));
        let text = |value: &Option<LegacyId>| value.map(|id| id.to_string());
        let user = |value: &Option<UserId>| value.map(|id| id.to_string());
        let time = |at: Option<Timestamp>| ("created_at", at.map(|at| at.to_string()));
        match self {
            Self::Influencer(row) => vec![
                id(row.id),
                ("user_id", user(&row.user_id)),
                ("name", row.name.clone()),
                ("code", row.code.clone()),
                ("status", row.status.clone()),
                time(row.created_at),
                ("extra", Some(row.extra.clone())),
            ],
            Self::Referral(row) => vec![
                id(row.id),
                ("influencer_id", text(&row.influencer_id)),
                ("referred_user_id", user(&row.referred_user_id)),
                ("code", row.code.clone()),
                ("status", row.status.clone()),
                time(row.created_at),
                ("extra", Some(row.extra.clone())),
            ],
            Self::Earning(row) => vec![
                id(row.id),
                ("influencer_id", text(&row.influencer_id)),
                ("referral_id", text(&row.referral_id)),
                ("amount_minor", row.amount_minor.map(|amount| amount.to_string())),
                ("currency", row.currency.clone()),
                ("status", row.status.clone()),
                time(row.created_at),
                ("extra", Some(row.extra.clone())),
            ],
            Self::UserInfluencerCode(row) => vec![
                id(row.id),
                ("user_id", user(&row.user_id)),
                ("influencer_id", text(&row.influencer_id)),
                ("code", row.code.clone()),
                time(row.created_at),
                ("extra", Some(row.extra.clone())),
            ],
        }
    }
}

/// Valid JSON always: what is none is kept as a JSON text.
fn json(text: &str) -> Value {
    let valid = serde_json::from_str::<serde_json::Value>(text).is_ok();
    Value::Json(if valid { text.to_owned() } else { serde_json::Value::from(text).to_string() })
}

macro_rules! legacy_table {
    ($record:ident, $number:literal, $name:literal, $stored:literal, $table:ident,
     [$($column:ident: $ty:ident = $value:ident),*]) => {
        impl Record for $record {
            const TABLE: TableId = TableId { number: $number, name: $stored };
            const UPSTREAM: Option<Upstream> = Some(Upstream { table: &$table, lane: Lane::Bulk });

            fn key(&self) -> Key {
                Key::of(self.id)
            }

            fn upstream_row(&self) -> Vec<Value> {
                vec![$($value(self.$column.as_ref().cloned()),)* time_or_null(self.created_at), json(&self.extra)]
            }
        }

        static $table: Table = Table {
            schema: "identity",
            name: $name,
            append_only: false,
            columns: &[
                $(nullable(stringify!($column), Type::$ty),)*
                nullable("created_at", Type::Time),
                column("extra", Type::Json),
                RECORD,
            ],
        };
    };
}

legacy_table!(Influencer, 24, "influencers", "identity.influencers", INFLUENCERS, [
    user_id: Text = text_or_null, name: Text = text_or_null, code: Text = text_or_null, status: Text = text_or_null
]);
legacy_table!(Referral, 25, "referrals", "identity.referrals", REFERRALS, [
    influencer_id: Text = text_or_null, referred_user_id: Text = text_or_null, code: Text = text_or_null,
    status: Text = text_or_null
]);
legacy_table!(Earning, 26, "earnings", "identity.earnings", EARNINGS, [
    influencer_id: Text = text_or_null, referral_id: Text = text_or_null, amount_minor: BigInt = number_or_null,
    currency: Text = text_or_null, status: Text = text_or_null
]);
legacy_table!(UserInfluencerCode, 27, "user_influencer_codes", "identity.user_influencer_codes", USER_INFLUENCER_CODES, [
    user_id: Text = text_or_null, influencer_id: Text = text_or_null, code: Text = text_or_null
]);
