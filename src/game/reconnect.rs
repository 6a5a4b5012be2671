//! Reconnect tokens: single use, one per seat, good for opening the match's socket and nothing else.
//!
//! A token derives from match, seat and generation; only its digest is stored. It carries the sign-in that asked for
//! it, so that revoking that ends it too.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::digest::same;
use crate::base::id::GameId;
use crate::base::time::Timestamp;
use crate::game::error::Error;
use crate::game::records::{Reconnect, Session};
use crate::game::service::{Service, token_digest};
use crate::game::sessions::{of, of_mut, seated};
use crate::identity::access::{Caller, Named};
use crate::store::key::Key;
use crate::store::read::ReadExt;
use crate::store::tx::Tx;
use crate::whot::card::Seat;

/// How long a token can be used: as long as an untouched match stays open.
pub const TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long a socket stays open that was opened with one: as long as an access token would let it.
pub const SOCKET_LIFE: Duration = Duration::from_secs(15 * 60);

/// A token to hand out.
pub struct Issued {
    /// The token.
    pub token: String,
    /// Until when it can be used.
    pub expires_at: Timestamp,
}

impl Service {
    /// A new token for the caller's seat; the one before ends.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub fn issue_token(&self, tx: &mut Tx<'_>, now: Timestamp, caller: &Caller, game: GameId) -> Result<Issued, Error> {
        let (mut session, seat) = seated(tx, caller.id(), game)?;
        let generation = of(&session.reconnect, seat).generation.wrapping_add(1);
        let token = self.reconnect_token(game, seat, generation);
        let expires_at = now.plus(TOKEN_LIFE);
        *of_mut(&mut session.reconnect, seat) = Reconnect {
            generation,
            digest: Some(token_digest(&token)),
            session: Some(caller.session()),
            expires_at: Some(expires_at),
        };
        tx.put(&session)?;
        Ok(Issued { token: URL_SAFE_NO_PAD.encode(token), expires_at })
    }

    /// Uses a token up; whom it names, still to be checked like any other token's bearer.
    ///
    /// # Errors
    /// [`Error::BadToken`].
    pub fn use_token(&self, tx: &mut Tx<'_>, now: Timestamp, game: GameId, token: &str) -> Result<Named, Error> {
        let token = URL_SAFE_NO_PAD.decode(token).map_err(|_| Error::BadToken)?;
        let digest = token_digest(&token);
        let mut session = tx.get::<Session>(&Key::of(game))?.ok_or(Error::BadToken)?;
        let good = |seat: &Seat| {
            let known = of(&session.reconnect, *seat);
            let in_time = known.expires_at.is_some_and(|end| now < end);
            known.digest.is_some_and(|known| same(&known, &digest)) && in_time
        };
        let seat = Seat::BOTH.into_iter().find(good).ok_or(Error::BadToken)?;
        let user = of(&session.seats, seat).user_id.ok_or(Error::BadToken)?;
        let reconnect = of_mut(&mut session.reconnect, seat);
        reconnect.digest = None;
        let sign_in = reconnect.session.take().ok_or(Error::BadToken)?;
        tx.put(&session)?;
        Ok(Named { user, session: sign_in, expires_at: now.plus(SOCKET_LIFE) })
    }
}
