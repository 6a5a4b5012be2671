//! What a rebuilt box makes anew of its matches: the leaderboards, and the seeds of rounds that are being played. Neither
//! travels to central: the one follows from the matches, the other would give the deck away.

use std::collections::BTreeMap;

use crate::base::id::UserId;
use crate::game::records::{Board, Round, ServerSeed, Session, Standing};
use crate::game::scores::Period;
use crate::game::service::Service;
use crate::identity::erasure::is_wiped;
use crate::store::fault::Fault;
use crate::store::key::Key;
use crate::store::page::{MAX_PAGE, Page};
use crate::store::read::ReadExt as _;
use crate::store::writer::Store;

/// Rows of one commit.
const AT_ONCE: usize = 1000;

impl Session {
    /// The seat that won, if somebody did.
    fn won_by(&self) -> Option<u8> {
        match &self.board {
            Board::Waiting { .. } => None,
            Board::Dealt(dealt) => dealt.state.winner,
            Board::Closed { scores, .. } => scores.winner,
        }
    }

    /// The places that its two players gain by it: period, player, name, whether won.
    fn places(&self) -> Vec<(Standing, bool)> {
        let (Some(winner), Some(ended), None) = (self.won_by(), self.ended_at, self.bot_level) else {
            return Vec::new();
        };
        let mut places = Vec::new();
        for (seat, seated) in (0_u8..).zip(&self.seats) {
            let Some(user_id) = seated.user_id else { continue };
            for period in [Period::All, Period::Week] {
                let (period, username) = (period.number(ended), seated.username.clone());
                places.push((Standing { period, user_id, username, won: 0, played: 0 }, seat == winner));
            }
        }
        places
    }
}

impl Service {
    /// Makes anew what follows from matches and rounds. Done again it changes nothing.
    ///
    /// # Errors
    /// [`Fault`] where a row cannot be read, or a seed not be opened: then the master key is another box's.
    pub fn remake(&self, store: &Store) -> Result<(), Fault> {
        let standings = standings(store)?;
        for some in standings.chunks(AT_ONCE) {
            let some = some.to_vec();
            store.write_blocking(move |tx, _| some.iter().try_for_each(|standing| tx.put(standing)))?;
        }
        let mut page = Some(Page::first(MAX_PAGE));
        while let Some(this) = page.take() {
            let listed = store.read()?.list::<Round>(&Key::new(), &this)?;
            page = listed.next.map(|next| Page::first(MAX_PAGE).after(Some(next)));
            let waits = |round: &&Round| {
                round.starter.is_some() && round.seed.is_none() && matches!(round.server_seed, ServerSeed::Sealed(_))
            };
            let rounds: Result<Vec<Round>, Fault> = (listed.items.iter().filter(waits))
                .map(|round| Ok(Round { seed: Some(self.seed(round)?.0), ..round.clone() }))
                .collect();
            let rounds = rounds?;
            if !rounds.is_empty() {
                store.write_blocking(move |tx, _| rounds.iter().try_for_each(|round| tx.put(round)))?;
            }
        }
        Ok(())
    }
}

fn standings(store: &Store) -> Result<Vec<Standing>, Fault> {
    let read = store.read()?;
    let mut all: BTreeMap<(u32, UserId), (crate::base::time::Timestamp, Standing)> = BTreeMap::new();
    let mut page = Some(Page::first(MAX_PAGE));
    while let Some(this) = page.take() {
        let listed = read.list::<Session>(&Key::new(), &this)?;
        page = listed.next.map(|next| Page::first(MAX_PAGE).after(Some(next)));
        for session in &listed.items {
            let ended = session.ended_at.unwrap_or(session.updated_at);
            for (place, won) in session.places() {
                let (at, standing) = all.entry((place.period, place.user_id)).or_insert((ended, place.clone()));
                standing.won = standing.won.saturating_add(u32::from(won));
                standing.played = standing.played.saturating_add(1);
                // The name at the player's last match.
                if *at <= ended {
                    (*at, standing.username) = (ended, place.username);
                }
            }
        }
    }
    let mut standings = Vec::new();
    for ((_, user), (_, standing)) in all {
        if !is_wiped(&read, user)? {
            standings.push(standing);
        }
    }
    Ok(standings)
}
