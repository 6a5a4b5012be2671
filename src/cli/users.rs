//! `whotbox user …`, as the box does it.

use serde_json::{Value, json};

use crate::app::App;
use crate::base::secret::Secret;
use crate::base::text::{Alias, Username};
use crate::cli::control::{Failure, Request};
use crate::identity::error::Error;
use crate::identity::users::{self, Role, UserInfo};
use crate::store::page::Page;

/// Accounts of one page of a listing.
const PAGE: usize = 500;
/// Accounts listed at most.
const MAX_LISTED: usize = 100_000;

/// Does one of the requests about accounts.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn perform(app: &App, request: Request) -> Result<Value, Failure> {
    match request {
        Request::UserAdd { username, role, alias, password } => add(app, &username, &role, alias, password).await,
        Request::UserList { role } => list(app, role.as_deref()),
        Request::UserSuspend { username, suspended } => {
            let username = parse_username(&username)?;
            let user = app.identity.console_suspend(&app.store, &username, suspended).await.map_err(|e| fail(&e))?;
            Ok(shown(&user))
        }
        Request::UserResetPassword { username } => {
            let username = parse_username(&username)?;
            let password = app.identity.console_reset(&app.store, &username).await.map_err(|e| fail(&e))?;
            Ok(json!({"username": username, "temporary_password": password.expose()}))
        }
        Request::Status
        | Request::Doctor
        | Request::Support
        | Request::Compact
        | Request::Settings
        | Request::Enroll { .. }
        | Request::Sync { .. }
        | Request::Backup { .. }
        | Request::Courier { .. }
        | Request::EnrollByCode { .. }
        | Request::RotateLogin
        | Request::Chat { .. }
        | Request::Import { .. }
        | Request::Export { .. } => Err(Failure::usage("This is no request about accounts.", "Report this.")),
    }
}

/// Makes the first admin where there is none; the one-time password to show, if the box made it up.
///
/// # Errors
/// [`Failure`] in words for a person.
pub async fn first_admin(app: &App, username: &str, password: Option<String>) -> Result<Option<String>, Failure> {
    let username = parse_username(username)?;
    let given = password.map(Secret::new);
    let made = app.identity.first_admin(&app.store, app.clock.now(), username, given).await.map_err(|e| fail(&e))?;
    Ok(made.flatten().map(|password| password.expose().clone()))
}

async fn add(
    app: &App,
    username: &str,
    role: &str,
    alias: Option<String>,
    password: Option<String>,
) -> Result<Value, Failure> {
    let username = parse_username(username)?;
    let role = parse_role(role)?;
    if role == Role::Customer {
        return Err(Failure::usage("Customers join with an invite.", "Have their distributor make one."));
    }
    let alias = alias.map(|alias| alias.parse::<Alias>()).transpose();
    let alias = alias.map_err(|error| Failure::usage(error, "Choose another --alias."))?;
    let given = password.map(Secret::new);
    let made = app.identity.console_add(&app.store, app.clock.now(), role, username, given, alias).await;
    let (user, password) = made.map_err(|e| fail(&e))?;
    let mut answer = shown(&user);
    if let (Some(fields), Some(password)) = (answer.as_object_mut(), password) {
        fields.insert("temporary_password".into(), password.expose().clone().into());
    }
    Ok(answer)
}

fn list(app: &App, role: Option<&str>) -> Result<Value, Failure> {
    let role = role.map(parse_role).transpose()?;
    let read = |fault| Failure::failed(fault, "Restart the box; if it stays, its disk may be damaged.");
    let snapshot = app.store.read().map_err(read)?;
    let mut all = Vec::new();
    let mut page = Page::first(PAGE);
    loop {
        let listed = users::list(&snapshot, role, &page).map_err(read)?;
        all.extend(listed.items.iter().map(shown));
        match listed.next {
            Some(next) if all.len() < MAX_LISTED => page = page.after(Some(next)),
            _ => return Ok(all.into()),
        }
    }
}

fn shown(user: &UserInfo) -> Value {
    json!({
        "id": user.id,
        "username": user.username,
        "role": user.role.name(),
        "status": user.status.name(),
        "alias": user.alias,
        "created_at": user.created_at,
    })
}

fn parse_username(text: &str) -> Result<Username, Failure> {
    text.parse().map_err(|error| Failure::usage(error, "Choose another name."))
}

fn parse_role(text: &str) -> Result<Role, Failure> {
    Role::named(text)
        .ok_or_else(|| Failure::usage(format!("There is no role {text:?}."), "Use admin, distributor or moderator."))
}

fn fail(error: &Error) -> Failure {
    let hint = match error {
        Error::UsernameTaken => "Choose another name.",
        Error::NotFound => "See the names with: whotbox user list.",
        Error::Field { .. } => "Choose another one.",
        Error::Busy => "Run it again in a moment.",
        _ => "Run it again; if it stays, look at the box's log.",
    };
    Failure::failed(error, hint)
}
