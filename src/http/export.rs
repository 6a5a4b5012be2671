//! `/api/v1/users/me/export`: everything that the box holds about the caller, as one JSON document.
//!
//! Each domain tells what it holds; here it is only put together. Secrets are not in it: of those the box has digests.

use std::sync::Arc;

use hyper::header::{CONTENT_DISPOSITION, HeaderValue};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use crate::app::App;
use crate::base::id::{AuditId, ConversationId, GameId, SessionId};
use crate::base::time::Timestamp;
use crate::chat::{self, audit};
use crate::customer::{invites, relationships};
use crate::game::invites::{InviteInfo, Side};
use crate::game::{self, scores};
use crate::http::auth;
use crate::http::conversations::{self, Conversation};
use crate::http::customer::RelationshipBody;
use crate::http::games_view::{self, GameInvite, Seated, Standing};
use crate::http::identity::UserBody;
use crate::http::invites::InviteBody;
use crate::http::messages::Message;
use crate::http::problem::{Code, Problem};
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Route, get};
use crate::identity::access::Caller;
use crate::identity::export::{self, HeldOld};
use crate::store::fault::Fault;
use crate::store::page::{Gathered, gather};
use crate::store::read::Read;
use crate::whot::card::{PerSeat, Seat};

/// Rows of one kind in one document: years of play, and still some megabytes at most.
const MOST: usize = 10_000;

/// Everything that the box holds about the caller.
#[derive(Serialize, ToSchema)]
struct Export {
    #[schema(value_type = String, format = DateTime)]
    exported_at: Timestamp,
    /// The box.
    box_id: String,
    user: UserBody,
    /// Sign-ins, ended ones included for as long as they are kept.
    sessions: Vec<ExportedSession>,
    login_attempts: Vec<ExportedAttempt>,
    /// That there were codes; they themselves are not stored.
    one_time_codes: Vec<ExportedCode>,
    /// Invites that the caller made or redeemed.
    invites: Vec<InviteBody>,
    relationships: Vec<RelationshipBody>,
    game_invites: Vec<GameInvite>,
    games: Vec<ExportedGame>,
    /// The caller's place on the leaderboard of all time.
    leaderboard: Option<Standing>,
    /// Messages that the caller can see. What both have read has vanished; its sealed archive is for moderators alone.
    conversations: Vec<ExportedConversation>,
    /// The caller's own links of the audit trail: reports, or a moderator's acts.
    audits: Vec<ExportedAudit>,
    /// What was taken over from the old service.
    imported: Vec<Imported>,
    /// Kinds of which there is more than fits.
    truncated: Vec<&'static str>,
}

#[derive(Serialize, ToSchema)]
struct ExportedSession {
    #[schema(value_type = String)]
    id: SessionId,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    last_used_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<Timestamp>,
    revoke_reason: Option<&'static str>,
}

