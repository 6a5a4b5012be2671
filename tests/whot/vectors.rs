//! Every vector given with the rules, byte for byte, and that a planted change in one is seen.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use whotbox::whot::record::run_line;

fn lines(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(name);
    fs::read_to_string(path).expect("the vector file").lines().map(str::to_owned).collect()
}

#[track_caller]
fn all_pass(name: &str, count: usize) {
    let lines = lines(name);
    assert_eq!(lines.len(), count);
    for (i, line) in lines.iter().enumerate() {
        let report = run_line(i + 1, line).expect("JSON");
        assert_eq!(report.difference, None, "{report}");
    }
}

/// What the runner says of a record after one value in it was changed.
#[track_caller]
fn after_change(line: &str, pointer: &str, value: Value) -> String {
    let mut record: Value = serde_json::from_str(line).expect("JSON");
    let place = record.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}"));
    assert_ne!(*place, value, "the change must change something");
    *place = value;
    run_line(1, &record.to_string()).expect("JSON").to_string()
}

#[test]
fn full_records_pass() {
    all_pass("corner.jsonl", 96);
}

#[test]
fn digest_records_pass() {
    all_pass("smoke.jsonl", 108);
}

#[test]
fn shuffles_pass() {
    all_pass("shuffle.jsonl", 40);
}

#[test]
fn fairness_records_pass() {
    all_pass("fairness.jsonl", 20);
}

#[test]
fn a_planted_change_in_a_full_record_is_named() {
    let line = &lines("corner.jsonl")[0];
    let changed = after_change(line, "/steps/3/state/market/2", json!(53));
    assert_eq!(changed, "corner-match-shape-number-whot step 4: state.market[2]: expected 53, got 3");
    let changed = after_change(line, "/opening/views/1/opponent_cards", json!(5));
    assert_eq!(changed, "corner-match-shape-number-whot step 0: views[1].opponent_cards: expected 5, got 4");
}

#[test]
fn a_planted_digit_in_a_digest_record_is_named() {
    let line = &lines("smoke.jsonl")[0];
    let changed = after_change(line, "/steps/4/2", json!("ee712988"));
    assert!(changed.starts_with("nigerian-0000 step 5: expected digest \"ee712988\", got ee712989"), "{changed}");
    let changed = after_change(line, "/opening", json!("d0c506d4"));
    assert!(changed.starts_with("nigerian-0000 step 0: expected digest"), "{changed}");
    let changed = after_change(line, "/final", json!("0".repeat(64)));
    assert!(changed.contains(": final: expected"), "{changed}");
    let changed = after_change(line, "/seed", json!("0".repeat(64)));
    assert!(changed.starts_with("nigerian-0000 step 0: "), "{changed}");
}
