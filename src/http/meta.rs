//! The box about its own API: the OpenAPI document and a page for every refusal's `type`.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hyper::StatusCode;

use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, get};
use crate::http::{openapi, problem_page};

type Document = Arc<OnceLock<Bytes>>;

/// The resources with this one, whose document describes them all, itself included.
#[must_use]
pub fn with_meta(mut resources: Vec<Resource>) -> Vec<Resource> {
    let document = Document::default();
    resources.push(resource(&document));
    document.get_or_init(|| openapi::text(&resources).into());
    resources
}

fn resource(document: &Document) -> Resource {
    let routes = vec![
        get("/openapi.json", "This document.").public().gives("application/json").to(document, describe),
        get("/problems/{code}", "What a refusal means.").public().gives("text/html").to(&(), explain),
    ];
    Resource::new("meta", routes)
}

async fn describe(document: Document, _: Req) -> Result<Response, Problem> {
    let text = document.get().ok_or(Code::Unavailable)?;
    Ok(reply::bytes_of(StatusCode::OK, "application/json", text.clone()))
}

async fn explain((): (), req: Req) -> Result<Response, Problem> {
    let code = Code::from_name(req.text_param("code")).ok_or(Code::NotFound)?;
    Ok(problem_page::of(code))
}
