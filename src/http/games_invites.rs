//! Invites to a match: made, listed, answered, taken back; and rematches.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::base::id::{GameId, GameInviteId};
use crate::base::text::Username;
use crate::game::BotLevel;
use crate::game::error::Error;
use crate::game::history;
use crate::game::invites::{self, NewInvite, Side};
use crate::game::sessions;
use crate::http::games_view::{Game, GameInvite, nonce_of, options_of, problem};
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Route, delete, get, post};
use crate::http::{auth, once};
use crate::identity::access::{Caller, Player};
use crate::store::once::{Done, once as do_once};
use crate::store::page::Page;
use crate::whot::shuffle::bytes_to_hex;

/// `POST /api/v1/games/invites`.
#[derive(Deserialize, ToSchema)]
struct InviteBody {
    /// Whom to invite.
    #[schema(value_type = String)]
    recipient_username: Username,
    /// `nigerian`, `pagat`, `quick` or `strict`.
    preset: Option<String>,
    /// Laid over the preset.
    #[schema(value_type = Option<Object>)]
    options: Option<Value>,
}

/// A share in the shuffle.
#[derive(Deserialize, ToSchema)]
struct NonceBody {
    /// 64 lower-case hexadecimal digits.
    nonce: String,
}

/// A share in the shuffle, or none.
#[derive(Default, Deserialize, ToSchema)]
pub struct MaybeNonce {
    /// 64 lower-case hexadecimal digits.
    pub nonce: Option<String>,
}

/// Which side.
#[derive(Deserialize, IntoParams)]
struct Which {
    /// `received` or `sent`; `received` if absent.
    #[serde(rename = "box")]
    side: Option<String>,
}

/// An accepted invite.
#[derive(Serialize, ToSchema)]
struct Accepted {
    #[schema(value_type = String)]
    game_id: GameId,
    game: Game,
}

const LIST: &str = "/api/v1/games/invites";

/// `POST /api/v1/games/bot`.
#[derive(Deserialize, ToSchema)]
struct BotBody {
    /// `easy`, `medium` or `hard`.
    level: String,
    /// `nigerian`, `pagat`, `quick` or `strict`.
    preset: Option<String>,
    /// Laid over the preset.
    #[schema(value_type = Option<Object>)]
    options: Option<Value>,
}

/// A practice match, not dealt yet.
#[derive(Serialize, ToSchema)]
struct Practice {
    #[schema(value_type = String)]
    game_id: GameId,
    /// Of round 1, 64 hexadecimal digits.
    commitment: String,
}

/// The table.
#[must_use]
pub fn routes(app: &Arc<App>) -> Vec<Route> {
    let answers = [Code::Forbidden, Code::InviteAnswered, Code::InviteExpired];
    vec![
        post(LIST, "Invite a player to a match.")
            .body::<InviteBody>()
            .reply::<GameInvite>(201)
            .refuses(&[Code::Forbidden, Code::BadOptions, Code::Conflict])
            .to(app, invite),
        get(LIST, "The own invites, the newest first.").query::<Which>().list::<GameInvite>().to(app, list),
        delete("/api/v1/games/invites/{id}", "Take an own invite back.").empty(204).refuses(&answers).to(app, cancel),
        post("/api/v1/games/invites/{id}/nonce", "Give the own share in the shuffle of round 1.")
            .body::<NonceBody>()
            .empty(204)
            .refuses(&answers)
            .to(app, nonce),
        post("/api/v1/games/invites/{invite_id}/accept", "Accept an invite; round 1 is dealt.")
            .optional_body::<MaybeNonce>()
            .reply::<Accepted>(201)
            .refuses(&answers)
            .refuses(&[Code::Conflict])
            .to(app, accept),
        post("/api/v1/games/invites/{invite_id}/decline", "Decline an invite.")
            .reply::<GameInvite>(200)
            .refuses(&answers)
            .to(app, decline),
        post("/api/v1/games/{game_id}/rematch", "Invite the other player again; the loser deals.")
            .reply::<GameInvite>(201)
            .refuses(&[Code::Forbidden, Code::Conflict])
            .to(app, rematch),
        post("/api/v1/games/bot", "Practise against a bot; round 1 is dealt when the player says ready.")
            .body::<BotBody>()
            .reply::<Practice>(201)
            .refuses(&[Code::Forbidden, Code::BadOptions, Code::Conflict])
            .to(app, practise),
    ]
}

fn player(app: &App, req: &Req) -> Result<(Caller, Player), Problem> {
    let caller = auth::settled(app, req)?;
    let player = caller.player().map_err(auth::denied)?;
    Ok((caller, player))
}

/// The invite of the path, if it concerns the caller: looked at before the body.
fn found(app: &App, req: &Req, caller: &Caller, name: &str) -> Result<GameInviteId, Problem> {
    let id = req.param(name)?;
    let read = app.store.read().map_err(auth::fault)?;
    invites::show(&read, app.clock.now(), caller, id).map(|_| id).map_err(problem)
}

async fn invite(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let (caller, player) = player(&app, &req)?;
    let body: InviteBody = req.json()?;
    let options = options_of(body.preset.as_deref(), body.options.as_ref())?;
    let input = NewInvite { recipient: body.recipient_username, options };
    let key = once::key(&app, &req, caller.id())?;
    let (game, who) = (Arc::clone(&app.game), caller.clone());
    let done = app.store.write(move |tx, now| {
        who.still(tx, now)?;
        do_once(tx, now, key, |tx| game.invite(tx, now, &player, &input))
    });
    made(&app, &caller, done.await.map_err(problem)?)
}

