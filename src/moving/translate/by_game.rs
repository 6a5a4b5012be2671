//! The game service's rows.

use serde_json::Value;

use crate::base::id::{GameId, UserId};
use crate::game::InviteState;
use crate::game::takeover::{OldGame, OldGameInvite};
use crate::ledger::What;
use crate::moving::cell::{Cell, Refusal, Row};
use crate::moving::translate::{Context, Old, Translated, Verdict};
use crate::whot::card::Seat;

/// Letters of an old card's name that are kept.
const MAX_CARD: usize = 64;

pub(in crate::moving) fn invite(context: &Context<'_>, row: &Row<'_>) -> Result<Translated, Verdict> {
    let id = row.must_id("id")?;
    let sender = context.must_user("sender_id", row.must_id("sender_id")?)?;
    let name = row.must_text("recipient_username")?;
    let recipient = context.named(&name)?;
    let recipient =
        recipient.ok_or_else(|| Verdict::Refused(format!("recipient_username: nobody is called {name:?} here")))?;
    let word = row.must_text("status")?.to_ascii_lowercase();
    let state = match word.as_str() {
        "pending" | "open" | "sent" | "waiting" | "new" => InviteState::Pending,
        "accepted" => InviteState::Accepted,
        "declined" | "rejected" | "refused" => InviteState::Declined,
        "cancelled" | "canceled" | "withdrawn" | "revoked" => InviteState::Cancelled,
        "expired" | "timeout" => InviteState::Expired,
        _ => return Err(Verdict::Refused(format!("status: {word:?} is no state of an invite"))),
    };
    let open = state == InviteState::Pending;
    let game_id: Option<GameId> = row.id("game_id")?;
    // An accepted invite without its match's id has its own: it was its match's only name.
    let game_id = game_id.or_else(|| row.id("id").ok().flatten()).filter(|_| state == InviteState::Accepted);
    let old = Old::GameInvite(OldGameInvite {
        id,
        sender_id: sender.id,
        sender_username: sender.username,
        recipient_id: recipient.id,
        recipient_username: recipient.username,
        state: if open { InviteState::Expired } else { state },
        game_id,
        created_at: row.time("created_at")?.unwrap_or(context.now),
    });
    let remark = "it was open, and is expired here: its match was never dealt by this box";
    let remarks = open.then(|| (What::Remark, remark.to_owned())).into_iter().collect();
    Ok(Translated { old, remarks })
}

fn number(value: &Value) -> Option<u32> {
    let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()))?;
    u32::try_from(number).ok()
}

/// Scores as one JSON value: a pair, or an object by player.
fn both(row: &Row<'_>, players: [UserId; 2]) -> Result<Option<[u32; 2]>, Refusal> {
    let Some(text) = row.text("scores")? else { return Ok(None) };
    let bad = || Refusal("scores: they are not two numbers".to_owned());
    let value: Value = serde_json::from_str(&text).map_err(|_| bad())?;
    match &value {
        Value::Array(items) => match items.as_slice() {
            [one, two] => Ok(number(one).zip(number(two)).map(<[u32; 2]>::from)),
            [] => Ok(None),
            _ => Err(bad()),
        },
        Value::Object(fields) => {
            let of = |names: [String; 4]| names.iter().find_map(|name| fields.get(name)).and_then(number);
            let [one, two] = players;
            let first = of([one.to_string(), "player1".into(), "player_one".into(), "p1".into()]);
            let second = of([two.to_string(), "player2".into(), "player_two".into(), "p2".into()]);
            match (first, second) {
                (None, None) if fields.is_empty() => Ok(None),
                (None, None) => Err(bad()),
                (first, second) => Ok(Some([first.unwrap_or(0), second.unwrap_or(0)])),
            }
        }
        _ => Err(bad()),
    }
}

fn score(row: &Row<'_>, field: &str) -> Result<u32, Refusal> {
    let Some(number) = row.number(field)? else { return Ok(0) };
    u32::try_from(number).map_err(|_| Refusal(format!("{field}: {number} is no score")))
}

/// Whether a match was finished: a word or a flag of its state, or that it has a winner.
fn finished(row: &Row<'_>, winner: bool) -> Result<bool, Verdict> {
    let Some(word) = row.text("status")? else { return Ok(winner || !matches!(row.cell("ended_at"), Cell::Null)) };
    match word.to_ascii_lowercase().as_str() {
        "finished" | "completed" | "complete" | "over" | "ended" | "done" | "won" | "closed" | "true" | "t" | "1"
        | "yes" | "game_over" => Ok(true),
        "active" | "live" | "in_progress" | "playing" | "waiting" | "open" | "started" | "pending" | "paused"
        | "false" | "f" | "0" | "no" | "void" | "abandoned" | "cancelled" => Ok(false),
        other => Err(Verdict::Refused(format!("status: {other:?} is no state of a match"))),
    }
}

pub(in crate::moving) fn game(context: &Context<'_>, row: &Row<'_>) -> Result<Translated, Verdict> {
    let id = row.must_id("id")?;
    let (one, two): (UserId, UserId) = (row.must_id("player1_id")?, row.must_id("player2_id")?);
    let (first, second) = (context.must_user("player1_id", one)?, context.must_user("player2_id", two)?);
    if one == two {
        return Err(Verdict::Refused("player2_id: both players are the same".to_owned()));
    }
    let points = match both(row, [one, two])? {
        Some(points) => points,
        None => [score(row, "score1")?, score(row, "score2")?],
    };
    let winner = match row.id::<UserId>("winner_id")? {
        None => None,
        Some(id) if id == one => Some(Seat::Zero),
        Some(id) if id == two => Some(Seat::One),
        Some(id) => return Err(Verdict::Refused(format!("winner_id: {id} did not play"))),
    };
    let over = finished(row, winner.is_some())?;
    let created_at = row.time("created_at")?.unwrap_or(context.now);
    let touched = row.time("ended_at")?.or(row.time("updated_at")?);
    let top_card = row.text("top_card")?.map(|text| text.chars().take(MAX_CARD).collect());
    let old = Old::Game(OldGame {
        id,
        players: [(one, first.username), (two, second.username)],
        points,
        winner: winner.filter(|_| over),
        top_card,
        void: !over,
        created_at,
        ended_at: touched.unwrap_or(created_at),
    });
    let remark = "it was not finished: closed as void, its scores kept";
    let remarks = (!over).then(|| (What::Remark, remark.to_owned())).into_iter().collect();
    Ok(Translated { old, remarks })
}
