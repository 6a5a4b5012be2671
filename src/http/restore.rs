//! `/api/v1/box/restore`: a fresh box becomes the box of a backup, from the first page of its setup.
//!
//! A backup may take longer to lay down than a request may, so the work goes on after the answer, and its state is asked for.
//! When it is done the box starts again as the restored one. The recovery key is in memory alone.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::backup::error::Error;
use crate::backup::folder::{self, Backup};
use crate::backup::incoming::{self, Wanted};
use crate::base::recovery::RecoveryKey;
use crate::base::secret::Secret;
use crate::base::time::Timestamp;
use crate::http::auth;
use crate::http::backups::{problem, sentence};
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, get, post};
use crate::live::power::Ending;

const ROOT: &str = "/api/v1/box/restore";
const PIECES: &str = "/api/v1/box/restore/pieces";
const LOOK: &str = "/api/v1/box/restore/look";

/// The box, and how its restore stands.
#[derive(Clone)]
struct Desk {
    app: Arc<App>,
    stage: Arc<Mutex<Stage>>,
}

/// How a restore stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Idle,
    Running,
    Failed(String),
    Done,
}

/// Whether this box can become another one, what from, and how that stands.
#[derive(Serialize, ToSchema)]
struct RestoreState {
    /// Nobody but admins is on this box yet.
    possible: bool,
    /// Why not, and what to do.
    hindrance: Option<String>,
    /// `idle`, `running`, `failed` or `done`; then the box starts again.
    state: &'static str,
    /// What went wrong, and what to do.
    fault: Option<String>,
    /// Bytes of a file that were sent here.
    received: u64,
    /// Backups in the backup folder, newest first.
    files: Vec<Backup>,
}

/// The next piece of a file.
#[derive(Deserialize, ToSchema)]
struct Piece {
    /// Where in the file it belongs; 0 begins a new file.
    offset: u64,
    /// Its bytes in base64.
    data: String,
}

/// How much of the file is here.
#[derive(Serialize, ToSchema)]
struct Received {
    /// Bytes. Where this is not the end of the piece, the sender goes on from there.
    received: u64,
}

/// What to restore.
#[derive(Deserialize, ToSchema)]
struct Restoring {
    /// A name of the backup folder; the file that was sent here where there is none.
    file: Option<String>,
    /// The key of the recovery sheet; spaces and line breaks do not matter.
    #[schema(value_type = String)]
    recovery_key: Secret<String>,
    /// The box that the backup was made on will never run again.
    #[serde(default)]
    adopt: bool,
    /// Do not speak to central any more.
    #[serde(default)]
    forget_central: bool,
    /// The signature on the sheet; another one is refused.
    signature: Option<String>,
}

/// What a backup says of itself.
#[derive(Serialize, ToSchema)]
struct RestoreLook {
    /// The box that it is of.
    box_id: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    made_at: Timestamp,
    /// The program that made it.
    version: String,
    /// Matches that go on after the restore.
    live_matches: u64,
    /// Conversations under legal hold.
    holds: u64,
    /// What the recovery sheet must call its signature.
    signature: String,
    /// It was made on another machine.
    elsewhere: bool,
    /// Central follows the box that it is of, and will fence the restored one until it is enrolled again.
    enrolled: bool,
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    let desk = Desk { app: Arc::clone(app), stage: Arc::new(Mutex::new(Stage::Idle)) };
    let refused = [Code::Forbidden, Code::Conflict];
    Resource::new(
        "restore",
        vec![
            get(ROOT, "Whether this box can become that of a backup, and how a restore stands.")
                .reply::<RestoreState>(200)
                .refuses(&[Code::Forbidden])
                .to(&desk, state),
            post(PIECES, "Send the next piece of a backup's file.")
                .body::<Piece>()
                .reply::<Received>(200)
                .refuses(&refused)
                .to(&desk, piece),
            post(LOOK, "What a backup says of itself, before it is restored.")
                .body::<Restoring>()
                .reply::<RestoreLook>(200)
                .refuses(&refused)
                .to(&desk, look),
            post(ROOT, "Make this fresh box the one of a backup; it starts again when that is done.")
                .body::<Restoring>()
                .reply::<RestoreState>(202)
                .refuses(&refused)
                .to(&desk, restore),
        ],
    )
}

