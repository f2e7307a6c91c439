//! The registry: which streams are open, which sessions have ended, and who was removed from what, as far as this node
//! knows. The journal tells it of every commit before the commit's requests are answered, so that from then on no frame
//! passes that should not. Its locks are held for a few instructions and never over an await.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::frame::ByeReason;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::ids::{RoomId, SessionId, UserId};
use crate::domain::session::Caller;
use crate::storage::{Committed, Removed};

/// How many streams may be open at once. None lifts the caps.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    pub per_user: usize,
    pub per_address: usize,
}

/// What this node knows of a session's access tokens without asking the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionCheck {
    /// The session is live and of this person, and its tokens up to this generation were seen.
    Live {
        user: UserId,
        generation: i64,
    },
    Ended,
    Unknown,
}

#[derive(Clone, Copy)]
struct Known {
    /// Whose it is, and the newest generation seen; none once it has ended.
    live: Option<(UserId, i64)>,
    /// No token of the session is valid after this; the entry is forgotten then.
    expires_at: Timestamp,
}

/// Open streams and ended sessions of one node.
pub struct Registry {
    clock: Clock,
    /// The longest life of an access token: an ended session is remembered for as long.
    token_life: Duration,
    limits: Option<StreamLimits>,
    next: AtomicU64,
    closing: AtomicBool,
    sessions: DashMap<SessionId, Known>,
    by_session: DashMap<SessionId, Vec<Arc<Handle>>>,
    by_user: DashMap<UserId, Vec<Arc<Handle>>>,
    addresses: DashMap<IpAddr, usize>,
}

/// What the rest of the node has to say to one open stream.
#[derive(Debug)]
pub(super) struct Handle {
    number: u64,
    user: UserId,
    session: SessionId,
    address: IpAddr,
    told: Mutex<Told>,
    /// Wakes the stream when `told` has changed.
    pub changed: Notify,
}

#[derive(Debug)]
struct Told {
    end: Option<ByeReason>,
    /// The newest removals; a stream forgets none, but each room has one entry at most.
    removed: Vec<Removed>,
    deadline: Instant,
    expires_at: Timestamp,
}

impl Handle {
    pub fn end(&self) -> Option<ByeReason> {
        self.told().end
    }

    /// When the session's newest access token expires.
    pub fn deadline(&self) -> (Instant, Timestamp) {
        let told = self.told();
        (told.deadline, told.expires_at)
    }

    /// The newest removal of the reader from a room, or of the room itself.
    pub fn removal(&self, room: RoomId) -> Option<Removed> {
        self.told().removed.iter().find(|removed| removed.room == room).copied()
    }

    /// Forgets the removals of other rooms than these.
    pub fn forget_removals(&self, but: impl Fn(RoomId) -> bool) {
        self.told().removed.retain(|removed| but(removed.room));
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        // Nothing panics while holding it; and what it holds is whole at any time.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told());
        self.changed.notify_one();
    }
}

/// An open stream's place in the registry; dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Registration {
    registry: Arc<Registry>,
    pub handle: Arc<Handle>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.registry.forget(&self.handle);
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("closing", &self.closing).finish_non_exhaustive()
    }
}

impl Registry {
    pub fn new(clock: Clock, token_life: Duration, limits: Option<StreamLimits>) -> Self {
        Self {
            clock,
            token_life,
            limits,
            next: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            sessions: DashMap::new(),
            by_session: DashMap::new(),
            by_user: DashMap::new(),
            addresses: DashMap::new(),
        }
    }

    pub fn check(&self, session: SessionId) -> SessionCheck {
        match self.sessions.get(&session).as_deref() {
            Some(Known { live: None, .. }) => SessionCheck::Ended,
            Some(&Known { live: Some((user, generation)), .. }) => SessionCheck::Live { user, generation },
            None => SessionCheck::Unknown,
        }
    }

    /// Remembers that the store called a session of this person live. False when it has ended meanwhile.
    pub fn saw(&self, session: SessionId, user: UserId, generation: i64, expires_at: Timestamp) -> bool {
        let fresh = Known { live: Some((user, generation)), expires_at };
        match self.sessions.entry(session) {
            Entry::Vacant(entry) => {
                entry.insert(fresh);
                true
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                known.live = known.live.map(|(user, seen)| (user, seen.max(generation)));
                known.expires_at = known.expires_at.max(expires_at);
                known.live.is_some()
            }
        }
    }

