//! What central notes of the bundles that a courier brings, asked with the box's own login.
//!
//! The rows themselves go through [`Upstream`](crate::upstream::Upstream) like any others. Must not know how a bundle is sealed.

use uuid::Uuid;

use crate::encode::{self, Micros, Param};
use crate::error::Error;
use crate::postgres::Postgres;
use crate::row::Refusal;

/// From this schema on central takes bundles.
pub const HAS_COURIERS: i64 = 11;

/// A bundle, as central notes it.
#[derive(Clone, Copy, Debug)]
pub struct Bundle<'a> {
    /// Its number among those of this life of the box.
    pub number: i64,
    /// The life of the box's log.
    pub epoch: Uuid,
    /// The public key that signed it.
    pub signer: &'a [u8],
    /// When it was made: microseconds since 1970, by the box's clock.
    pub made_at: i64,
    /// The last entries of the urgent and of the bulk lane that are in it.
    pub ends: [i64; 2],
}

/// A row that central refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// `schema.table`.
    pub table: String,
    /// The row.
    pub id: String,
    /// Why.
    pub reason: String,
}

impl Postgres {
    /// Notes that a bundle has arrived; the highest number that had before.
    ///
    /// # Errors
    /// [`Error::SchemaTooOld`] at a central that takes none, [`Error::Broken`] where another key signed those before, and
    /// whatever keeps us from talking.
    pub async fn note_bundle(&self, bundle: &Bundle<'_>) -> Result<i64, Error> {
        let central = crate::upstream::Upstream::schema(self).await?;
        if central < HAS_COURIERS {
            return Err(Error::SchemaTooOld { central, needs: HAS_COURIERS });
        }
        let [urgent, bulk] = bundle.ends;
        let params: Vec<Param<'_>> = vec![
            Box::new(bundle.number),
            Box::new(bundle.epoch),
            Box::new(bundle.signer),
            encode::time(bundle.made_at),
            Box::new(urgent),
            Box::new(bulk),
        ];
        self.ask("select replication.note_bundle($1, $2, $3, $4, $5, $6)", params, |row| row.try_get(0)).await
    }

    /// Notes rows that are refused, before the rest of their batch is applied.
    ///
    /// # Errors
    /// Whatever keeps us from talking.
    pub async fn note_refusals(&self, number: i64, epoch: Uuid, refused: &[Refusal]) -> Result<(), Error> {
        // An id that PostgreSQL cannot hold is told without what it cannot hold.
        let clean = |text: &str| text.replace('\0', "");
        let tables: Vec<String> = refused.iter().map(|row| row.table.full_name()).collect();
        let ids: Vec<String> = refused.iter().map(|row| clean(&row.id)).collect();
        let reasons: Vec<String> = refused.iter().map(|row| clean(&row.reason)).collect();
        let params: Vec<Param<'_>> =
            vec![Box::new(number), Box::new(epoch), Box::new(tables), Box::new(ids), Box::new(reasons)];
        let text = "select count(*) from replication.note_refusals($1, $2, $3, $4, $5)";
        self.ask(text, params, |row| row.try_get::<_, i64>(0)).await.map(drop)
    }

    /// What was refused of the bundles above a number; and central's clock, in microseconds since 1970.
    ///
    /// # Errors
    /// Whatever keeps us from talking.
    pub async fn refusals_after(&self, number: i64, epoch: Uuid) -> Result<(Vec<Refused>, i64), Error> {
        let params: Vec<Param<'_>> = vec![Box::new(number), Box::new(epoch)];
        let read = |row: &tokio_postgres::Row| {
            let texts = |column| row.try_get::<_, Vec<String>>(column);
            Ok((texts(0)?, texts(1)?, texts(2)?, row.try_get::<_, Micros>(3)?.0))
        };
        let text = "select tables, ids, reasons, clock_timestamp() from replication.refusals_after($1, $2)";
        let (tables, ids, reasons, clock) = self.ask(text, params, read).await?;
        let all = tables.into_iter().zip(ids).zip(reasons);
        Ok((all.map(|((table, id), reason)| Refused { table, id, reason }).collect(), clock))
    }
}
