//! Matches: the own ones, playing, readiness, scores, events and proofs. Invites and the socket stand beside this file.
//!
//! A match has no role check: whoever has no part in it gets 404.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::base::id::{GameId, UserId};
use crate::base::time::Timestamp;
use crate::game::history;
use crate::game::scores::{self, Period};
use crate::game::sessions::{self, Which};
use crate::http::games_invites::{self, MaybeNonce};
use crate::http::games_socket;
use crate::http::games_view::{
    Game, Moved, PairScores, PlayBody, ProofBody, Scores, Standing, Step, nonce_of, play_of, problem,
};
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, get, post, socket};
use crate::http::{auth, once};
use crate::identity::access::Caller;
use crate::store::once::once as do_once;
use crate::store::page::Page;

/// Actions of one answer of the route `events`; `last_seq` tells whether there are more.
const MAX_EVENTS: usize = 1000;

/// Which matches.
#[derive(Deserialize, IntoParams)]
struct State {
    /// `live` or `over`; both if absent.
    state: Option<String>,
}

/// Which leaderboard.
#[derive(Deserialize, IntoParams)]
struct Since {
    /// `week`, since Monday UTC, or `all`; `all` if absent.
    period: Option<String>,
}

/// Which part of a list.
#[derive(Deserialize, IntoParams)]
struct Paged {
    /// How many, 50 if absent, at most 200.
    #[serde(rename = "limit")]
    _limit: Option<String>,
    /// The `next_cursor` of the page before.
    #[serde(rename = "cursor")]
    _cursor: Option<String>,
}

/// From where on.
#[derive(Deserialize, IntoParams)]
struct After {
    /// The last known number; absent or negative, everything from the first deal.
    after: Option<String>,
}

/// What happened.
#[derive(Serialize, ToSchema)]
struct Events {
    items: Vec<Step>,
    /// Where the match is. Beyond the last item there is more to ask for.
    last_seq: u64,
}

/// A reconnect token.
#[derive(Serialize, ToSchema)]
struct Token {
    /// Opens the match's socket once, as `?reconnect_token=`.
    reconnect_token: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    let mut routes = games_invites::routes(app);
    routes.extend([
        get("/api/v1/games", "The own matches, the newest first.")
            .query::<State>()
            .list::<Game>()
            .refuses(&[Code::Forbidden])
            .to(app, list),
        get("/api/v1/games/leaderboard", "Who wins most on this box.")
            .query::<Since>()
            .list::<Standing>()
            .refuses(&[Code::Forbidden])
            .to(app, leaderboard),
        get(
            "/api/v1/games/pairs/{user_id}",
            "How the caller and another player stand, and their matches that are over.",
        )
        .query::<Paged>()
        .reply::<PairScores>(200)
        .refuses(&[Code::Forbidden, Code::BadCursor])
        .to(app, pair),
        get("/api/v1/games/{game_id}", "A match as the caller may see it.").reply::<Game>(200).to(app, one),
        post("/api/v1/games/{game_id}/play", "Play, draw, pass or resign.")
            .body::<PlayBody>()
            .reply::<Moved>(200)
            .refuses(REFUSALS)
            .to(app, play),
        post("/api/v1/games/{game_id}/ready", "The next round may start.")
            .optional_body::<MaybeNonce>()
            .reply::<Game>(200)
            .refuses(&[Code::MatchOver])
            .to(app, ready),
        get("/api/v1/games/{game_id}/reconnect-token", "A new token for the socket; it replaces the one before.")
            .reply::<Token>(200)
            .to(app, token),
        get("/api/v1/games/{game_id}/scoreboard", "How the match stands.").reply::<Scores>(200).to(app, scoreboard),
        get("/api/v1/games/{game_id}/events", "What happened, as the caller may see it.")
            .query::<After>()
            .reply::<Events>(200)
            .to(app, events),
        get("/api/v1/games/{game_id}/proof", "What proves the finished deals.").reply::<ProofBody>(200).to(app, proof),
        socket("/api/v1/games/{game_id}/ws", "The match as it is played.")
            .query::<games_socket::Resume>()
            .to(app, games_socket::open),
    ]);
    Resource::new("games", routes)
}

/// What the rules may say to a play.
const REFUSALS: &[Code] = &[
    Code::BadAction,
    Code::MatchOver,
    Code::RoundOver,
    Code::NotYourTurn,
    Code::CardNotInHand,
    Code::MustPlayDrawn,
    Code::ShapeRequired,
    Code::ShapeNotAllowed,
    Code::PenaltyPending,
    Code::NoMatch,
    Code::SpecialFinish,
    Code::BadCall,
    Code::AlreadyDrew,
    Code::MustPlay,
    Code::CannotPass,
    Code::StaleState,
];

/// The caller, and the match of the path if the caller has part in it.
fn seated(app: &App, req: &Req) -> Result<(Caller, GameId), Problem> {
    let read = app.store.read().map_err(auth::fault)?;
    let caller = auth::settled_in(app, req, &read)?;
    let game = req.param("game_id")?;
    sessions::seat(&read, &caller, game).map_err(problem)?;
    Ok((caller, game))
}

