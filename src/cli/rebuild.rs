//! `whotbox sync rebuild`: a lost box, made anew from central.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use uuid::Uuid;

use replication::settings::Settings;

use crate::base::entropy::{Entropy, OsEntropy};
use crate::base::time::{Clock, SystemClock};
use crate::cli::control::{Failure, Request};
use crate::cli::flags::Output;
use crate::cli::{backup, print, socket};
use crate::config::Config;
use crate::upstream::rebuild::{self, RebuildError};

/// Rows between two words about how far it is.
const SHOWN: u64 = 10_000;

/// What was asked for.
pub(in crate::cli) struct Order<'a> {
    pub(in crate::cli) box_id: Uuid,
    pub(in crate::cli) key_file: &'a Path,
    pub(in crate::cli) adopt: bool,
    pub(in crate::cli) dry_run: bool,
    pub(in crate::cli) url: &'a str,
    pub(in crate::cli) output: &'a Output,
}

/// Does it.
///
/// # Errors
/// [`Failure`] in words for a person.
pub(in crate::cli) async fn run(config: &Config, order: Order<'_>) -> Result<(), Failure> {
    if socket::ask(&config.data_dir, &Request::Status).await.is_some() {
        return Err(failure(&RebuildError::NotEmpty(config.data_dir.display().to_string())));
    }
    let key = backup::read_key(order.key_file)?;
    let ca = config.upstream_ca.as_ref().map(std::path::absolute).transpose();
    let ca = ca.map_err(|error| Failure::usage(error, "Name the CA's file with --upstream-ca FILE."))?;
    let operator = Settings::parse(order.url, ca.as_deref()).map_err(|error| Failure::central(&error))?;
    let (box_id, adopt) = (order.box_id, order.adopt);
    let what =
        rebuild::Order { box_id, operator: &operator, ca: ca.as_deref(), key: &key, data_dir: &config.data_dir, adopt };
    if order.dry_run {
        let survey = rebuild::survey(&what).await.map_err(|error| failure(&error))?;
        print(&serde_json::to_value(survey).unwrap_or_default(), order.output.json);
        return Ok(());
    }
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock::new()), Arc::new(OsEntropy));
    let mut shown = 0;
    let mut watch = |rows: u64| {
        if rows >= shown + SHOWN && std::io::stderr().is_terminal() {
            shown = rows;
            drop(writeln!(std::io::stderr(), "{rows} rows"));
        }
        true
    };
    let done = rebuild::rebuild(&what, &clock, &entropy, &mut watch).await.map_err(|error| failure(&error))?;
    let aside: Vec<String> = done.aside.iter().map(|(table, id)| format!("{table}/{id}")).collect();
    let answer = json!({
        "box_id": box_id,
        "rows": done.rows,
        "set_aside": aside,
        "lost": done.refused,
        "compared_rows": done.compared.rows,
        "diverged": done.compared.diverged,
        "advice": "Start the box. Messages open once central's holds are known and everything that was due is destroyed.",
    });
    print(&answer, order.output.json);
    if done.compared.diverged > 0 {
        return Err(Failure::failed("Central and this box differ.", "Start the box, then: whotbox sync repair."));
    }
    Ok(())
}

fn failure(error: &RebuildError) -> Failure {
    match error {
        RebuildError::Central(central) => Failure::central(central),
        other => Failure::failed(other, other.advice()),
    }
}
