//! `/api/v1/invites/sheet`: invite cards to print on A4 and cut.
//!
//! The page stands by itself: no script, no picture from elsewhere, and a policy that lets in its one style alone.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use qrcode::QrCode;
use qrcode::render::svg;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::app::App;
use crate::base::text::Alias;
use crate::customer::invites::{InviteInfo, InviteSecrets, NewInvite};
use crate::http::customer::refused;
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, post};
use crate::http::{auth, links, once};

/// Two columns of five cards on A4, with room for scissors.
const STYLE: &str = "@page{size:A4;margin:10mm}body{font:11pt sans-serif;margin:0;color:#000;background:#fff}\
main{display:grid;grid-template-columns:1fr 1fr}article{border:1px dashed #888;padding:3mm;height:48mm;\
break-inside:avoid;display:flex;gap:4mm;box-sizing:border-box}svg{width:34mm;height:34mm;flex:none}\
b{font:bold 16pt monospace;display:block}p{margin:0 0 1mm}small{font-size:8pt}";

/// Side of a QR code in its own units; it scales without loss.
const QR_SIDE: u32 = 120;

/// A sheet of invites.
#[derive(Deserialize, ToSchema)]
#[schema(as = InviteSheet)]
struct SheetBody {
    /// How many cards: 1 to 60.
    count: usize,
    /// The name on the cards; the distributor's own where it is absent.
    #[schema(value_type = Option<String>)]
    distributor_alias: Option<Alias>,
    /// Seconds until they expire: 7 days where it is absent, 90 at most.
    expires_in: Option<u64>,
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    Resource::new(
        "invite sheets",
        vec![
            post("/api/v1/invites/sheet", "Make invites and a page of their cards, to print.")
                .body::<SheetBody>()
                .gives("text/html")
                .refuses(&[Code::Forbidden])
                .to(app, print),
        ],
    )
}

async fn print(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    caller.distributor().map_err(auth::denied)?;
    let SheetBody { count, distributor_alias, expires_in } = req.json()?;
    let key = once::key(&app, &req, caller.id())?;
    let new = NewInvite { alias: distributor_alias, expires_in };
    let made = app.customer.invite_many(&app.store, &caller, new, count, key).await.map_err(refused)?;
    let snapshot = app.store.read().map_err(auth::fault)?;
    let base = links::base(&app, &req).ok_or(Code::NotFound)?;
    let mut cards = String::new();
    for id in made.reference {
        let (invite, secrets) = app.customer.shown_once(&snapshot, app.clock.now(), id).map_err(refused)?;
        card(&mut cards, &base, &invite, &secrets)?;
    }
    Ok(once::answer(made.replayed, page(&cards)))
}

fn page(cards: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Invites</title><style>{STYLE}</style>\
         <main>{cards}</main></html>"
    );
    let mut response = reply::bytes_of(StatusCode::CREATED, "text/html; charset=utf-8", html);
    let style = STANDARD.encode(Sha256::digest(STYLE));
    if let Ok(policy) = HeaderValue::from_str(&format!("default-src 'none'; style-src 'sha256-{style}'")) {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn card(out: &mut String, base: &str, invite: &InviteInfo, secrets: &InviteSecrets) -> Result<(), Problem> {
    let code = QrCode::new(links::join(base, &secrets.token)).map_err(|error| Problem::internal(&error))?;
    let picture = code.render::<svg::Color<'_>>().min_dimensions(QR_SIDE, QR_SIDE).build();
    // The XML declaration has no place within HTML.
    let picture = picture.split_once("?>").map_or(picture.as_str(), |(_, svg)| svg);
    let name = invite.distributor_alias.as_ref().map_or("", Alias::as_str);
    let until = invite.expires_at.to_string();
    let day = until.split('T').next().unwrap_or_default();
    write!(
        out,
        "<article>{picture}<div><p>Play Whot with <strong>{}</strong></p><p>Scan, or open {} and type</p>\
         <b>{}</b><small>Join the Wi-Fi first. Open it in Chrome, not inside another app. Good once, until {day}.\
         </small></div></article>",
        escaped(name),
        escaped(base),
        secrets.code,
    )
    .map_err(|error| Problem::internal(&error))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
