//! `/api/v1/relationships`: who is whose customer.

use std::sync::Arc;

use crate::app::App;
use crate::base::id::UserId;
use crate::customer::relationships;
use crate::http::auth;
use crate::http::customer::{RelationshipBody, refused};
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, delete, get};
use crate::store::page::Page;

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    Resource::new(
        "relationships",
        vec![
            get("/api/v1/relationships", "The distributor's customers, newest first.")
                .list::<RelationshipBody>()
                .to(app, list),
            get("/api/v1/relationships/{customer_id}", "A customer's relationship, for those who have a part in it.")
                .or_service()
                .reply::<RelationshipBody>(200)
                .refuses(&[Code::NotFound])
                .to(app, one),
            delete("/api/v1/relationships/{customer_id}", "End the relationship with a customer.")
                .empty(204)
                .refuses(&[Code::NotFound, Code::Forbidden])
                .to(app, end),
        ],
    )
}

async fn list(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let owner = auth::settled(&app, &req)?.distributor().map_err(auth::denied)?;
    let asked = req.page()?;
    let page = Page::newest(asked.limit).after(asked.after);
    let snapshot = app.store.read().map_err(auth::fault)?;
    let listed = relationships::of_distributor(&snapshot, owner.id(), &page).map_err(auth::fault)?;
    let listed = listed.map(RelationshipBody::from);
    Ok(reply::list(&listed.items, listed.next.as_deref()))
}

async fn one(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let viewer = match auth::service(&app, &req) {
        Some(service) => relationships::Viewer::Service(service),
        None => relationships::Viewer::Caller(Box::new(auth::settled(&app, &req)?)),
    };
    let customer: UserId = req.param("customer_id")?;
    let snapshot = app.store.read().map_err(auth::fault)?;
    let bond = relationships::seen_by(&snapshot, &viewer, customer).map_err(refused)?;
    Ok(reply::ok(&RelationshipBody::from(bond)))
}

async fn end(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let customer: UserId = req.param("customer_id")?;
    let snapshot = app.store.read().map_err(auth::fault)?;
    let owner = relationships::ender(&snapshot, &caller, customer).map_err(refused)?;
    let ended = app.store.write(move |tx, now| {
        caller.still(tx, now)?;
        relationships::end(tx, now, &owner, customer)
    });
    ended.await.map_err(refused)?;
    Ok(reply::no_content())
}
