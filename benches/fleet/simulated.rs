//! A box as central sees it: a login, two cursors, and rows.

use std::hint::black_box;

use replication::admin::{Admin, Enrolment};
use replication::postgres::Postgres;
use replication::row::{Batch, Column, Lane, Row, Table, TablePuts, Type, Value};
use replication::settings::Settings;
use replication::upstream::{Report, Upstream as _};
use uuid::Uuid;

use crate::postgres::Database;

static ATTEMPTS: Table = Table {
    schema: "identity",
    name: "user_login_attempts",
    append_only: false,
    columns: &[
        column("username", Type::Text, false),
        column("user_id", Type::Text, true),
        column("outcome", Type::Text, false),
        column("address", Type::Text, true),
        column("at", Type::Time, false),
    ],
};

const fn column(name: &'static str, ty: Type, nullable: bool) -> Column {
    Column { name, ty, nullable }
}

const EPOCH: Uuid = Uuid::from_u128(9);

/// One box.
pub(crate) struct Simulated {
    settings: Settings,
    number: u64,
    seq: i64,
}

impl Simulated {
    /// Enrols it.
    pub(crate) async fn enrol(database: &Database, admin: &Admin, number: u64) -> Self {
        let box_id = Uuid::from_u64_pair(0x7000, number);
        let starts = Lane::ALL.map(|lane| (lane, 0, [0; 32]));
        let password = "0123456789abcdef0123456789abcdef";
        let name = format!("kiosk {number}");
        let login = admin.enroll(&Enrolment { box_id, name: &name, epoch: EPOCH, password, starts }).await.unwrap();
        Self { settings: Settings::parse(&login.url, Some(&database.ca_file())).unwrap(), number, seq: 0 }
    }

    /// Connects, says hello, asks for orders, sends a batch in each lane, and lets go.
    pub(crate) async fn contact(&mut self, rows: u64) {
        let central = Postgres::new(self.settings.clone());
        let report = Report { software: "simulated".into(), clock: 1_795_341_600_000_000, ..Report::default() };
        black_box(central.contact(&report).await.unwrap());
        black_box(central.directives(0, 50).await.unwrap());
        for (lane, rows) in [(Lane::Urgent, 1), (Lane::Bulk, rows)] {
            central.apply(&self.batch(lane, rows)).await.unwrap();
        }
        self.seq += 1;
    }

    fn batch(&self, lane: Lane, rows: u64) -> Batch {
        let chain = |seq: i64| if seq == 0 { [0; 32] } else { [u8::try_from(seq % 251).unwrap() + 1; 32] };
        let text = |text: String| Value::Text(text);
        let row = |n: u64| Row {
            id: format!("{}-{:x}-{}-{n}", lane.name(), self.number, self.seq),
            values: vec![
                text(format!("player-{n}")),
                Value::Null,
                text("ok, and as long as a line of chat that somebody has typed in a hurry on a phone".into()),
                text("192.168.4.7".into()),
                Value::Time(1_795_341_600_000_000),
            ],
        };
        Batch {
            lane,
            epoch: EPOCH,
            prev_seq: self.seq,
            prev_chain: chain(self.seq),
            seq: self.seq + 1,
            chain: chain(self.seq + 1),
            puts: vec![TablePuts { table: &ATTEMPTS, rows: (0..rows).map(row).collect() }],
            deletes: Vec::new(),
        }
    }
}
