//! `/api/v1/box/settings`: what the owner may choose on the screen, and the name of the box, which everybody may see.
//!
//! What was said elsewhere is not overruled here. A choice holds from the next start on, the name at once; both are noted
//! in the trail.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::base::text::{Alias, BadText, Reason};
use crate::chat::audit::Action;
use crate::chat::owned;
use crate::config::chosen::{CHANGEABLE, read};
use crate::config::shown::Shown;
use crate::http::auth;
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, get, put};
use crate::store::chosen::{self, BOX_NAME};
use crate::store::fault::Fault;

const LIST: &str = "/api/v1/box/settings";
const ONE: &str = "/api/v1/box/settings/{name}";

/// What everybody may know of the box.
#[derive(Serialize, ToSchema)]
struct BoxCard {
    /// What its owner calls it.
    name: Option<String>,
    /// Its address on its network, by name: null while it answers for none.
    local_url: Option<String>,
}

/// The settings of the box.
#[derive(Serialize, ToSchema)]
struct BoxSettings {
    /// What its owner calls it.
    box_name: Option<String>,
    /// Every setting, as the box runs now.
    settings: Vec<Shown>,
    /// Those that can be chosen here, where nothing else says them.
    changeable: Vec<BoxChoice>,
}

/// A setting that can be chosen here.
#[derive(Serialize, ToSchema)]
struct BoxChoice {
    /// Which.
    name: &'static str,
    /// What was chosen; null is what it comes with.
    chosen: Option<String>,
    /// It is said elsewhere, which a choice does not overrule.
    locked: bool,
    /// The box runs with something else until it is restarted.
    waits: bool,
}

/// A choice.
#[derive(Deserialize, ToSchema)]
struct BoxValue {
    /// The value as text, as in `30` or `true`; null takes the choice back.
    value: Option<String>,
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    Resource::new(
        "box settings",
        vec![
            get("/api/v1/box", "What everybody may know of the box.").public().reply::<BoxCard>(200).to(app, card),
            get(LIST, "The settings, and those that can be chosen here.")
                .reply::<BoxSettings>(200)
                .refuses(&[Code::Forbidden])
                .to(app, list),
            put(ONE, "Choose a setting, or the name of the box (`box_name`); audited.")
                .body::<BoxValue>()
                .reply::<BoxSettings>(200)
                .refuses(&[Code::Forbidden, Code::Conflict])
                .to(app, choose),
        ],
    )
}

async fn card(app: Arc<App>, _: Req) -> Result<Response, Problem> {
    let name = app.store.read().and_then(|read| chosen::one(&read, BOX_NAME)).map_err(auth::fault)?;
    Ok(reply::ok(&BoxCard { name, local_url: app.mdns.known().url() }))
}

/// Whether a setting is said by something that a choice does not overrule.
fn locked(settings: &[Shown], name: &str) -> bool {
    let said = settings.iter().find(|shown| shown.name == name);
    said.is_some_and(|shown| !["default", "screen", "central"].contains(&shown.source))
}

fn state(app: &App) -> Result<BoxSettings, Fault> {
    let chosen = chosen::all(&app.store.read()?)?;
    let find = |name: &str| chosen.iter().find(|row| row.name == name).map(|row| row.value.clone());
    let settings = app.config.shown();
    let changeable = CHANGEABLE.map(|name| {
        let (chosen, locked) = (find(name), locked(&settings, name));
        let running = settings.iter().find(|shown| shown.name == name);
        let wanted = chosen.as_deref().and_then(|value| read(name, value).ok());
        let wanted = wanted.and_then(|config| config.shown().into_iter().find(|shown| shown.name == name));
        let waits = match (&wanted, running) {
            (Some(wanted), Some(running)) => wanted.value != running.value,
            (None, Some(running)) => running.source == "screen",
            _ => false,
        };
        BoxChoice { name, chosen, locked, waits: waits && !locked }
    });
    Ok(BoxSettings { box_name: find(BOX_NAME), settings, changeable: changeable.into() })
}

async fn list(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    auth::settled(&app, &req)?.admin().map_err(auth::denied)?;
    Ok(reply::ok(&state(&app).map_err(auth::fault)?))
}

async fn choose(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let admin = auth::settled(&app, &req)?.admin().map_err(auth::denied)?;
    let name = req.text_param("name").to_owned();
    if name != BOX_NAME && !CHANGEABLE.contains(&name.as_str()) {
        return Err(Code::NotFound.into());
    }
    let value = req.json::<BoxValue>()?.value.filter(|value| !value.trim().is_empty());
    if locked(&app.config.shown(), &name) {
        return Err(Problem::new(Code::Conflict).detail("This setting is said elsewhere: change it there."));
    }
    let misfit = |said: String| Problem::field("value", said);
    let value = match value {
        Some(text) if name == BOX_NAME => {
            Some(text.parse::<Alias>().map_err(|bad| misfit(bad.to_string()))?.as_str().to_owned())
        }
        Some(text) => {
            read(&name, &text).map(|_| Some(text.trim().to_owned())).map_err(|bad| misfit(bad.to_string()))?
        }
        None => None,
    };
    let said = value.as_deref().unwrap_or("what it comes with");
    let reason: Reason =
        format!("{name} is to be {said}.").parse().map_err(|error: BadText| Problem::internal(&error))?;
    let by = admin.id();
    let done = app.store.write(move |tx, now| -> Result<(), Fault> {
        chosen::choose(tx, now, &name, value.as_deref())?;
        owned::note(tx, now, by, Action::SettingChanged, reason).map(drop)
    });
    done.await.map_err(auth::fault)?;
    Ok(reply::ok(&state(&app).map_err(auth::fault)?))
}
