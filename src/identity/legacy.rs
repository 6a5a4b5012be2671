//! Tables of the old identity service that the box keeps and replicates, and no route serves: influencers,
//! referrals, earnings and influencer codes.
//!
//! The import alone writes them. What the old service knew beyond the named columns stands in `extra`, as JSON.

use replication::row::{Lane, Table, Type, Value};
use serde::{Deserialize, Serialize};

use crate::base::id::{LegacyId, UserId};
use crate::base::time::Timestamp;
use crate::store::columns::{column, nullable, number_or_null, text_or_null, time_or_null};
use crate::store::fault::Fault;
use crate::store::key::Key;
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

/// Takes over a row. The same row again changes nothing.
///
/// # Errors
/// [`Fault`] where it cannot be written.
pub fn take_over(tx: &mut Tx<'_>, row: &LegacyRow) -> Result<(), Fault> {
    match row {
        LegacyRow::Influencer(row) => tx.put(row),
        LegacyRow::Referral(row) => tx.put(row),
        LegacyRow::Earning(row) => tx.put(row),
        LegacyRow::UserInfluencerCode(row) => tx.put(row),
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