async fn list(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let player = auth::settled(&app, &req)?.player().map_err(auth::denied)?;
    let asked: State = req.query()?;
    let which = match asked.state.as_deref() {
        None => Which::All,
        Some("live") => Which::Live,
        Some("over") => Which::Over,
        Some(_) => return Err(Problem::field("state", "One of: live, over.")),
    };
    let page = req.page()?;
    let page = Page::newest(page.limit).after(page.after);
    let read = app.store.read().map_err(auth::fault)?;
    let listed = sessions::of_player(&read, &player, which, &page).map_err(problem)?;
    let listed = listed.map(|shown| Game::now(&app, shown));
    Ok(reply::list(&listed.items, listed.next.as_deref()))
}

async fn leaderboard(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    auth::settled(&app, &req)?.player().map_err(auth::denied)?;
    let asked: Since = req.query()?;
    let period = match asked.period.as_deref() {
        None | Some("all") => Period::All,
        Some("week") => Period::Week,
        Some(_) => return Err(Problem::field("period", "One of: week, all.")),
    };
    let page = req.page()?;
    let page = Page::first(page.limit).after(page.after);
    let read = app.store.read().map_err(auth::fault)?;
    let listed = scores::leaderboard(&read, app.clock.now(), period, &page).map_err(auth::fault)?;
    let listed = listed.map(Standing::from);
    Ok(reply::list(&listed.items, listed.next.as_deref()))
}

async fn pair(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let player = auth::settled(&app, &req)?.player().map_err(auth::denied)?;
    let other: UserId = req.param("user_id")?;
    let read = app.store.read().map_err(auth::fault)?;
    let board = scores::pair(&read, &player, other).map_err(problem)?;
    let page = req.page()?;
    let page = Page::newest(page.limit).after(page.after);
    let history = scores::pair_history(&read, &player, other, &page).map_err(problem)?;
    Ok(reply::ok(&PairScores::of(board, history)))
}

async fn one(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let read = app.store.read().map_err(auth::fault)?;
    let shown = sessions::show(&read, &caller, req.param("game_id")?).map_err(problem)?;
    Ok(reply::ok(&Game::now(&app, shown)))
}

async fn play(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let (caller, id) = (auth::settled(&app, &req)?, req.param("game_id")?);
    let asked = || Ok::<_, Problem>((play_of(&req.json::<Value>()?)?, once::key(&app, &req, caller.id())?));
    // Who has no part in the match learns that first; of a request in order the command itself finds it out.
    let (play, key) = asked().or_else(|wrong| seated(&app, &req).and(Err(wrong)))?;
    let (game, who) = (Arc::clone(&app.game), caller.clone());
    let done = app.store.write(move |tx, now| {
        who.still(tx, now)?;
        do_once(tx, now, key, |tx| game.play(tx, now, &who, id, &play))
    });
    let done = done.await.map_err(problem)?;
    let read = app.store.read().map_err(auth::fault)?;
    let frame = app.game.frame(&read, &caller, id, done.reference.seq).map_err(problem)?;
    let answer = reply::ok(&Moved::of(&app, frame));
    Ok(once::answer(done.replayed, answer))
}

async fn ready(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let (caller, id) = seated(&app, &req)?;
    let body: MaybeNonce = req.json_or_default()?;
    let nonce = body.nonce.as_deref().map(nonce_of).transpose()?;
    let key = once::key(&app, &req, caller.id())?;
    let (game, who) = (Arc::clone(&app.game), caller.clone());
    let done = app.store.write(move |tx, now| {
        who.still(tx, now)?;
        do_once(tx, now, key, |tx| game.ready(tx, now, &who, id, nonce))
    });
    let done = done.await.map_err(problem)?;
    let shown = sessions::show(&app.store.read().map_err(auth::fault)?, &caller, id).map_err(problem)?;
    let answer = reply::ok(&Game::now(&app, shown));
    Ok(once::answer(done.replayed, answer))
}

async fn token(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let (caller, id) = seated(&app, &req)?;
    let game = Arc::clone(&app.game);
    let issued = app.store.write(move |tx, now| {
        caller.still(tx, now)?;
        game.issue_token(tx, now, &caller, id)
    });
    let issued = issued.await.map_err(problem)?;
    Ok(reply::ok(&Token { reconnect_token: issued.token, expires_at: issued.expires_at }))
}

async fn scoreboard(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let (caller, id) = seated(&app, &req)?;
    let board = scores::scoreboard(&app.store.read().map_err(auth::fault)?, &caller, id).map_err(problem)?;
    Ok(reply::ok(&Scores::from(board)))
}

async fn events(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let (caller, id) = seated(&app, &req)?;
    let asked: After = req.query()?;
    let after = after_of(asked.after.as_deref())?;
    let read = app.store.read().map_err(auth::fault)?;
    let frames = app.game.frames(&read, &caller, id, after, MAX_EVENTS).map_err(problem)?;
    let items = frames.items.into_iter().map(Step::from).collect();
    Ok(reply::ok(&Events { items, last_seq: frames.last_seq }))
}

/// A number of an action, or everything: absent and negative numbers are before the first deal, which is number 0.
///
/// # Errors
/// 422 naming `after`.
pub fn after_of(text: Option<&str>) -> Result<Option<u64>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let number: i64 = text.parse().map_err(|_| Problem::field("after", "The number of an action."))?;
    Ok(u64::try_from(number).ok())
}

async fn proof(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let (caller, id) = seated(&app, &req)?;
    let proof = history::proof(&app.store.read().map_err(auth::fault)?, &caller, id).map_err(problem)?;
    Ok(reply::ok(&ProofBody::from(proof)))
}
