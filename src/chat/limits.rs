//! Rates: how often one person, account or address may do a thing. Token buckets in memory, on the monotonic clock; a
//! restart forgives everybody.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use dashmap::DashMap;

use super::{Error, Result};
use crate::domain::ids::{RoomId, SessionId, UserId};
use crate::domain::network::network_of;

/// Buckets kept at most; beyond that those that have refilled are dropped, and nobody new is counted until some have: whoever
/// has so many addresses passes any limit of an address, and everybody else must not pay for it.
const MAX_BUCKETS: usize = 100_000;
/// Looking for refilled buckets goes through all of them, so it is not done for each newcomer.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// A token bucket: so many at once, refilled by so many a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub burst: u32,
    pub per_second: f64,
}

/// The rate of each thing that is counted.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    pub login_per_account: Rate,
    pub login_per_address: Rate,
    pub register_per_address: Rate,
    pub refresh_per_session: Rate,
    pub post_per_user: Rate,
    pub post_per_room: Rate,
    pub join_per_user: Rate,
    pub rooms_per_user: Rate,
    pub reads_per_user: Rate,
    pub stream_opens_per_user: Rate,
    pub stream_opens_per_node: Rate,
}

/// Who does what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Counted {
    LoginTo(String),
    LoginFrom(IpAddr),
    RegisterFrom(IpAddr),
    Refresh(SessionId),
    Post(UserId),
    PostIn(RoomId),
    Join(UserId),
    CreateRoom(UserId),
    Read(UserId),
    StreamOpen(UserId),
    StreamOpenHere,
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

/// All buckets of this node; none when limits are off.
pub struct Limits {
    rates: Option<Rates>,
    buckets: DashMap<Counted, Bucket>,
    /// Held for one look.
    swept: Mutex<Option<Instant>>,
}

impl Limits {
    /// None lifts every rate.
    pub fn new(rates: Option<Rates>) -> Self {
        Self { rates, buckets: DashMap::new(), swept: Mutex::default() }
    }

    /// Takes one token, or refuses.
    pub(super) fn take(&self, counted: Counted) -> Result<()> {
        self.try_take(counted).map_err(|retry_after| Error::TooMany { retry_after })
    }

    /// Takes one token, or says when there will be one.
    pub(super) fn try_take(&self, counted: Counted) -> std::result::Result<(), Duration> {
        let Some(rates) = &self.rates else { return Ok(()) };
        let counted = by_network(counted);
        let rate = rates.of(&counted);
        let now = Instant::now();
        if self.buckets.len() >= MAX_BUCKETS && !self.buckets.contains_key(&counted) {
            if self.may_sweep(now) {
                self.sweep();
            }
            if self.buckets.len() >= MAX_BUCKETS {
                return Ok(());
            }
        }
        let full = Bucket { tokens: f64::from(rate.burst), at: now };
        let mut bucket = self.buckets.entry(counted).or_insert(full);
        bucket.tokens = refilled(*bucket, rate, now);
        bucket.at = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - bucket.tokens) / rate.per_second))
    }

    /// Opening a stream: one's own rate first, so that whoever is over it takes nothing from the others.
    pub(super) fn take_stream_open(&self, user: UserId) -> Result<()> {
        self.take(Counted::StreamOpen(user))?;
        self.take(Counted::StreamOpenHere)
    }

    /// Whether anything is counted at all.
    pub(super) fn are_on(&self) -> bool {
        self.rates.is_some()
    }

    fn may_sweep(&self, now: Instant) -> bool {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        let may = swept.is_none_or(|at| now.duration_since(at) >= SWEEP_EVERY);
        if may {
            *swept = Some(now);
        }
        may
    }

    /// Forgets buckets that are full again.
    pub fn sweep(&self) {
        let Some(rates) = &self.rates else { return };
        let now = Instant::now();
        self.buckets.retain(|counted, bucket| {
            let rate = rates.of(counted);
            refilled(*bucket, rate, now) < f64::from(rate.burst)
        });
    }
}

impl Rates {
    const fn of(&self, counted: &Counted) -> Rate {
        match counted {
            Counted::LoginTo(_) => self.login_per_account,
            Counted::LoginFrom(_) => self.login_per_address,
            Counted::RegisterFrom(_) => self.register_per_address,
            Counted::Refresh(_) => self.refresh_per_session,
            Counted::Post(_) => self.post_per_user,
            Counted::PostIn(_) => self.post_per_room,
            Counted::Join(_) => self.join_per_user,
            Counted::CreateRoom(_) => self.rooms_per_user,
            Counted::Read(_) => self.reads_per_user,
            Counted::StreamOpen(_) => self.stream_opens_per_user,
            Counted::StreamOpenHere => self.stream_opens_per_node,
        }
    }
}

fn refilled(bucket: Bucket, rate: Rate, now: Instant) -> f64 {
    let back = now.duration_since(bucket.at).as_secs_f64() * rate.per_second;
    (bucket.tokens + back).min(f64::from(rate.burst))
}

/// Addresses are counted as the networks that people have.
fn by_network(counted: Counted) -> Counted {
    match counted {
        Counted::LoginFrom(address) => Counted::LoginFrom(network_of(address)),
        Counted::RegisterFrom(address) => Counted::RegisterFrom(network_of(address)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Ids;

    #[test]
    fn a_burst_passes_and_the_next_one_is_told_when_to_come_back() {
        let rate = Rate { burst: 2, per_second: 0.5 };
        let rates = Rates {
            login_per_account: rate,
            login_per_address: rate,
            register_per_address: rate,
            refresh_per_session: rate,
            post_per_user: rate,
            post_per_room: rate,
            join_per_user: rate,
            rooms_per_user: rate,
            reads_per_user: rate,
            stream_opens_per_user: rate,
            stream_opens_per_node: rate,
        };
        let limits = Limits::new(Some(rates));
        let ada = Ids.user();
        assert!(limits.take(Counted::Post(ada)).is_ok());
        assert!(limits.take(Counted::Post(ada)).is_ok());
        let Err(Error::TooMany { retry_after }) = limits.take(Counted::Post(ada)) else { panic!("no limit") };
        assert!(retry_after > Duration::from_secs(1) && retry_after <= Duration::from_secs(2));
        assert!(limits.take(Counted::Post(Ids.user())).is_ok(), "each has their own");
    }
}
