//! `/api/v1/admin/backups`: the owner's backups and the recovery sheet.

use std::path::Path;
use std::sync::Arc;

use hyper::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use hyper_util::service::TowerToHyperService;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::backup::check::{self, Checked};
use crate::backup::create::create;
use crate::backup::error::Error;
use crate::backup::folder::{self, Backup};
use crate::backup::keys;
use crate::backup::sheet::Sheet;
use crate::base::time::Timestamp;
use crate::http::identity::refused;
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, get, post};
use crate::http::{auth, once};
use crate::identity;
use crate::jobs::backup::{DUE, last_good};
use crate::store::once::{OnceKey, once as do_once, seen};

const LIST: &str = "/api/v1/admin/backups";
const ONE: &str = "/api/v1/admin/backups/{name}";
const VERIFY: &str = "/api/v1/admin/backups/{name}/verify";
const KEY: &str = "/api/v1/admin/backups/recovery-key";
/// What a sealed file is to a browser: something to keep.
const AGE: &str = "application/octet-stream";

/// The backups, and whether there will be more.
#[derive(Serialize, ToSchema)]
struct Backups {
    /// Newest first.
    items: Vec<Backup>,
    /// Where they lie.
    folder: String,
    /// How many are kept.
    keep: usize,
    /// When the recovery sheet was printed; without one no backup is made.
    #[schema(value_type = Option<String>, format = DateTime)]
    recovery_key_made_at: Option<Timestamp>,
    /// There is a recovery key.
    has_recovery_key: bool,
    /// What the sheet calls the box's signature.
    signature: String,
    /// When the last one was made that passed its check.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_good_at: Option<Timestamp>,
    /// When the next one is due.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_due_at: Option<Timestamp>,
}

/// Whether a key that is there may be replaced.
#[derive(Default, Deserialize, ToSchema)]
struct NewKey {
    /// It does not open the backups made before.
    #[serde(default)]
    replace: bool,
}

/// The recovery key. It is shown this once: the box does not keep it.
#[derive(Serialize, ToSchema)]
struct RecoverySheet {
    recovery_key: String,
    /// What the box's signature is called.
    signature: String,
    /// The sheet to print, a page that needs nothing else.
    html: String,
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    let refused = [Code::Forbidden, Code::Conflict];
    Resource::new(
        "backups",
        vec![
            get(LIST, "The backups, newest first.").reply::<Backups>(200).refuses(&[Code::Forbidden]).to(app, list),
            post(LIST, "Make a backup now, checked before it gets its name.")
                .reply::<Backup>(201)
                .refuses(&refused)
                .to(app, make),
            get(ONE, "The sealed file.").gives(AGE).refuses(&[Code::Forbidden]).to(app, download),
            post(VERIFY, "Check a backup by filling a scratch store from it.")
                .reply::<Checked>(200)
                .refuses(&refused)
                .to(app, verify),
            post(KEY, "Make the recovery key; it is shown this once.")
                .optional_body::<NewKey>()
                .reply::<RecoverySheet>(201)
                .refuses(&refused)
                .to(app, recovery_key),
        ],
    )
}

/// What a failure is to the owner. Disk and store speak in the log.
pub fn problem(error: Error) -> Problem {
    match error {
        Error::NotFound => Code::NotFound.into(),
        Error::Store(fault) => auth::fault(fault),
        Error::Io(error) if error.kind() == std::io::ErrorKind::StorageFull => Code::StorageFull.into(),
        Error::Io(_) | Error::Keys(_) | Error::Config(_) => {
            tracing::error!(%error, "a backup cannot be made or read");
            Problem::new(Code::Unavailable).detail(error.advice())
        }
        Error::NoRecoveryKey
        | Error::HasRecoveryKey
        | Error::Busy
        | Error::Broken(_)
        | Error::Newer(_)
        | Error::NotEmpty(_)
        | Error::GivenKey
        | Error::OtherSignature(_)
        | Error::Foreign
        | Error::Seal(_) => Problem::new(Code::Conflict).detail(sentence(&error)),
    }
}

/// A failure in sentences: what is wrong, and what to do.
pub fn sentence(error: &Error) -> String {
    let words = error.to_string();
    let mut letters = words.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}. {}", letters.as_str(), error.advice())
}

/// What a request for a recovery key is told when it comes again.
const SHOWN_ONCE: &str = "This key was made, and it is shown once. Where nobody saw it, ask for another one with a new request that replaces it.";