async fn rematch(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let id: GameId = req.param("game_id")?;
    sessions::seat(&app.store.read().map_err(auth::fault)?, &caller, id).map_err(problem)?;
    let player = caller.player().map_err(auth::denied)?;
    let key = once::key(&app, &req, caller.id())?;
    let (game, who) = (Arc::clone(&app.game), caller.clone());
    let done = app.store.write(move |tx, now| {
        who.still(tx, now)?;
        do_once(tx, now, key, |tx| game.rematch(tx, now, &player, id))
    });
    made(&app, &caller, done.await.map_err(problem)?)
}

async fn practise(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let (caller, player) = player(&app, &req)?;
    let body: BotBody = req.json()?;
    let level = BotLevel::named(&body.level).ok_or_else(|| Problem::field("level", "One of: easy, medium, hard."))?;
    let options = options_of(body.preset.as_deref(), body.options.as_ref())?;
    let key = once::key(&app, &req, caller.id())?;
    let (game, who) = (Arc::clone(&app.game), caller.clone());
    let done = app.store.write(move |tx, now| {
        who.still(tx, now)?;
        do_once::<_, Error>(tx, now, key, |tx| game.practise(tx, now, &player, level, &options))
    });
    let done = done.await.map_err(problem)?;
    let read = app.store.read().map_err(auth::fault)?;
    let commitments = history::proof(&read, &caller, done.reference).map_err(problem)?.commitments;
    let commitment = commitments.first().map_or_else(String::new, |first| bytes_to_hex(first));
    let body = Practice { game_id: done.reference, commitment };
    let answer = reply::created(&format!("/api/v1/games/{}", done.reference), &body);
    Ok(once::answer(done.replayed, answer))
}

fn made(app: &App, caller: &Caller, done: Done<GameInviteId>) -> Result<Response, Problem> {
    let read = app.store.read().map_err(auth::fault)?;
    let info = invites::show(&read, app.clock.now(), caller, done.reference).map_err(problem)?;
    let answer = reply::created(&format!("{LIST}/{}", info.id), &GameInvite::from(info));
    Ok(once::answer(done.replayed, answer))
}

async fn list(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let (_, player) = player(&app, &req)?;
    let which: Which = req.query()?;
    let side = match which.side.as_deref() {
        None | Some("received") => Side::Received,
        Some("sent") => Side::Sent,
        Some(_) => return Err(Problem::field("box", "One of: received, sent.")),
    };
    let page = req.page()?;
    let read = app.store.read().map_err(auth::fault)?;
    let page = Page::newest(page.limit).after(page.after);
    let listed = invites::of_player(&read, app.clock.now(), &player, side, &page).map_err(problem)?;
    let listed = listed.map(GameInvite::from);
    Ok(reply::list(&listed.items, listed.next.as_deref()))
}

async fn cancel(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let (caller, player) = player(&app, &req)?;
    let id = found(&app, &req, &caller, "id")?;
    let done = app.store.write(move |tx, now| {
        caller.still(tx, now)?;
        invites::cancel(tx, now, &player, id)
    });
    done.await.map(|()| reply::no_content()).map_err(problem)
}

async fn nonce(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let (caller, player) = player(&app, &req)?;
    let id = found(&app, &req, &caller, "id")?;
    let body: NonceBody = req.json()?;
    let nonce = nonce_of(&body.nonce)?;
    let key = once::key(&app, &req, caller.id())?;
    let done = app.store.write(move |tx, now| {
        caller.still(tx, now)?;
        do_once(tx, now, key, |tx| invites::give_nonce(tx, now, &player, id, nonce))
    });
    let done = done.await.map_err(problem)?;
    Ok(once::answer(done.replayed, reply::no_content()))
}

async fn accept(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let (caller, player) = player(&app, &req)?;
    let id = found(&app, &req, &caller, "invite_id")?;
    let body: MaybeNonce = req.json_or_default()?;
    let nonce = body.nonce.as_deref().map(nonce_of).transpose()?;
    let key = once::key(&app, &req, caller.id())?;
    let (game, who) = (Arc::clone(&app.game), caller.clone());
    let done = app.store.write(move |tx, now| {
        who.still(tx, now)?;
        do_once::<_, Error>(tx, now, key, |tx| game.accept(tx, now, &player, id, nonce))
    });
    let done = done.await.map_err(problem)?;
    let shown = sessions::show(&app.store.read().map_err(auth::fault)?, &caller, done.reference).map_err(problem)?;
    let body = Accepted { game_id: done.reference, game: Game::now(&app, shown) };
    let answer = reply::created(&format!("/api/v1/games/{}", done.reference), &body);
    Ok(once::answer(done.replayed, answer))
}

async fn decline(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let (caller, player) = player(&app, &req)?;
    let id = found(&app, &req, &caller, "invite_id")?;
    let key = once::key(&app, &req, caller.id())?;
    let who = caller.clone();
    let done = app.store.write(move |tx, now| {
        who.still(tx, now)?;
        do_once(tx, now, key, |tx| invites::decline(tx, now, &player, id))
    });
    let done = done.await.map_err(problem)?;
    let read = app.store.read().map_err(auth::fault)?;
    let info = invites::show(&read, app.clock.now(), &caller, id).map_err(problem)?;
    let answer = reply::ok(&GameInvite::from(info));
    Ok(once::answer(done.replayed, answer))
}