impl Desk {
    fn admin(&self, req: &Req) -> Result<(), Problem> {
        auth::settled(&self.app, req)?.admin().map(drop).map_err(auth::denied)
    }

    /// An admin's request about a box that can still become another one.
    fn fresh(&self, req: &Req) -> Result<(), Problem> {
        self.admin(req)?;
        match incoming::hindrance(&self.app).map_err(problem)? {
            Some(hindrance) => Err(problem(hindrance)),
            None => Ok(()),
        }
    }

    fn stage(&self) -> Stage {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    /// Takes the desk, unless a restore is under way.
    fn begin(&self) -> bool {
        let mut stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner);
        let free = !matches!(*stage, Stage::Running | Stage::Done);
        if free {
            *stage = Stage::Running;
        }
        free
    }

    fn state(&self) -> Result<RestoreState, Problem> {
        let hindrance = incoming::hindrance(&self.app).map_err(problem)?;
        let (state, fault) = match self.stage() {
            Stage::Idle => ("idle", None),
            Stage::Running => ("running", None),
            Stage::Failed(fault) => ("failed", Some(fault)),
            Stage::Done => ("done", None),
        };
        Ok(RestoreState {
            possible: hindrance.is_none(),
            hindrance: hindrance.as_ref().map(sentence),
            state,
            fault,
            received: incoming::received(&self.app).map_err(problem)?,
            files: folder::list(&self.app).map_err(problem)?,
        })
    }

    /// Restores, and lets the box start again.
    fn run(&self, wanted: &Wanted) {
        match incoming::stage(&self.app, wanted) {
            Ok(done) => {
                tracing::warn!(box_id = %done.backup.box_id, made_at = %done.backup.made_at, "a backup was restored");
                self.set(Stage::Done);
                self.app.power.ask(Ending::Restart);
            }
            Err(error) => {
                tracing::error!(%error, "a backup was not restored");
                self.set(Stage::Failed(sentence(&error)));
            }
        }
    }
}

impl Restoring {
    fn wanted(self) -> Result<Wanted, Problem> {
        let key = RecoveryKey::parse(self.recovery_key.expose())
            .map_err(|_| Problem::field("recovery_key", "This is no recovery key: compare it with the sheet."))?;
        let Self { file: name, adopt, forget_central, signature, .. } = self;
        Ok(Wanted { name, key, adopt, forget_central, signature: signature.filter(|text| !text.trim().is_empty()) })
    }
}

async fn state(desk: Desk, req: Req) -> Result<Response, Problem> {
    desk.admin(&req)?;
    Ok(reply::ok(&desk.state()?))
}

async fn piece(desk: Desk, req: Req) -> Result<Response, Problem> {
    desk.fresh(&req)?;
    let Piece { offset, data } = req.json()?;
    if desk.stage() == Stage::Running {
        return Err(problem(Error::Busy));
    }
    let bytes = STANDARD.decode(data).map_err(|_| Problem::field("data", "This is not base64."))?;
    let received = incoming::take(&desk.app, offset, &bytes).map_err(problem)?;
    Ok(reply::ok(&Received { received }))
}

async fn look(desk: Desk, req: Req) -> Result<Response, Problem> {
    desk.fresh(&req)?;
    let wanted = req.json::<Restoring>()?.wanted()?;
    let incoming::Look { head, signature, here } = incoming::look(&desk.app, &wanted).map_err(problem)?;
    Ok(reply::ok(&RestoreLook {
        box_id: head.box_id.to_string(),
        made_at: head.made_at,
        version: head.version,
        live_matches: head.facts.live_matches,
        holds: head.facts.holds,
        signature,
        elsewhere: !here,
        enrolled: head.logging,
    }))
}

async fn restore(desk: Desk, req: Req) -> Result<Response, Problem> {
    desk.fresh(&req)?;
    let wanted = req.json::<Restoring>()?.wanted()?;
    // What can be said at once is said at once.
    incoming::look(&desk.app, &wanted).map_err(problem)?;
    if !desk.begin() {
        return Err(problem(Error::Busy));
    }
    let work = desk.clone();
    tokio::task::spawn_blocking(move || work.run(&wanted));
    Ok(reply::json(hyper::StatusCode::ACCEPTED, &desk.state()?))
}