#[derive(Serialize, ToSchema)]
struct ExportedAttempt {
    outcome: &'static str,
    address: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct ExportedCode {
    purpose: &'static str,
    sender: &'static str,
    tries: u32,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    used_at: Option<Timestamp>,
}

/// A match in short.
#[derive(Serialize, ToSchema)]
struct ExportedGame {
    #[schema(value_type = String)]
    game_id: GameId,
    #[schema(value_type = Vec<Seated>)]
    players: PerSeat<Seated>,
    bot_level: Option<&'static str>,
    #[schema(value_type = u8)]
    seat: Seat,
    #[schema(value_type = Vec<u32>)]
    rounds_won: PerSeat<u32>,
    #[schema(value_type = Vec<u32>)]
    points: PerSeat<u32>,
    #[schema(value_type = Option<u8>)]
    winner: Option<Seat>,
    end_reason: Option<&'static str>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
struct ExportedConversation {
    conversation: Conversation,
    messages: Vec<Message>,
}

#[derive(Serialize, ToSchema)]
struct ExportedAudit {
    #[schema(value_type = String)]
    id: AuditId,
    #[schema(value_type = Option<String>)]
    conversation_id: Option<ConversationId>,
    action: &'static str,
    code: &'static str,
    reason: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

#[derive(Serialize, ToSchema)]
struct Imported {
    table: &'static str,
    id: String,
    name: Option<String>,
    code: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
    #[schema(value_type = Object)]
    extra: Value,
}

/// The route. One document is made at a time, so that nobody fills the memory with them.
pub fn route(app: &Arc<App>) -> Route {
    let state = (Arc::clone(app), Arc::new(Semaphore::new(1)));
    get("/api/v1/users/me/export", "Everything that the box holds about the caller.")
        .reply::<Export>(200)
        .refuses(&[Code::Busy])
        .to(&state, answer)
}

async fn answer((app, turn): (Arc<App>, Arc<Semaphore>), req: Req) -> Result<Response, Problem> {
    let caller = auth::settled(&app, &req)?;
    let turn = turn.try_acquire_owned().map_err(|_| Problem::new(Code::Busy))?;
    let username = caller.user().username.clone();
    // Thousands of rows and decryptions: not on a thread that serves moves.
    let made = tokio::task::spawn_blocking(move || {
        let made = app.store.read().map_err(auth::fault).and_then(|read| export(&app, &read, &caller));
        drop(turn);
        made.map(|export| reply::ok(&export))
    });
    let mut reply = made.await.map_err(|error| Problem::internal(&error))??;
    // A name holds nothing that a header could not.
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"whot-{username}.json\"")) {
        reply.headers_mut().insert(CONTENT_DISPOSITION, value);
    }
    Ok(reply)
}

/// Notes of which kinds not everything fits.
#[derive(Default)]
struct Kinds(Vec<&'static str>);

impl Kinds {
    fn take<T, U>(&mut self, kind: &'static str, gathered: Gathered<T>, shown: impl FnMut(T) -> U) -> Vec<U> {
        if !gathered.whole && !self.0.contains(&kind) {
            self.0.push(kind);
        }
        gathered.items.into_iter().map(shown).collect()
    }
}

fn export(app: &App, read: &impl Read, caller: &Caller) -> Result<Export, Problem> {
    let now = app.clock.now();
    let mut kinds = Kinds::default();
    let sessions = gather(MOST, |page| export::sessions(read, caller, page)).map_err(auth::fault)?;
    let attempts = gather(MOST, |page| export::attempts(read, caller, page)).map_err(auth::fault)?;
    let codes = gather(MOST, |page| export::codes(read, caller, page)).map_err(auth::fault)?;
    let own_invites = gather(MOST, |page| invites::concerning(read, now, caller, page)).map_err(auth::fault)?;
    let bonds = gather(MOST, |page| relationships::as_customer(read, caller, page)).map_err(auth::fault)?;
    let owned = gather(MOST, |page| relationships::of_distributor(read, caller.id(), page)).map_err(auth::fault)?;
    let audits = gather(MOST, |page| audit::own(read, caller, page)).map_err(auth::fault)?;
    let mut relationships = kinds.take("relationships", bonds, RelationshipBody::from);
    relationships.extend(kinds.take("relationships", owned, RelationshipBody::from));
    let (game_invites, games, leaderboard) = played(app, read, caller, &mut kinds)?;
    Ok(Export {
        exported_at: now,
        box_id: app.box_id.to_string(),
        user: UserBody::new(&app.identity, caller.user()),
        sessions: kinds.take("sessions", sessions, ExportedSession::from),
        login_attempts: kinds.take("login_attempts", attempts, ExportedAttempt::from),
        one_time_codes: kinds.take("one_time_codes", codes, ExportedCode::from),
        invites: kinds.take("invites", own_invites, |invite| InviteBody::new(&invite)),
        relationships,
        game_invites,
        games,
        leaderboard,
        conversations: written(app, read, caller, &mut kinds)?,
        audits: kinds.take("audits", audits, ExportedAudit::from),
        imported: imported(read, caller, &mut kinds).map_err(auth::fault)?,
        truncated: kinds.0,
    })
}

type Played = (Vec<GameInvite>, Vec<ExportedGame>, Option<Standing>);

/// What the game domain holds; nothing of who is no player.
fn played(app: &App, read: &impl Read, caller: &Caller, kinds: &mut Kinds) -> Result<Played, Problem> {
    let Ok(player) = caller.player() else { return Ok((Vec::new(), Vec::new(), None)) };
    let now = app.clock.now();
    let mut all = Vec::new();
    for side in [Side::Sent, Side::Received] {
        let some = gather(MOST, |page| game::invites::of_player(read, now, &player, side, page));
        all.extend(kinds.take("game_invites", some.map_err(games_view::problem)?, |invite: InviteInfo| invite.into()));
    }
    let games = gather(MOST, |page| game::export::matches(read, &player, page)).map_err(games_view::problem)?;
    let place = scores::standing(read, player.id()).map_err(auth::fault)?;
    Ok((all, kinds.take("games", games, ExportedGame::from), place.map(Standing::from)))
}

/// What chat holds and the caller may see.
fn written(
    app: &App,
    read: &impl Read,
    caller: &Caller,
    kinds: &mut Kinds,
) -> Result<Vec<ExportedConversation>, Problem> {
    let own = gather(MOST, |page| chat::conversations::of_user(read, caller, page)).map_err(auth::fault)?;
    let mut all = Vec::new();
    for conversation in kinds.take("conversations", own, |own| own) {
        let seen = app.chat.steady(|| {
            let read = app.store.read()?;
            gather(MOST, |page| app.chat.list(&read, caller, conversation.id, None, page.clone()))
        });
        let messages = kinds.take("messages", seen.map_err(conversations::problem)?, Message::from);
        all.push(ExportedConversation { conversation: Conversation::of(conversation), messages });
    }
    Ok(all)
}

fn imported(read: &impl Read, caller: &Caller, kinds: &mut Kinds) -> Result<Vec<Imported>, Fault> {
    let mut all = kinds.take("imported", gather(MOST, |page| export::influencers(read, caller, page))?, Imported::from);
    all.extend(kinds.take("imported", gather(MOST, |page| export::referrals(read, caller, page))?, Imported::from));
    let codes = gather(MOST, |page| export::influencer_codes(read, caller, page))?;
    all.extend(kinds.take("imported", codes, Imported::from));
    Ok(all)
}

impl From<export::HeldSession> for ExportedSession {
    fn from(held: export::HeldSession) -> Self {
        let export::HeldSession { id, created_at, last_used_at, expires_at, revoked_at, revoke_reason } = held;
        let revoke_reason = revoke_reason.map(|why| why.name());
        Self { id, created_at, last_used_at, expires_at, revoked_at, revoke_reason }
    }
}

impl From<export::HeldAttempt> for ExportedAttempt {
    fn from(held: export::HeldAttempt) -> Self {
        Self { outcome: held.outcome, address: held.address, at: held.at }
    }
}

impl From<export::HeldCode> for ExportedCode {
    fn from(held: export::HeldCode) -> Self {
        let export::HeldCode { purpose, sender, tries, created_at, expires_at, used_at } = held;
        Self { purpose, sender, tries, created_at, expires_at, used_at }
    }
}

impl From<HeldOld> for Imported {
    fn from(held: HeldOld) -> Self {
        let HeldOld { table, id, name, code, created_at, extra } = held;
        let extra = serde_json::from_str(&extra).unwrap_or(Value::String(extra));
        Self { table, id: id.to_string(), name, code, created_at, extra }
    }
}

impl From<audit::Entry> for ExportedAudit {
    fn from(entry: audit::Entry) -> Self {
        Self {
            id: entry.id,
            conversation_id: entry.conversation_id,
            action: entry.action.name(),
            code: entry.code.name(),
            reason: entry.reason.into(),
            at: entry.at,
        }
    }
}

impl From<game::export::HeldMatch> for ExportedGame {
    fn from(held: game::export::HeldMatch) -> Self {
        Self {
            game_id: held.game_id,
            players: PerSeat(held.players.0.map(games_view::seated)),
            bot_level: held.bot_level.map(game::BotLevel::name),
            seat: held.seat,
            rounds_won: held.rounds_won,
            points: held.points,
            winner: held.winner,
            end_reason: held.end_reason,
            created_at: held.created_at,
            ended_at: held.ended_at,
        }
    }
}
