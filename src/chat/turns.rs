//! Turns at hashing: of one line a few are in the queue of hashes at a time, and the rest wait for their turn. So a flood of
//! sign-ins from one network does not fill the queue for everybody else.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::{Error, Result};
use crate::domain::ids::SessionId;
use crate::domain::network::NetworkTag;

/// Hashes of one line that are in the queue or being made.
const AT_ONCE: usize = 2;
/// A caller who waited this long for the others of the line is told to come back.
const PATIENCE: Duration = Duration::from_secs(2);
/// What they are told to wait.
const COME_BACK: Duration = Duration::from_secs(2);

/// Who waits for one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Line {
    /// Registrations from one network, and attempts to sign in to accounts that never signed in from it.
    Network(IpAddr),
    /// Attempts to sign in to one account from one network that it signed in from before.
    Known(NetworkTag),
    /// Changes of a password within one session.
    Session(SessionId),
}

/// The lines with somebody in them, as many entries as there are such lines. None when limits are off.
pub(super) struct Turns(Option<DashMap<Line, Arc<Semaphore>>>);

/// The right to one hash. Dropping it gives the turn to the next in line.
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    line: Line,
    permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    pub fn new(are_on: bool) -> Self {
        Self(are_on.then(DashMap::new))
    }

    /// Waits for a turn, in the order of coming.
    pub async fn next(&self, line: Line) -> Result<Turn<'_>> {
        // Made first: its drop removes the entry of a caller who stops waiting.
        let mut turn = Turn { turns: self, line, permit: None };
        let Some(all) = &self.0 else { return Ok(turn) };
        let places = all.entry(line).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone();
        let permit = timeout(PATIENCE, places.acquire_owned()).await.ok().and_then(std::result::Result::ok);
        turn.permit = Some(permit.ok_or(Error::Overloaded { retry_after: COME_BACK })?);
        Ok(turn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.permit = None;
        if let Some(all) = &self.turns.0 {
            // Those who wait hold the semaphore, too.
            all.remove_if(&self.line, |_, places| Arc::strong_count(places) == 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn line(address: &str) -> Line {
        Line::Network(address.parse().unwrap())
    }

    #[tokio::test]
    async fn one_line_has_two_turns_at_a_time_and_leaves_nothing_behind() {
        let turns = Turns::new(true);
        let [ada, bob] = ["10.0.0.2", "10.0.0.1"].map(line);
        let first = turns.next(ada).await.unwrap();
        let second = turns.next(ada).await.unwrap();
        let mut third = Box::pin(turns.next(ada));
        assert!((&mut third).now_or_never().is_none(), "it waits");
        let other = turns.next(bob).now_or_never().expect("another line does not wait").unwrap();
        let known = Line::Known(NetworkTag::from_bytes([1; 16]));
        drop(turns.next(known).now_or_never().expect("who is known there does not wait").unwrap());
        drop(first);
        let third = third.now_or_never().expect("its turn").unwrap();
        let mut given_up = Box::pin(turns.next(ada));
        assert!((&mut given_up).now_or_never().is_none());
        drop((second, third, other));
        drop(given_up);
        assert_eq!(turns.0.as_ref().map(DashMap::len), Some(0));
    }

    #[tokio::test]
    async fn without_limits_nobody_waits() {
        let turns = Turns::new(false);
        let ada = line("10.0.0.1");
        let all: Vec<_> =
            (0..10).map(|_| turns.next(ada).now_or_never().expect("at once").unwrap()).collect();
        assert_eq!(all.len(), 10);
    }
}
