//! Rates: how often one person, account or network may do a thing. Token buckets in memory, on the monotonic clock; a
//! restart forgives everybody.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;

use super::meters::Meters;
use super::{Error, Result};
use crate::config::{self, Rate};
use crate::domain::ids::{RoomId, SessionId, UserId};
use crate::domain::network::NetworkTag;

/// Buckets kept at most. Beyond that the full ones are dropped; if none is full, requests that need a new bucket pass
/// uncounted, and a metric says so. Whoever has so many addresses passes any limit of an address, and nobody else may be
/// refused for it.
const MAX_BUCKETS: usize = 100_000;
/// Looking for full buckets goes through all of them, so it is not done for each new one.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The one list of what is counted: the kind, what tells its buckets apart, and the key of `[limits]` with its rate.
macro_rules! counted {
    ($( $(#[doc = $what:literal])+ $kind:ident $(($by:ty))? => $rate:ident; )+) => {
        /// What is counted, each value in a bucket of its own.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub(super) enum Counted {
            $( $(#[doc = $what])+ $kind $(($by))?, )+
        }

        impl Counted {
            const fn rate(&self, limits: &config::Limits) -> Rate {
                match self {
                    $( Self::$kind { .. } => limits.$rate, )+
                }
            }
        }
    };
}

counted! {
    /// Attempts to sign in to the account of this name, from all networks that never signed in to it.
    LoginTo(String) => login_per_account;
    /// Attempts to sign in to one account from one network that signed in to it before.
    LoginKnown(NetworkTag) => login_per_account;
    /// Attempts within a session to change the password.
    PasswordChange(SessionId) => login_per_account;
    /// Attempts to sign in from this network, to accounts that it never signed in to.
    LoginFrom(IpAddr) => login_per_address;
    /// New accounts from this network.
    RegisterFrom(IpAddr) => register_per_address;
    /// Attempts to sign out of this session.
    Logout(SessionId) => refresh_per_session;
    /// Sessions that are ended from within this one: whoever stole one cannot use up what the person ends it with.
    EndFrom(SessionId) => post_per_user;
    /// Refreshes of a session.
    Refresh(SessionId) => refresh_per_session;
    /// Messages that a person posts, and other changes of a room.
    Post(UserId) => post_per_user;
    /// Messages that all members newly post in a room.
    PostIn(RoomId) => post_per_room;
    /// Messages that a person edits, deletes, pins or unpins.
    Edit(UserId) => edit_per_user;
    /// Reactions that a person adds or takes back.
    React(UserId) => react_per_user;
    /// Memberships that a person changes, and changes of their own name.
    Join(UserId) => join_per_user;
    /// Rooms that a person creates.
    CreateRoom(UserId) => rooms_per_user;
    /// Read marks that a person moves.
    Mark(UserId) => mark_per_user;
    /// Everything that a person reads.
    Read(UserId) => reads_per_user;
    /// Streams that a person opens.
    StreamOpen(UserId) => stream_opens_per_user;
    /// Streams that all people together open on this node.
    StreamOpenHere => stream_opens_per_node;
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

/// All buckets of this node; none when limits are off.
pub struct Limits {
    rates: Option<config::Limits>,
    buckets: DashMap<Counted, Bucket>,
    /// When full buckets were last dropped. The lock is held for one look.
    swept: Mutex<Option<Instant>>,
    meters: Meters,
}

impl Limits {
    /// `[limits] enabled = false` lifts every rate.
    pub fn new(rates: config::Limits) -> Self {
        Self {
            rates: rates.enabled.then_some(rates),
            buckets: DashMap::new(),
            swept: Mutex::default(),
            meters: Meters::default(),
        }
    }

    /// Takes one token, or refuses.
    pub(super) fn take(&self, counted: Counted) -> Result<()> {
        self.try_take(counted).map_err(|retry_after| Error::TooMany { retry_after })
    }

    /// Gives back the token of a request that was refused after all. A request whose client has hung up gets nothing back: what
    /// it asked for may still be done.
    pub(super) fn give_back(&self, counted: &Counted) {
        if let Some(mut bucket) = self.buckets.get_mut(counted) {
            // Refilling bounds it by the burst.
            bucket.tokens += 1.0;
        }
    }

    /// Takes one token, or says when there will be one.
    pub(super) fn try_take(&self, counted: Counted) -> std::result::Result<(), Duration> {
        let Some(rates) = &self.rates else { return Ok(()) };
        let rate = counted.rate(rates);
        let now = Instant::now();
        if self.buckets.len() >= MAX_BUCKETS && !self.buckets.contains_key(&counted) {
            if self.may_sweep(now) {
                self.sweep();
            }
            if self.buckets.len() >= MAX_BUCKETS {
                self.meters.uncounted.inc();
                return Ok(());
            }
        }
        let full = || {
            self.meters.buckets.inc();
            Bucket { tokens: f64::from(rate.burst), at: now }
        };
        let mut bucket = self.buckets.entry(counted).or_insert_with(full);
        bucket.tokens = refilled(*bucket, rate, now);
        bucket.at = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - bucket.tokens) / rate.per_second))
    }

    /// Whether anything is counted at all.
    pub(super) fn are_on(&self) -> bool {
        self.rates.is_some()
    }

    /// Forgets buckets that are full again.
    pub fn sweep(&self) {
        let Some(rates) = &self.rates else { return };
        let now = Instant::now();
        self.buckets.retain(|counted, bucket| {
            let rate = counted.rate(rates);
            refilled(*bucket, rate, now) < f64::from(rate.burst)
        });
        self.meters.buckets.set(i64::try_from(self.buckets.len()).unwrap_or(i64::MAX));
    }

    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    fn may_sweep(&self, now: Instant) -> bool {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let may = swept.is_none_or(|at| now.duration_since(at) >= SWEEP_EVERY);
        if may {
            *swept = Some(now);
        }
        may
    }
}

fn refilled(bucket: Bucket, rate: Rate, now: Instant) -> f64 {
    let back = now.duration_since(bucket.at).as_secs_f64() * rate.per_second;
    (bucket.tokens + back).min(f64::from(rate.burst))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides};
    use crate::domain::ids::Ids;

    fn limits(post: Rate) -> Limits {
        let defaults = Config::load(None, std::iter::empty(), Overrides::default()).unwrap();
        Limits::new(config::Limits { post_per_user: post, ..defaults.limits })
    }

    #[test]
    fn a_burst_passes_and_the_next_one_is_told_when_to_come_back() {
        let limits = limits(Rate { burst: 2, per_second: 0.5 });
        let ada = Ids::SYSTEM.user();
        assert!(limits.take(Counted::Post(ada)).is_ok());
        assert!(limits.take(Counted::Post(ada)).is_ok());
        let Err(Error::TooMany { retry_after }) = limits.take(Counted::Post(ada)) else { panic!("no limit") };
        assert!(retry_after > Duration::from_secs(1) && retry_after <= Duration::from_secs(2));
        assert!(limits.take(Counted::Post(Ids::SYSTEM.user())).is_ok(), "each has their own");
    }

    #[test]
    fn a_token_that_is_given_back_can_be_taken_again() {
        let limits = limits(Rate { burst: 1, per_second: 0.001 });
        let post = Counted::Post(Ids::SYSTEM.user());
        for _ in 0..3 {
            limits.take(post.clone()).expect("the one before came back");
            limits.give_back(&post);
        }
        limits.take(post.clone()).unwrap();
        assert!(limits.take(post).is_err());
    }

    #[test]
    fn whoever_passes_uncounted_is_counted_by_a_metric() {
        let limits = limits(Rate { burst: 2, per_second: 0.001 });
        for _ in 0..MAX_BUCKETS + 3 {
            assert!(limits.take(Counted::Post(Ids::SYSTEM.user())).is_ok());
        }
        assert_eq!(limits.meters().uncounted.get(), 3);
        assert_eq!(usize::try_from(limits.meters().buckets.get()), Ok(MAX_BUCKETS));
    }
}
