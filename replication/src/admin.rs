//! What central's operator does: bring the schema to this version, enrol and revoke boxes.
//!
//! Works with what a managed PostgreSQL gives: a role with CREATEROLE that owns the database, no superuser. Must not know replication's traffic.

use std::fmt;

use refinery::{Migration, Runner, Target};
use uuid::Uuid;

use crate::SCHEMA;
use crate::encode::Param;
use crate::error::{Error, Moment, chain, lacks_schema, sort};
use crate::postgres::check_versions;
use crate::row::{Chain, Lane};
use crate::session::Session;
use crate::settings::Settings;

/// The migrations, in order; `schemas/postgres/NNNN_name.sql` is `VNNNN__name` to refinery. A file that has been shipped never changes.
const MIGRATIONS: &[(&str, &str)] = &[
    ("V0001__replication", include_str!("../../schemas/postgres/0001_replication.sql")),
    ("V0002__tables", include_str!("../../schemas/postgres/0002_tables.sql")),
    ("V0003__erasures", include_str!("../../schemas/postgres/0003_erasures.sql")),
    ("V0004__holds", include_str!("../../schemas/postgres/0004_holds.sql")),
    ("V0005__pairs", include_str!("../../schemas/postgres/0005_pairs.sql")),
    ("V0006__comparison", include_str!("../../schemas/postgres/0006_comparison.sql")),
    ("V0007__directives", include_str!("../../schemas/postgres/0007_directives.sql")),
    ("V0008__fleet", include_str!("../../schemas/postgres/0008_fleet.sql")),
    ("V0009__ranges", include_str!("../../schemas/postgres/0009_ranges.sql")),
    ("V0010__records", include_str!("../../schemas/postgres/0010_records.sql")),
    ("V0011__couriers", include_str!("../../schemas/postgres/0011_couriers.sql")),
    ("V0012__news", include_str!("../../schemas/postgres/0012_news.sql")),
    ("V0013__revocation", include_str!("../../schemas/postgres/0013_revocation.sql")),
    ("V0014__layouts", include_str!("../../schemas/postgres/0014_layouts.sql")),
    ("V0015__side_by_side", include_str!("../../schemas/postgres/0015_side_by_side.sql")),
    ("V0016__texts", include_str!("../../schemas/postgres/0016_texts.sql")),
];

/// Taken by whoever migrates, because refinery itself does not keep two migrators apart. Any number that nobody else uses.
const MIGRATION_LOCK: i64 = 0x77_68_6f_74_62_6f_78;

/// The fewest characters of a box's password; it is random and never typed.
const MIN_PASSWORD: usize = 32;

/// Central, as its operator sees it. Every call opens its own connection.
#[derive(Clone, Debug)]
pub struct Admin {
    settings: Settings,
}

/// What a migration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// The schema version before; 0 is an empty database.
    pub from: i64,
    /// The schema version now.
    pub to: i64,
}

/// A box to enrol.
pub struct Enrolment<'a> {
    /// The box.
    pub box_id: Uuid,
    /// Its name for people.
    pub name: &'a str,
    /// The life of its log.
    pub epoch: Uuid,
    /// The password of its login: at least 32 random characters. Only its verifier leaves this process.
    pub password: &'a str,
    /// Where each lane's log begins for central: the entry before the first it will be sent, and the chain behind that.
    pub starts: [(Lane, i64, Chain); 2],
}

/// The login of an enrolled box.
#[derive(Clone)]
pub struct Login {
    /// Its role.
    pub role: String,
    /// The URL to replicate with, password included: keep it as a secret. Channel binding is pinned in it if central offered it now.
    pub url: String,
}

/// One box of the fleet, as central sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoxStatus {
    /// The box.
    pub box_id: Uuid,
    /// Its name for people.
    pub name: String,
    /// The version of its program; empty before its first hello.
    pub software: String,
    /// It was shut out.
    pub revoked: bool,
    /// Seconds since it said hello, sent rows or was enrolled.
    pub silent_seconds: i64,
    /// Seconds by which its clock was ahead of central's at its last hello.
    pub clock_error_seconds: Option<i64>,
    /// The cursor of its urgent lane.
    pub urgent_seq: i64,
    /// The cursor of its bulk lane.
    pub bulk_seq: i64,
    /// Rows that central refused and it has not mended.
    pub dead_letters: i64,
    /// `live`, `catching up`, `silent`, `never seen` or `revoked`.
    pub state: String,
    /// Changes that waited on it at its last hello.
    pub backlog: Option<i64>,
    /// Seconds since it was last compared with central.
    pub verified_seconds: Option<i64>,
    /// Rows that differed then.
    pub diverged_rows: Option<i64>,
    /// Directives that it has not answered.
    pub open_directives: i64,
}

