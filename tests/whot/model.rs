//! The model given with the rules and the code agree: deck, presets, codes, refusals, and the form of every outcome.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use whotbox::whot::card::{Card, Shape};
use whotbox::whot::options::{Options, Preset};
use whotbox::whot::record::Outcome;
use whotbox::whot::refusal::Refusal;
use whotbox::whot::state::Phase;

use crate::whot::random::{Random, for_seeds};
use crate::whot::schema::Schema;

fn model() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/model.json");
    serde_json::from_str(&fs::read_to_string(path).expect("the model")).expect("JSON")
}

#[test]
fn the_deck_is_the_models() {
    let deck: Vec<Value> = Card::all()
        .map(|card| {
            let shape = card.shape().map(Shape::word);
            json!({"id": card, "name": card.name(), "shape": shape, "number": card.number(), "points": card.points()})
        })
        .collect();
    assert_eq!(model()["x-deck"], json!(deck));
}

#[test]
fn presets_and_defaults_are_the_models() {
    let model = model();
    let presets = model["x-presets"].as_object().expect("presets");
    assert_eq!(presets.len(), Preset::ALL.len());
    for (name, changes) in presets {
        let preset = Options::preset(Preset::from_name(name).expect("a preset"));
        assert_eq!(Options::from_json(Preset::Nigerian, changes), Ok(preset), "{name}");
        assert!(Schema::new(model.clone()).fits("Options", &json!(preset)));
    }
    for (field, rules) in model["$defs"]["Options"]["properties"].as_object().expect("options") {
        assert_eq!(json!(Options::default())[field], rules["default"], "{field}");
    }
}

#[test]
fn refusals_are_the_models() {
    let known: BTreeSet<&str> = Refusal::ALL.into_iter().map(Refusal::code).collect();
    let model = model();
    let codes = model["$defs"]["ErrorCode"]["enum"].as_array().expect("codes");
    assert_eq!(known, codes.iter().filter_map(Value::as_str).collect());
}

/// The reader of options and the model judge the same sets, inside the table and just outside.
#[test]
fn options_are_read_as_the_model_says() {
    let schema = Schema::new(model());
    for_seeds(2_000, 100_000, |seed| {
        let mut random = Random::new(seed);
        let (_, mut set) = random.options();
        let fields: Vec<String> = set.as_object().expect("a set").keys().cloned().collect();
        let wild = [
            json!(0),
            json!(1),
            json!(21),
            json!(1001),
            json!(-1),
            json!(3.5),
            json!(true),
            json!("stack"),
            json!("off"),
        ];
        set[random.pick(&fields).as_str()] = random.pick(&wild).clone();
        let read = Options::from_json(Preset::Nigerian, &set);
        assert_eq!(read.is_ok(), schema.fits("Options", &set), "{set}");
    });
}

#[test]
fn every_outcome_fits_the_model() {
    let schema = Schema::new(model());
    for_seeds(30, 1_000, |seed| {
        let mut random = Random::new(seed);
        let mut game = random.start();
        while game.phase() != Phase::MatchOver {
            let (actor, action) = random.fair_action(&game);
            let kind = if action.is_players() { "PlayerAction" } else { "ServerAction" };
            assert!(schema.fits(kind, &json!(action)), "{action:?}");
            let events = game.apply(actor, &action).expect("legal");
            let outcome = serde_json::to_value(Outcome::of(&game, &events)).expect("JSON");
            assert!(schema.fits("Accepted", &outcome), "{outcome}");
        }
    });
}

#[test]
fn the_schema_check_refuses_what_does_not_fit() {
    let schema = Schema::new(model());
    assert!(schema.fits("Event", &json!({"type": "turn", "seat": 0, "phase": "play"})));
    for bad in [
        json!({"type": "turn", "seat": 2, "phase": "play"}),
        json!({"type": "turn", "seat": 0}),
        json!({"type": "turn", "seat": 0, "phase": "play", "cards": []}),
        json!({"type": "drew", "seat": 0, "count": 0, "reason": "market"}),
    ] {
        assert!(!schema.fits("Event", &bad), "{bad}");
    }
}
