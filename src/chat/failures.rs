//! Wrong passwords: each one makes the next attempt from the same place wait longer. A place is one network at one account,
//! or one session that changes its password. Where a person signed in before, they never wait for what others did elsewhere.
//! Networks that are unknown at an account wait for one another after many failures there. Names that nobody has are treated
//! like any other. Kept in memory, on the monotonic clock; a restart forgives everybody.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hashlink::LruCache;

use super::{Error, Result};
use crate::domain::ids::SessionId;
use crate::domain::network::NetworkTag;

/// Failures that cost nothing: people mistype.
const FREE: u32 = 2;
/// The wait after the next failure. Each failure after that doubles it.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_mins(1);
/// A place without a failure for this long starts again with its free ones.
const FORGIVEN_AFTER: Duration = Duration::from_mins(15);
/// Failures in a row at one account, from all unknown networks together, after which these networks share one attempt in
/// each [`LONGEST_DELAY`] (NIST SP 800-63B): guessing from many addresses is then as slow as guessing from one.
const BUDGET: u32 = 100;
/// Places and accounts that are remembered: a few megabytes. The one that was used least recently is forgotten first.
const REMEMBERED: usize = 20_000;

/// Where a password was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Tried {
    /// Signing in to one account from one network.
    SignIn(NetworkTag),
    /// Changing the password within one session.
    Change(SessionId),
}

/// What is known of wrong passwords. None when limits are off.
pub(super) struct Failures(Option<Mutex<Known>>);

struct Known {
    places: LruCache<Tried, Place>,
    /// By the name of the account: what unknown networks did there.
    accounts: LruCache<String, Strangers>,
}

#[derive(Clone, Copy)]
struct Place {
    failures: u32,
    last: Instant,
    /// The next attempt is not looked at before this.
    until: Instant,
}

#[derive(Clone, Copy, Default)]
struct Strangers {
    in_a_row: u32,
    until: Option<Instant>,
}

impl Failures {
    pub fn new(are_on: bool) -> Self {
        let known =
            || Mutex::new(Known { places: LruCache::new(REMEMBERED), accounts: LruCache::new(REMEMBERED) });
        Self(are_on.then(known))
    }

    /// Refuses an attempt that comes too early. `stranger_at` is the account, if the network is unknown there.
    pub fn check(&self, tried: Tried, stranger_at: Option<&str>, now: Instant) -> Result<()> {
        let Some(mut known) = self.known() else { return Ok(()) };
        let own = known.places.get(&tried).map(|place| place.until);
        let shared = stranger_at.and_then(|account| known.accounts.get(account)?.until);
        match own.max(shared).and_then(|until| until.checked_duration_since(now)) {
            Some(wait) if !wait.is_zero() => Err(Error::TooMany { retry_after: wait }),
            _ => Ok(()),
        }
    }

    /// Notes a wrong password.
    pub fn failed(&self, tried: Tried, stranger_at: Option<&str>, now: Instant) {
        let Some(mut known) = self.known() else { return };
        let before = known.places.get(&tried).filter(|place| now.duration_since(place.last) < FORGIVEN_AFTER);
        let failures = before.map_or(1, |place| place.failures.saturating_add(1));
        known.places.insert(tried, Place { failures, last: now, until: now + delay_after(failures) });
        if let Some(account) = stranger_at {
            let mut strangers = known.accounts.get(account).copied().unwrap_or_default();
            strangers.in_a_row = strangers.in_a_row.saturating_add(1);
            if strangers.in_a_row >= BUDGET {
                strangers.until = Some(now + LONGEST_DELAY);
            }
            known.accounts.insert(account.to_owned(), strangers);
        }
    }

    /// Notes the right password, which ends the row of failures of this place, and of strangers at the account.
    pub fn succeeded(&self, tried: Tried, account: Option<&str>) {
        let Some(mut known) = self.known() else { return };
        known.places.remove(&tried);
        if let Some(account) = account {
            known.accounts.remove(account);
        }
    }

    /// Held for a few look-ups, never over an await.
    fn known(&self) -> Option<MutexGuard<'_, Known>> {
        Some(self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn delay_after(failures: u32) -> Duration {
    match failures.checked_sub(FREE + 1) {
        None => Duration::ZERO,
        Some(doublings) => 2_u32
            .checked_pow(doublings)
            .map_or(LONGEST_DELAY, |factor| FIRST_DELAY.saturating_mul(factor).min(LONGEST_DELAY)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Ids;

    fn place(n: u32) -> Tried {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        Tried::SignIn(NetworkTag::from_bytes(bytes))
    }

    fn wait(failures: &Failures, tried: Tried, stranger_at: Option<&str>, now: Instant) -> u64 {
        match failures.check(tried, stranger_at, now) {
            Err(Error::TooMany { retry_after }) => retry_after.as_secs(),
            _ => 0,
        }
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_minute_for_that_place_alone() {
        let (failures, now) = (Failures::new(true), Instant::now());
        for here in [place(1), Tried::Change(Ids::SYSTEM.session())] {
            let waits: Vec<u64> = (0..11)
                .map(|_| {
                    failures.failed(here, None, now);
                    wait(&failures, here, None, now)
                })
                .collect();
            assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
            assert_eq!(wait(&failures, place(2), None, now), 0, "elsewhere");
            assert_eq!(
                wait(&failures, Tried::Change(Ids::SYSTEM.session()), None, now),
                0,
                "in another session"
            );
            assert_eq!(wait(&failures, here, None, now + LONGEST_DELAY), 0, "it passes");
            failures.succeeded(here, None);
            assert_eq!(wait(&failures, here, None, now), 0);
        }
        failures.failed(place(3), None, now);
        failures.failed(place(3), None, now);
        failures.failed(place(3), None, now + FORGIVEN_AFTER);
        assert_eq!(wait(&failures, place(3), None, now + FORGIVEN_AFTER), 0, "long ago");
    }

    #[test]
    fn guessing_from_everywhere_slows_strangers_and_not_those_who_signed_in_before() {
        let (failures, now) = (Failures::new(true), Instant::now());
        let ada = Some("ada");
        for n in 0..BUDGET {
            assert_eq!(wait(&failures, place(999), ada, now), 0, "after {n} failures");
            failures.failed(place(n), ada, now);
        }
        assert_eq!(wait(&failures, place(999), ada, now), 60);
        assert_eq!(wait(&failures, place(999), Some("bob"), now), 0, "at another account");
        assert_eq!(wait(&failures, place(999), None, now), 0, "where it is known");
        assert_eq!(wait(&failures, place(999), ada, now + LONGEST_DELAY), 0, "strangers get their attempt");
        failures.succeeded(place(999), ada);
        assert_eq!(wait(&failures, place(998), ada, now), 0, "the row has ended");
    }

    #[test]
    fn memory_is_bounded_and_the_least_recent_go_first() {
        let (failures, now) = (Failures::new(true), Instant::now());
        let most = u32::try_from(REMEMBERED).unwrap();
        for n in 0..most * 2 {
            failures.failed(place(n), Some(&format!("user-{n}")), now);
            failures.failed(place(0), Some("user-0"), now);
        }
        let known = failures.known().unwrap();
        assert_eq!((known.places.len(), known.accounts.len()), (REMEMBERED, REMEMBERED));
        assert!(known.places.contains_key(&place(0)) && known.accounts.contains_key("user-0"));
        assert!(known.places.contains_key(&place(most * 2 - 1)) && !known.places.contains_key(&place(1)));
    }
}
