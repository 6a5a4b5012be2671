//! HTTP: the accept loop and its bounds, the edge around warp, routes, refusals and sockets.
//!
//! Only this module names warp. It turns bytes into calls and results into bytes; it decides no rule of a domain.
//!
//! # How a resource is written
//! One file with its bodies, its replies, one table, and handlers of a few lines each: authenticate, look up,
//! parse, one call, answer. That order is the contract's order of refusals, so the body is parsed when the handler
//! asks for it, not before.
//!
//! ```
//! use std::sync::Arc;
//! use hyper::StatusCode;
//! use serde::{Deserialize, Serialize};
//! use utoipa::ToSchema;
//! use whotbox::http::problem::{Code, Problem};
//! use whotbox::http::reply::{self, Response};
//! use whotbox::http::request::Req;
//! use whotbox::http::route::{Resource, get, post};
//!
//! #[derive(Deserialize, ToSchema)]
//! struct NewShelf { name: String }
//!
//! #[derive(Serialize, ToSchema)]
//! struct Shelf { id: u64, name: String }
//!
//! struct Library;
//!
//! /// The table: one line a route. The OpenAPI document is made from it.
//! fn resource(library: &Arc<Library>) -> Resource {
//!     Resource::new("shelves", vec![
//!         get("/api/v1/shelves/{id}", "One shelf.").reply::<Shelf>(200).to(library, one),
//!         post("/api/v1/shelves", "Put up a shelf.").body::<NewShelf>().reply::<Shelf>(201).to(library, put_up),
//!     ])
//! }
//!
//! async fn one(_library: Arc<Library>, req: Req) -> Result<Response, Problem> {
//!     let id: u64 = req.param("id")?; // Not a number: 404, since no shelf can have that id.
//!     if id == 0 { return Err(Code::NotFound.into()); }
//!     Ok(reply::ok(&Shelf { id, name: "poems".to_owned() }))
//! }
//!
//! async fn put_up(_library: Arc<Library>, req: Req) -> Result<Response, Problem> {
//!     let new: NewShelf = req.json()?; // 413, 415, 400 malformed_json or 422 with the field.
//!     Ok(reply::created("/api/v1/shelves/1", &Shelf { id: 1, name: new.name }))
//! }
//! # let _ = resource(&Arc::new(Library));
//! ```
//!
//! Lists: `let page = req.page()?;`, then `reply::list(&items, next)`; the table says `.list::<Shelf>()`.
//! Sockets: the table says [`route::socket`], the handler ends in [`socket::accept`].

pub mod admin_users;
pub mod auth;
pub mod backups;
pub mod body;
pub mod box_settings;
pub mod clock;
pub mod connections;
pub mod conversations;
pub mod conversations_socket;
pub mod customer;
pub mod edge;
pub mod entitlements;
pub mod export;
pub mod forwarded;
pub mod games;
pub mod games_invites;
pub mod games_running;
pub mod games_socket;
pub mod games_view;
pub mod holds;
pub mod https;
pub mod identity;
pub mod invites;
pub mod links;
pub mod messages;
pub mod meta;
pub mod metrics;
pub mod moderation;
pub mod once;
pub mod openapi;
pub mod operations;
mod page;
pub mod power;
pub mod prefix;
pub mod problem;
pub mod problem_page;
pub mod relationships;
pub mod reply;
pub mod request;
pub mod resources;
pub mod restore;
pub mod route;
pub mod serve;
pub mod settings;
pub mod sheet;
pub mod sign_in;
pub mod socket;
pub mod stall;
pub mod sync;
pub mod tls;
pub mod trail;
pub mod trust;
pub mod users;
pub mod web;
