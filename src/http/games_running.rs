//! `/api/v1/box/games`: the matches that go on now, for those who run the box.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::base::id::{GameId, UserId};
use crate::base::text::Username;
use crate::base::time::Timestamp;
use crate::game::running::{Overseer, Running, running};
use crate::game::sessions::SeatInfo;
use crate::http::auth;
use crate::http::games_view::problem;
use crate::http::problem::Problem;
use crate::http::reply::{self, Response};
use crate::http::request::Req;
use crate::http::route::{Resource, get};
use crate::store::page::Page;
use crate::whot::card::{PerSeat, Seat};
use crate::whot::options::Options;
use crate::whot::state::Phase;

/// A match that goes on, without its cards.
#[derive(Debug, Serialize, ToSchema)]
struct RunningGame {
    #[schema(value_type = String)]
    game_id: GameId,
    /// By seat.
    #[schema(value_type = Vec<RunningPlayer>)]
    players: PerSeat<RunningPlayer>,
    /// `easy`, `medium` or `hard` where one seat is a bot's.
    bot: Option<&'static str>,
    #[schema(value_type = Object)]
    options: Options,
    /// `round_over` before the first deal too.
    #[schema(value_type = String)]
    phase: Phase,
    /// 0 before the first deal.
    round: u32,
    /// Accepted actions.
    seq: u64,
    #[schema(value_type = Option<u8>)]
    turn: Option<Seat>,
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// When somebody last acted.
    #[schema(value_type = String, format = DateTime)]
    last_action_at: Timestamp,
}

/// A player of a match that goes on.
#[derive(Debug, Serialize, ToSchema)]
struct RunningPlayer {
    /// `null` for a bot.
    #[schema(value_type = Option<String>)]
    user_id: Option<UserId>,
    #[schema(value_type = String)]
    username: Username,
    /// Whether a socket of the player's is open; a bot is always there.
    online: bool,
    rounds_won: u32,
    points: u32,
}

impl RunningGame {
    fn of(app: &App, running: Running) -> Self {
        let Running { game_id, players, rounds_won, points, .. } = running;
        let player = |seat: Seat| {
            let SeatInfo { user_id, username } = players.of(seat).clone();
            let there = |user| app.hub.presence(game_id, user).is_some_and(|presence| presence.online);
            let online = user_id.is_none_or(there);
            RunningPlayer { user_id, username, online, rounds_won: *rounds_won.of(seat), points: *points.of(seat) }
        };
        Self {
            game_id,
            players: PerSeat(Seat::BOTH.map(player)),
            bot: running.bot.map(|level| level.name()),
            options: running.options,
            phase: running.phase,
            round: running.round,
            seq: running.seq,
            turn: running.turn,
            started_at: running.started_at,
            last_action_at: running.last_action_at,
        }
    }
}

/// The table.
#[must_use]
pub fn resource(app: &Arc<App>) -> Resource {
    let summary = "Matches that go on: an admin's all, a distributor's own and customers'.";
    Resource::new("running games", vec![get("/api/v1/box/games", summary).list::<RunningGame>().to(app, list)])
}

async fn list(app: Arc<App>, req: Req) -> Result<Response, Problem> {
    let overseer = Overseer::of(&auth::settled(&app, &req)?).map_err(problem)?;
    let asked = req.page()?;
    let page = Page::newest(asked.limit).after(asked.after);
    let read = app.store.read().map_err(auth::fault)?;
    let listed = running(&read, &overseer, &page).map_err(problem)?.map(|running| RunningGame::of(&app, running));
    Ok(reply::list(&listed.items, listed.next.as_deref()))
}
