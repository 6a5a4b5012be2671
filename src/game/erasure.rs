//! What the game domain forgets of an erased user: the name, wherever it stands. Unfinished matches are resigned, waiting
//! invites end, and the leaderboard loses the player. The cards and the other player's record stay.

use crate::base::id::UserId;
use crate::base::text::Username;
use crate::base::time::Timestamp;
use crate::game::error::Error;
use crate::game::invites::withdraw;
use crate::game::play::Play;
use crate::game::records::{GameInvite, INVITE_BY_RECIPIENT, INVITE_BY_SENDER, SESSION_BY_PLAYER, Session};
use crate::game::scores;
use crate::game::service::Service;
use crate::game::sessions::of_mut;
use crate::store::key::Key;
use crate::store::page::Page;
use crate::store::read::ReadExt as _;
use crate::store::tx::Tx;
use crate::whot::action::Action;

/// Where the game domain keeps what names a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trace {
    /// Matches and the leaderboard.
    Matches,
    /// Invites that the user sent.
    InvitesSent,
    /// Invites that the user was sent.
    InvitesReceived,
}

impl Service {
    /// Takes a user's name from a page of rows and ends what still goes on; where the next page starts.
    ///
    /// # Errors
    /// The store's, and damage.
    pub fn erase(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
        user: UserId,
        name: &Username,
        trace: Trace,
        page: &Page,
    ) -> Result<Option<Vec<u8>>, Error> {
        let index = match trace {
            Trace::Matches => {
                let rows = tx.list_by::<Session>(SESSION_BY_PLAYER, &Key::of(user), page)?;
                for row in rows.items {
                    self.erase_from(tx, now, user, name, row)?;
                }
                return Ok(rows.next);
            }
            Trace::InvitesSent => INVITE_BY_SENDER,
            Trace::InvitesReceived => INVITE_BY_RECIPIENT,
        };
        let rows = tx.list_by::<GameInvite>(index, &Key::of(user), page)?;
        for mut row in rows.items {
            if row.sender_id == user {
                row.sender_username = name.clone();
            }
            if row.recipient_id == user {
                row.recipient_username = name.clone();
            }
            withdraw(tx, now, row)?;
        }
        Ok(rows.next)
    }

    /// Takes the name from one match, and ends it.
    fn erase_from(
        &self,
        tx: &mut Tx<'_>,
        now: Timestamp,
        user: UserId,
        name: &Username,
        mut row: Session,
    ) -> Result<(), Error> {
        let Some(seat) = row.seat_of(user) else { return Ok(()) };
        of_mut(&mut row.seats, seat).username = name.clone();
        tx.put(&row)?;
        if row.ended_at.is_none() {
            let resign = Play { action: Action::Resign, client_id: None, expected_seq: None };
            match self.play_seat(tx, now, (row.clone(), None), seat, &resign) {
                Ok(_) | Err(Error::Refused(_) | Error::NotDealt) => {}
                Err(other) => return Err(other),
            }
            // Between rounds, before the first deal, or where resigning ends a round alone, nobody is left to go on.
            if let Some(still) = tx.get::<Session>(&Key::of(row.id))?.filter(|still| still.ended_at.is_none()) {
                self.close_void(tx, now, still.id, still.updated_at)?;
            }
        }
        let ended = tx.get::<Session>(&Key::of(row.id))?.and_then(|row| row.ended_at).unwrap_or(now);
        Ok(scores::forget(tx, ended, user)?)
    }
}
