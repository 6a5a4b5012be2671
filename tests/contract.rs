//! The contract as files: what the box serves is what `schemas/http/openapi.json` says, and what clients rely on is there.

use std::sync::Arc;

use serde_json::Value;
use whotbox::app::{App, Parts};
use whotbox::base::entropy::OsEntropy;
use whotbox::base::time::SystemClock;
use whotbox::config::Given;
use whotbox::config::secrets::OldVariables;
use whotbox::http::metrics::Metrics;
use whotbox::http::route::Resource;
use whotbox::http::{openapi, resources};
use whotbox::upstream::Link;

use crate::support::golden;

/// The routes that clients of the old services call already (contract, the rows with a star), by method and path.
const STARRED: &[&str] = &[
    "post /api/v1/auth/register",
    "post /api/v1/auth/login",
    "get /api/v1/users/me",
    "post /api/v1/admin/distributors",
    "post /api/v1/invites",
    "post /api/v1/invites/{token}/redeem",
    "get /api/v1/relationships/{customer_id}",
    "get /api/v1/entitlements/chat/{first_user_id}/{second_user_id}",
    "post /api/v1/games/invites",
    "post /api/v1/games/invites/{invite_id}/accept",
    "post /api/v1/games/invites/{invite_id}/decline",
    "post /api/v1/games/{game_id}/play",
    "get /api/v1/games/{game_id}/reconnect-token",
    "get /api/v1/games/{game_id}/scoreboard",
    "get /api/v1/games/{game_id}/ws",
    "post /api/v1/conversations",
    "get /api/v1/conversations/{id}/messages",
    "post /api/v1/conversations/{id}/messages",
    "post /api/v1/messages/{id}/delivered",
    "post /api/v1/messages/{id}/read",
    "get /api/v1/conversations/{id}/ws",
    "get /api/v1/admin/moderation/conversations/{id}",
    "post /api/v1/admin/moderation/conversations/{id}/legal-hold",
    "delete /api/v1/admin/moderation/conversations/{id}/legal-hold",
    "post /api/v1/admin/archive-expiry/run",
];

fn all() -> Vec<Resource> {
    let folder = tempfile::tempdir().unwrap();
    let config = Given { data_dir: Some(folder.path().join("data")), ..Given::default() }.complete().unwrap();
    let (clock, entropy) = (Arc::new(SystemClock::new()), Arc::new(OsEntropy));
    let app = App::open(config, Parts { clock, entropy, old: OldVariables::default(), medium: None }).unwrap();
    resources::all(&app, &Arc::new(Link::default()), &Arc::new(Metrics::of(&app)))
}

/// A path with the names of its parts left out, since those are not part of an address.
fn shape(path: &str) -> String {
    path.split('/').map(|part| if part.starts_with('{') { "{}" } else { part }).collect::<Vec<_>>().join("/")
}

#[test]
fn the_document_has_no_faults_and_is_the_committed_one() {
    let all = all();
    assert_eq!(openapi::faults(&all), Vec::<String>::new());
    golden("http/openapi.json", &openapi::text(&all));
}

#[test]
fn every_route_of_the_old_clients_is_served() {
    let document: Value = serde_json::from_str(&openapi::text(&all())).unwrap();
    let mut served = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        served.extend(item.as_object().unwrap().keys().map(|method| format!("{method} {}", shape(path))));
    }
    let missing: Vec<_> = STARRED.iter().filter(|route| !served.contains(&shape(route))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
