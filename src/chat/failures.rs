//! Failed sign-ins: whoever fails at one account again and again waits longer and longer before the next attempt is looked
//! at. Only attempts wait, never a session; names that nobody has are treated like any other; nothing lasts for ever. Kept in
//! memory, on the monotonic clock.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Error, Result};
use crate::domain::network::network_of;

/// Failures that cost nothing: people mistype.
const FREE: u32 = 2;
/// What the next failure costs; each one after it twice as much.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_mins(1);
/// A network that did not fail for so long begins anew.
const FORGIVEN_AFTER: Duration = Duration::from_mins(15);
/// Failures in a row at one account, wherever from, after which all networks that never signed in to it share one attempt in
/// [`LONGEST_DELAY`] (NIST SP 800-63B): guessing from many addresses is as slow as from one.
const BUDGET: u32 = 100;
/// Networks remembered of one account, of those that failed and of those that signed in; the oldest are forgotten.
const NETWORKS: usize = 16;
/// Accounts remembered. Beyond that the eighth part that was used least recently is forgotten.
const ACCOUNTS: usize = 10_000;

/// What is known of the attempts at each account; none when limits are off.
pub(super) struct Failures(Option<Mutex<HashMap<String, Account>>>);

struct Account {
    used: Instant,
    in_a_row: u32,
    /// When the next stranger may try.
    strangers: Option<Instant>,
    failed: Vec<Failed>,
    signed_in: Vec<IpAddr>,
}

struct Failed {
    network: IpAddr,
    times: u32,
    last: Instant,
    until: Instant,
}

impl Failures {
    pub fn new(are_on: bool) -> Self {
        Self(are_on.then(Mutex::default))
    }

    /// Refuses an attempt that comes too early. Called right before the password is looked at, whatever it is.
    pub fn check(&self, account: &str, address: IpAddr, now: Instant) -> Result<()> {
        let Some(all) = self.all() else { return Ok(()) };
        let until = all.get(account).and_then(|account| account.until(network_of(address)));
        match until.and_then(|until| until.checked_duration_since(now)) {
            Some(wait) if !wait.is_zero() => Err(Error::TooMany { retry_after: wait }),
            _ => Ok(()),
        }
    }

    pub fn failed(&self, account: &str, address: IpAddr, now: Instant) {
        if let Some(mut all) = self.all() {
            entry(&mut all, account, now).fail(network_of(address), now);
        }
    }

    pub fn succeeded(&self, account: &str, address: IpAddr, now: Instant) {
        if let Some(mut all) = self.all() {
            entry(&mut all, account, now).succeed(network_of(address));
        }
    }

    /// Held for one look-up, or now and then for one walk; never over an await.
    fn all(&self) -> Option<MutexGuard<'_, HashMap<String, Account>>> {
        Some(self.0.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Account {
    fn until(&self, network: IpAddr) -> Option<Instant> {
        let own = self.failed.iter().find(|failed| failed.network == network).map(|failed| failed.until);
        let strangers = self.strangers.filter(|_| !self.signed_in.contains(&network));
        own.max(strangers)
    }

    fn fail(&mut self, network: IpAddr, now: Instant) {
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.in_a_row >= BUDGET {
            self.strangers = Some(now + LONGEST_DELAY);
        }
        let before = self.failed.iter().position(|failed| failed.network == network);
        let before = before.map(|at| self.failed.remove(at));
        let times = before
            .filter(|failed| now.duration_since(failed.last) < FORGIVEN_AFTER)
            .map_or(1, |failed| failed.times.saturating_add(1));
        push(&mut self.failed, Failed { network, times, last: now, until: now + delay_after(times) });
    }

    fn succeed(&mut self, network: IpAddr) {
        (self.in_a_row, self.strangers) = (0, None);
        self.failed.retain(|failed| failed.network != network);
        self.signed_in.retain(|known| *known != network);
        push(&mut self.signed_in, network);
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

/// At the end, and the oldest goes.
fn push<T>(list: &mut Vec<T>, value: T) {
    if list.len() >= NETWORKS {
        list.remove(0);
    }
    list.push(value);
}

fn entry<'a>(all: &'a mut HashMap<String, Account>, account: &str, now: Instant) -> &'a mut Account {
    if all.len() >= ACCOUNTS && !all.contains_key(account) {
        let mut used: Vec<Instant> = all.values().map(|account| account.used).collect();
        let (_, oldest, _) = used.select_nth_unstable(ACCOUNTS / 8);
        let oldest = *oldest;
        all.retain(|_, account| account.used > oldest);
    }
    let fresh =
        || Account { used: now, in_a_row: 0, strangers: None, failed: Vec::new(), signed_in: Vec::new() };
    let entry = all.entry(account.to_owned()).or_insert_with(fresh);
    entry.used = now;
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, n])
    }

    fn wait(failures: &Failures, from: u8, now: Instant) -> u64 {
        match failures.check("ada", address(from), now) {
            Err(Error::TooMany { retry_after }) => retry_after.as_secs(),
            _ => 0,
        }
    }

    #[test]
    fn each_failure_doubles_the_wait_up_to_a_minute_for_that_network_alone() {
        let (failures, now) = (Failures::new(true), Instant::now());
        let waits: Vec<u64> = (0..11)
            .map(|_| {
                failures.failed("ada", address(1), now);
                wait(&failures, 1, now)
            })
            .collect();
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(wait(&failures, 2, now), 0, "of another network");
        assert!(failures.check("bob", address(1), now).is_ok(), "at another account");
        assert_eq!(wait(&failures, 1, now + LONGEST_DELAY), 0, "it passes");
        failures.succeeded("ada", address(1), now);
        assert_eq!(wait(&failures, 1, now), 0);
        failures.failed("ada", address(3), now);
        failures.failed("ada", address(3), now);
        failures.failed("ada", address(3), now + FORGIVEN_AFTER);
        assert_eq!(wait(&failures, 3, now + FORGIVEN_AFTER), 0, "long ago");
    }

    #[test]
    fn guessing_from_everywhere_slows_strangers_and_not_those_who_signed_in_before() {
        let (failures, now) = (Failures::new(true), Instant::now());
        failures.succeeded("ada", address(1), now);
        for n in 0..BUDGET {
            assert_eq!(wait(&failures, 250, now), 0, "after {n} failures");
            failures.failed("ada", address(2 + u8::try_from(n).unwrap()), now);
        }
        assert_eq!(wait(&failures, 250, now), 60);
        assert_eq!(wait(&failures, 1, now), 0, "it is known there");
        assert_eq!(wait(&failures, 250, now + LONGEST_DELAY), 0, "strangers get their attempt");
        failures.succeeded("ada", address(1), now);
        assert_eq!(wait(&failures, 250, now), 0, "the row has ended");
    }

    #[test]
    fn memory_is_bounded_and_the_least_recent_go_first() {
        let (failures, now) = (Failures::new(true), Instant::now());
        for n in 0..ACCOUNTS * 2 {
            let at = now + Duration::from_millis(u64::try_from(n).unwrap());
            failures.failed(&format!("user-{n}"), address(1), at);
        }
        let all = failures.all().unwrap();
        assert!(all.len() <= ACCOUNTS && all.len() > ACCOUNTS / 2, "{}", all.len());
        assert!(all.contains_key(&format!("user-{}", ACCOUNTS * 2 - 1)) && !all.contains_key("user-0"));
        drop(all);
        for n in 0..=255 {
            failures.failed("ada", address(n), now);
        }
        assert_eq!(failures.all().unwrap()["ada"].failed.len(), NETWORKS);
    }
}