impl BoxStatus {
    fn read(row: &tokio_postgres::Row) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            box_id: row.try_get(0)?,
            name: row.try_get(1)?,
            software: row.try_get(2)?,
            revoked: row.try_get(3)?,
            silent_seconds: row.try_get(4)?,
            clock_error_seconds: row.try_get(5)?,
            urgent_seq: row.try_get(6)?,
            bulk_seq: row.try_get(7)?,
            dead_letters: row.try_get(8)?,
            state: row.try_get(9)?,
            backlog: row.try_get(10)?,
            verified_seconds: row.try_get(11)?,
            diverged_rows: row.try_get(12)?,
            open_directives: row.try_get(13)?,
        })
    }
}

/// Shows the role alone.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({})", self.role)
    }
}

impl Admin {
    /// The operator's login.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// Brings central to this program's schema, in one transaction. Any number may run it at once; one does the work.
    ///
    /// # Errors
    /// [`Error::SchemaTooNew`] if central is ahead of this program; [`Error::Broken`] if its history differs.
    pub async fn migrate(&self) -> Result<Migrated, Error> {
        self.migrate_to(SCHEMA).await
    }

    /// The same up to an older version and no further: for a fleet whose boxes are updated before its central.
    ///
    /// # Errors
    /// As for [`Admin::migrate`].
    pub async fn migrate_to(&self, version: i64) -> Result<Migrated, Error> {
        let mut session = Session::open(&self.settings).await?;
        let prepare = format!(
            "set statement_timeout = 0; set lock_timeout = 0; select pg_advisory_lock({MIGRATION_LOCK}); \
             create schema if not exists replication"
        );
        session.client.batch_execute(&prepare).await.map_err(before)?;
        let from = schema_version(&session).await?;
        if from > SCHEMA {
            return Err(Error::SchemaTooNew { central: from, ours: SCHEMA });
        }
        let broken = |error: refinery::Error| Error::Broken { reason: chain(&error) };
        let migrations: Result<Vec<Migration>, _> =
            MIGRATIONS.iter().map(|(name, sql)| Migration::unapplied(name, sql)).collect();
        let mut runner = Runner::new(&migrations.map_err(broken)?).set_grouped(true);
        runner.set_migration_table_name("replication.migrations");
        let to = version.clamp(from, SCHEMA);
        if let Ok(target) = to.try_into() {
            runner = runner.set_target(Target::Version(target));
        }
        runner.run_async(&mut session.client).await.map_err(broken)?;
        // The lock goes with the connection.
        Ok(Migrated { from, to })
    }