/// The key of an admin's request, and what was given for it before.
fn asked<R: DeserializeOwned>(app: &App, req: &Req) -> Result<(Option<OnceKey>, Option<R>), Problem> {
    let caller = auth::settled(app, req)?.admin().map_err(auth::denied)?;
    let key = once::key(app, req, caller.id())?;
    let read = app.store.read().map_err(auth::fault)?;
    let before = seen::<R, identity::error::Error>(&read, app.clock.now(), key.as_ref()).map_err(refused)?;
    Ok((key, before))
}

/// Remembers what a request gave; where another with the same key was faster, what that gave.
async fn remember<R>(app: &App, key: Option<OnceKey>, given: R) -> Result<R, Problem>
where
    R: Serialize + DeserializeOwned + Send + 'static,
{
    if key.is_none() {
        return Ok(given);
    }
    let write =
        app.store.reserved().write(move |tx, now| do_once(tx, now, key, |_| Ok::<_, identity::error::Error>(given)));
    Ok(write.await.map_err(refused)?.reference)
}

fn admin(app: &App, req: &Req) -> Result<(), Problem> {
    auth::settled(app, req)?.admin().map(drop).map_err(auth::denied)
}

async fn list(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    admin(&app, &req)?;
    let recovery = keys::recovery(&app.config.data_dir).map_err(problem)?;
    let last_good_at = last_good(&app).map_err(auth::fault)?;
    let next_due_at = recovery.as_ref().map(|_| last_good_at.map_or(app.clock.now(), |at| at.plus(DUE)));
    Ok(reply::ok(&Backups {
        items: folder::list(&app).map_err(problem)?,
        folder: folder::path(&app).display().to_string(),
        keep: app.config.backup_keep,
        recovery_key_made_at: recovery.as_ref().and_then(|recovery| recovery.made_at),
        has_recovery_key: recovery.is_some(),
        signature: keys::fingerprint(&keys::signer(&app.secrets.master).public()),
        last_good_at,
        next_due_at,
    }))
}

async fn make(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let (key, before) = asked::<String>(&app, &req)?;
    let replayed = before.is_some();
    let name = match before {
        Some(name) => name,
        None => {
            let made = create(&app).await.map_err(problem)?.file;
            remember(&app, key, made).await?
        }
    };
    let made = folder::list(&app).map_err(problem)?.into_iter().find(|backup| backup.name == name);
    let made = made.ok_or(Code::NotFound)?;
    Ok(once::answer(replayed, reply::created(&format!("{LIST}/{}", made.name), &made)))
}

async fn verify(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let (key, before) = asked::<check::Checked>(&app, &req)?;
    let replayed = before.is_some();
    let checked = match before {
        Some(checked) => checked,
        None => {
            let checked = check::now(&app, req.text_param("name")).await.map_err(problem)?;
            remember(&app, key, checked).await?
        }
    };
    Ok(once::answer(replayed, reply::ok(&checked)))
}

async fn recovery_key(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let (key, before) = asked::<()>(&app, &req)?;
    if before.is_some() {
        return Err(Problem::new(Code::Conflict).detail(SHOWN_ONCE));
    }
    let NewKey { replace } = req.json_or_default()?;
    // One at a time: of two of the same request the second finds what the first has noted.
    let alone = folder::hold(&folder::path(&app)).map_err(problem)?;
    let sheet = Sheet::make(&app, replace).map_err(problem)?;
    remember(&app, key, ()).await?;
    drop(alone);
    tracing::warn!("a recovery key was made and shown to an admin");
    let body = RecoverySheet {
        recovery_key: sheet.key().to_owned(),
        signature: sheet.fingerprint().to_owned(),
        html: sheet.html(),
    };
    Ok(reply::json(hyper::StatusCode::CREATED, &body))
}

async fn download(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    admin(&app, &req)?;
    let name = req.text_param("name");
    let path = folder::find(&app, name).map_err(problem)?;
    tracing::info!(name, "a backup was downloaded");
    let mut reply = stream(&path).await.ok_or(Code::NotFound)?;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(AGE));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    Ok(reply)
}

/// The file piece by piece: a backup may be larger than the memory that the box may take.
async fn stream(path: &Path) -> Option<Response> {
    use hyper::service::Service as _;
    let path = path.to_owned();
    // In a task of its own, because warp serves no request within another one's.
    let served = tokio::spawn(async move {
        let service = TowerToHyperService::new(warp::service(warp::fs::file(path)));
        let request = hyper::Request::new(http_body_util::Empty::<bytes::Bytes>::new());
        service.call(request).await.unwrap_or_else(|never| match never {})
    });
    let reply = served.await.ok()?;
    reply.status().is_success().then_some(reply)
}
