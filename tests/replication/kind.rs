//! The two kinds of central, as a test looks into them.

use replication::memory::Central;
use replication::row::{Lane, Table};
use replication::upstream::Upstream;
use uuid::Uuid;

use super::fixture::{Enrolled, START, box_id};

/// One kind of central, as one box sees it and as the test looks into it.
pub(crate) trait Kind {
    type Upstream: Upstream;

    fn upstream(&self) -> &Self::Upstream;
    /// `id outcome` (or `id reason`) of the box's rows in a table, in order of id.
    fn rows(&self, table: &'static Table) -> Vec<String>;
}

impl Kind for Enrolled {
    type Upstream = replication::postgres::Postgres;

    fn upstream(&self) -> &Self::Upstream {
        &self.upstream
    }

    fn rows(&self, table: &'static Table) -> Vec<String> {
        let column = if table.append_only { "reason" } else { "outcome" };
        let (name, box_id) = (table.full_name(), self.box_id);
        let sql = format!("select id || ' ' || {column} from {name} where box_id = '{box_id}' order by id");
        self.database.sql(&sql).lines().map(str::to_owned).collect()
    }
}

/// A box at a model of its own.
pub(crate) struct Model {
    pub(crate) central: Central,
    box_id: Uuid,
    pub(crate) upstream: replication::memory::Memory,
}

impl Model {
    pub(crate) fn new() -> Self {
        let (central, box_id) = (Central::default(), box_id());
        let upstream = central.enroll(box_id, Lane::ALL.map(|lane| (lane, START)));
        Self { central, box_id, upstream }
    }
}

impl Kind for Model {
    type Upstream = replication::memory::Memory;

    fn upstream(&self) -> &Self::Upstream {
        &self.upstream
    }

    fn rows(&self, table: &'static Table) -> Vec<String> {
        let column = if table.append_only { 5 } else { 2 };
        let text = |value: &replication::row::Value| match value {
            replication::row::Value::Text(text) => text.clone(),
            other => format!("{other:?}"),
        };
        let rows = self.central.rows(self.box_id, table);
        rows.iter().map(|(id, values)| format!("{id} {}", text(&values[column]))).collect()
    }
}