    /// Lays the replicated tables out anew: `partitioned` in so many parts, or `citus`. `servers` are foreign servers that take their share
    /// of the parts. Says whether anything was changed; the present layout is no change.
    ///
    /// # Errors
    /// [`Error::Busy`] where central cannot be laid out so: it is laid out otherwise already, or has no Citus.
    pub async fn lay_out(&self, layout: &str, parts: u16, servers: &[&str]) -> Result<bool, Error> {
        let session = Session::open(&self.settings).await?;
        session.client.batch_execute("set statement_timeout = 0; set lock_timeout = 0").await.map_err(before)?;
        let params: [Param<'_>; 3] = [Box::new(layout), Box::new(i64::from(parts)), Box::new(servers)];
        let row = session.row("select replication.lay_out($1, $2, $3)", &params).await;
        row.and_then(|row| row.try_get(0)).map_err(before)
    }

    /// Makes or renews the login of a box and tries it. Enrolling again changes the password; with another epoch the lanes start anew,
    /// and the box must send its tables as slices.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] if the operator's role may not create roles; [`Error::SchemaTooOld`] before `migrate`.
    pub async fn enroll(&self, enrolment: &Enrolment<'_>) -> Result<Login, Error> {
        let verifier = verifier(enrolment.password)?;
        let session = Session::open(&self.settings).await?;
        check_versions(&session).await?;
        let [urgent, bulk] = lanes(enrolment)?;
        let params: [Param<'_>; 8] = [
            Box::new(enrolment.box_id),
            Box::new(enrolment.name),
            Box::new(enrolment.epoch),
            Box::new(verifier),
            Box::new(urgent.0),
            Box::new(urgent.1),
            Box::new(bulk.0),
            Box::new(bulk.1),
        ];
        let row = session.row("select replication.enroll($1, $2, $3, $4, $5, $6, $7, $8)", &params).await;
        let role: String = row.and_then(|row| row.try_get(0)).map_err(before)?;
        try_login(&self.settings, role, enrolment.password).await
    }

    /// Issues a login for a box that is elsewhere and will say with [`redeem`] who it is. `token` is random, the password too; together with
    /// the CA they are what the one-use code carries. It works for `hours` and once.
    ///
    /// # Errors
    /// As for [`Admin::enroll`].
    pub async fn invite(&self, name: &str, token: Uuid, password: &str, hours: u16) -> Result<Login, Error> {
        let verifier = verifier(password)?;
        let session = Session::open(&self.settings).await?;
        check_versions(&session).await?;
        let params: [Param<'_>; 4] = [Box::new(name), Box::new(token), Box::new(verifier), Box::new(f64::from(hours))];
        let text = "select replication.invite($1, $2, $3, $4 * interval '1 hour')";
        let role: String = session.row(text, &params).await.and_then(|row| row.try_get(0)).map_err(before)?;
        try_login(&self.settings, role, password).await
    }

    /// Every box that was ever enrolled, by name.
    ///
    /// # Errors
    /// Whatever keeps us from talking; [`Error::SchemaTooOld`] before `migrate`.
    pub async fn fleet(&self) -> Result<Vec<BoxStatus>, Error> {
        let session = Session::open(&self.settings).await?;
        let text = "select box_id, name, coalesce(software_version, ''), revoked_at is not null,
                extract(epoch from clock_timestamp() - last_seen_at)::bigint, extract(epoch from clock_error)::bigint,
                urgent_seq, bulk_seq, dead_letters, state, backlog,
                extract(epoch from clock_timestamp() - last_verified_at)::bigint, diverged_rows, open_directives
            from replication.box_status order by name, box_id";
        let rows = session.client.query(text, &[]).await.map_err(before)?;
        rows.iter().map(BoxStatus::read).collect::<Result<_, _>>().map_err(before)
    }

    /// Seconds since a cursor of a box has moved, or it was enrolled; `None` for a box that central does not know.
    ///
    /// # Errors
    /// Whatever keeps us from talking.
    pub async fn quiet_seconds(&self, box_id: Uuid) -> Result<Option<i64>, Error> {
        let session = Session::open(&self.settings).await?;
        let text = "select extract(epoch from clock_timestamp() - max(updated_at))::bigint from replication.cursors where box_id = $1";
        let row = session.row(text, &[Box::new(box_id)]).await;
        row.and_then(|row| row.try_get(0)).map_err(before)
    }

    /// Shuts a box out. Says whether there was one.
    ///
    /// # Errors
    /// Whatever keeps us from talking.
    pub async fn revoke(&self, box_id: Uuid) -> Result<bool, Error> {
        let session = Session::open(&self.settings).await?;
        let row = session.row("select replication.revoke($1)", &[Box::new(box_id)]).await;
        row.and_then(|row| row.try_get(0)).map_err(before)
    }

    /// Orders a box to do something; the number of the order. `arguments` is a JSON object.
    ///
    /// # Errors
    /// [`Error::NotAllowed`] where there is no such box.
    pub async fn direct(&self, box_id: Uuid, kind: &str, arguments: &str) -> Result<i64, Error> {
        let session = Session::open(&self.settings).await?;
        let params: [Param<'_>; 3] = [Box::new(box_id), Box::new(kind), Box::new(arguments)];
        // Parsed by the server: the parameter stays a text.
        let row = session.row("select replication.direct($1, $2, $3::text::jsonb)", &params).await;
        row.and_then(|row| row.try_get(0)).map_err(before)
    }

    /// A connection for questions about the schema.
    pub(crate) async fn session(&self) -> Result<Session, Error> {
        Session::open(&self.settings).await
    }
}

/// Makes an invited login that of this box, under this box's own password. `invited` is what the code carried.
///
/// # Errors
/// [`Error::NotAllowed`] if the code was used, has expired, or the box is known already.
pub async fn redeem(invited: &Settings, enrolment: &Enrolment<'_>) -> Result<Login, Error> {
    let verifier = verifier(enrolment.password)?;
    let session = Session::open(invited).await?;
    check_versions(&session).await?;
    let [urgent, bulk] = lanes(enrolment)?;
    let params: [Param<'_>; 7] = [
        Box::new(enrolment.box_id),
        Box::new(enrolment.epoch),
        Box::new(verifier),
        Box::new(urgent.0),
        Box::new(urgent.1),
        Box::new(bulk.0),
        Box::new(bulk.1),
    ];
    let row = session.row("select replication.redeem($1, $2, $3, $4, $5, $6, $7)", &params).await;
    let role: String = row.and_then(|row| row.try_get(0)).map_err(before)?;
    try_login(invited, role, enrolment.password).await
}

/// Logs in as the box, with channel binding if central can; what worked is what the box will use.
/// Gives a box's own login another password, and tries it. Sessions that are open go on; with [`Error::Unknown`] either password may hold.
///
/// # Errors
/// [`Error::NotAllowed`] if the login is no enrolled box's.
pub async fn rotate(settings: &Settings, password: &str) -> Result<Login, Error> {
    let verifier = verifier(password)?;
    let role = settings.user().to_owned();
    let session = Session::open(settings).await?;
    let params: [Param<'_>; 1] = [Box::new(verifier)];
    session.row("select replication.rotate($1)", &params).await.map_err(|error| sort(&error, Moment::Sent))?;
    try_login(settings, role, password).await
}

/// The URL of a login whose password is being changed, to be kept before it is.
#[must_use]
pub fn rotated_url(settings: &Settings, password: &str) -> String {
    settings.url_for(settings.user(), password, false)
}

async fn try_login(settings: &Settings, role: String, password: &str) -> Result<Login, Error> {
    let login = settings.for_login(&role, password);
    if settings.always_tls() {
        match Session::open(&login.bound()).await {
            Ok(session) => {
                check_versions(&session).await?;
                return Ok(Login { url: settings.url_for(&role, password, true), role });
            }
            Err(Error::Untrusted { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    check_versions(&Session::open(&login).await?).await?;
    Ok(Login { url: settings.url_for(&role, password, false), role })
}

/// What central keeps of a password.
fn verifier(password: &str) -> Result<String, Error> {
    if password.chars().count() < MIN_PASSWORD {
        return Err(Error::Settings { reason: format!("a box's password has at least {MIN_PASSWORD} characters") });
    }
    Ok(postgres_protocol::password::scram_sha_256(password.as_bytes()))
}

fn before(error: tokio_postgres::Error) -> Error {
    if lacks_schema(&error) {
        return Error::SchemaTooOld { central: 0, needs: SCHEMA };
    }
    sort(&error, Moment::Before)
}

/// The schema version of central; 0 is none.
async fn schema_version(session: &Session) -> Result<i64, Error> {
    let row = session.row("select to_regclass('replication.migrations') is not null", &[]).await.map_err(before)?;
    if !row.try_get(0).map_err(before)? {
        return Ok(0);
    }
    let row = session.row("select coalesce(max(version), 0)::bigint from replication.migrations", &[]).await;
    row.and_then(|row| row.try_get(0)).map_err(before)
}

/// Where the urgent and the bulk lane start.
fn lanes<'a>(enrolment: &'a Enrolment<'_>) -> Result<[(i64, &'a [u8]); 2], Error> {
    let start = |lane: Lane| {
        let found = enrolment.starts.iter().find(|(which, _seq, _chain)| *which == lane);
        found
            .map(|(_lane, seq, chain)| (*seq, chain.as_slice()))
            .ok_or_else(|| Error::Settings { reason: format!("the {} lane has no start", lane.name()) })
    };
    Ok([start(Lane::Urgent)?, start(Lane::Bulk)?])
}