    /// What a commit means for sessions and streams. Called by the journal before it answers.
    pub fn committed(&self, committed: &Committed) {
        for &session in &committed.ended {
            let expires_at = self.clock.now().plus(self.token_life);
            self.sessions.insert(session, Known { live: None, expires_at });
            each_of(&self.by_session, &session, |told| told.end = Some(ByeReason::SignedOut));
        }
        for &(session, expires_at) in &committed.extended {
            let deadline = self.instant_of(expires_at);
            if let Some(mut known) = self.sessions.get_mut(&session) {
                known.expires_at = known.expires_at.max(expires_at);
            }
            each_of(&self.by_session, &session, |told| {
                if told.expires_at < expires_at {
                    (told.deadline, told.expires_at) = (deadline, expires_at);
                }
            });
        }
        for &removed in &committed.removed {
            match removed.user {
                Some(user) => each_of(&self.by_user, &user, |told| told.note(removed)),
                None => self
                    .by_user
                    .iter()
                    .flat_map(|all| all.value().clone())
                    .for_each(|h| h.tell(|t| t.note(removed))),
            }
        }
    }

    /// Ends every stream, and those that open from now on: the server is going away.
    pub fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        let all: Vec<_> = self.by_user.iter().flat_map(|streams| streams.value().clone()).collect();
        for handle in all {
            handle.tell(|told| told.end = told.end.or(Some(ByeReason::Shutdown)));
        }
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Forgets sessions whose last token has expired. Called now and then.
    pub fn sweep(&self) {
        let now = self.clock.now();
        self.sessions.retain(|_, known| known.expires_at > now);
    }

    /// Takes a place for a stream. None when the person or the address has too many already.
    pub(super) fn register(self: &Arc<Self>, caller: Caller, address: IpAddr) -> Option<Registration> {
        let told = Told {
            end: self.closing.load(Ordering::SeqCst).then_some(ByeReason::Shutdown),
            removed: Vec::new(),
            deadline: self.instant_of(caller.expires_at),
            expires_at: caller.expires_at,
        };
        let handle = Arc::new(Handle {
            number: self.next.fetch_add(1, Ordering::Relaxed),
            user: caller.user,
            session: caller.session,
            address,
            told: Mutex::new(told),
            changed: Notify::new(),
        });
        // From here on the drop of the registration takes back whatever was entered.
        let registration = Registration { registry: self.clone(), handle: handle.clone() };
        let at_address = *self.addresses.entry(address).and_modify(|n| *n += 1).or_insert(1);
        let of_user = {
            let mut streams = self.by_user.entry(caller.user).or_default();
            streams.push(handle.clone());
            streams.len()
        };
        self.by_session.entry(caller.session).or_default().push(handle.clone());
        if self.limits.is_some_and(|limits| at_address > limits.per_address || of_user > limits.per_user) {
            return None;
        }
        // A shutdown that began before the entries above were made has not seen this stream.
        if self.closing.load(Ordering::SeqCst) {
            handle.tell(|told| told.end = Some(ByeReason::Shutdown));
        }
        // The token presented may be older than the newest one of its session.
        if let Some(newest) = self.sessions.get(&caller.session).map(|known| known.expires_at) {
            let deadline = self.instant_of(newest);
            handle.tell(|told| {
                if told.expires_at < newest {
                    (told.deadline, told.expires_at) = (deadline, newest);
                }
            });
        }
        Some(registration)
    }

    fn forget(&self, handle: &Arc<Handle>) {
        let without = |streams: &mut Vec<Arc<Handle>>| streams.retain(|other| other.number != handle.number);
        self.by_user.entry(handle.user).and_modify(without);
        self.by_user.remove_if(&handle.user, |_, streams| streams.is_empty());
        self.by_session.entry(handle.session).and_modify(without);
        self.by_session.remove_if(&handle.session, |_, streams| streams.is_empty());
        self.addresses.entry(handle.address).and_modify(|n| *n -= 1);
        self.addresses.remove_if(&handle.address, |_, n| *n == 0);
    }

    /// Deadlines run on the monotonic clock: setting the wall clock moves no open stream.
    fn instant_of(&self, at: Timestamp) -> Instant {
        Instant::now() + at.since(self.clock.now())
    }
}

impl Told {
    fn note(&mut self, removed: Removed) {
        self.removed.retain(|other| other.room != removed.room);
        self.removed.push(removed);
    }
}

fn each_of<K: Eq + std::hash::Hash>(
    index: &DashMap<K, Vec<Arc<Handle>>>,
    key: &K,
    change: impl Fn(&mut Told),
) {
    let Some(streams) = index.get(key) else { return };
    streams.iter().for_each(|handle| handle.tell(&change));
}
