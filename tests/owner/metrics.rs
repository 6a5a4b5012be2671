//! Metrics: a valid OpenMetrics text, and dashboard and alerts that ask for nothing that a box does not serve.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use whotbox::identity::users::Role;

use crate::identity::fixture::{PASSWORD, start};

/// Names that a type may give its samples (OpenMetrics 1.0, section 5.2).
const ENDINGS: [(&str, &[&str]); 4] =
    [("counter", &["_total"]), ("gauge", &[""]), ("info", &["_info"]), ("histogram", &["_bucket", "_sum", "_count"])];

async fn served() -> String {
    let whole = start().await;
    let admin = whole.person(Role::Admin, "root").await;
    whole.login("root", &PASSWORD.to_uppercase()).await;
    let confirm = serde_json::json!({"now": "2026-11-22T10:00:00Z", "reason": "compared with the radio"});
    assert_eq!(whole.post(&admin, "/api/v1/admin/clock/confirm", &confirm).await.status, 200);
    let answer = whole.get(&admin, "/metrics").await;
    assert_eq!(answer.status, 200);
    answer.text().to_owned()
}

/// The text's samples by name; the test fails where it is no OpenMetrics.
fn samples(text: &str) -> BTreeSet<String> {
    let mut types = BTreeMap::new();
    let mut names = BTreeSet::new();
    let body = text.strip_suffix("# EOF\n").expect("the text ends with # EOF");
    for line in body.lines() {
        if let Some(said) = line.strip_prefix("# TYPE ") {
            let (family, kind) = said.split_once(' ').unwrap();
            assert!(types.insert(family, kind).is_none(), "{family} is described twice");
        } else if let Some(said) = line.strip_prefix("# UNIT ") {
            let (family, unit) = said.split_once(' ').unwrap();
            assert!(family.ends_with(&format!("_{unit}")), "{family} does not name its unit {unit}");
        } else if !line.starts_with("# HELP ") {
            let name = line.split(['{', ' ']).next().unwrap();
            let fits = |(kind, endings): &(&str, &[&str])| {
                endings.iter().any(|end| name.strip_suffix(end).is_some_and(|family| types.get(family) == Some(kind)))
            };
            assert!(ENDINGS.iter().any(fits), "{line}: no type before it");
            let value = line.rsplit(' ').next().unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}: no number");
            names.insert(name.to_owned());
        }
    }
    names
}

/// The box's names in a text.
fn asked(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("whotbox_")).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboard_and_alerts_ask_for_what_a_box_serves() {
    let text = served().await;
    let there = samples(&text);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring");
    for file in ["alerts.yml", "grafana.json"] {
        let asked = asked(&std::fs::read_to_string(folder.join(file)).unwrap());
        assert!(asked.len() > 10, "{file} asks for {asked:?}");
        let missing: Vec<_> = asked.difference(&there).collect();
        assert!(missing.is_empty(), "{file} asks for {missing:?}, which no box serves");
    }
    for name in [
        "whotbox_store_commit_duration_seconds_bucket",
        "whotbox_replication_backlog_bytes",
        "whotbox_replication_batches_total",
        "whotbox_audit_events_total",
    ] {
        assert!(there.contains(name), "{name} is missing:\n{text}");
    }
    assert!(text.contains("whotbox_audit_events_total{action=\"clock_confirmed\"} 1"), "{text}");
    assert!(text.contains("whotbox_login_attempts_total{result=\"refused\"} 1"), "{text}");
    assert!(!there.contains("whotbox_no_such_figure"));
}
