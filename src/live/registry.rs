//! The registry: which streams are open, which sessions have ended, and who was removed from what, as far as this node
//! knows. The journal tells it of every commit before the commit's requests are answered, so that no frame is given
//! after the answer that should have been withheld; the feeder tells it of what other nodes have written. Its locks are held for a few instructions and never over an await.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::deletions::{Deletions, Heard};
use super::frame::ByeReason;
use super::handle::{Handle, Told};
use super::sync::{AtomicU64, AtomicUsize, DashMap, Entry, Ordering};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::event::Event;
use crate::domain::ids::{RoomId, SessionId, UserId};
use crate::domain::session::Caller;
use crate::storage::Committed;

/// How many streams may be open at once. None lifts the caps.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    pub per_node: usize,
    pub per_address: usize,
    pub per_user: usize,
    /// Of one person for one room.
    pub per_room_and_user: usize,
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
    /// The session's person and the newest generation seen; none once it has ended.
    live: Option<(UserId, i64)>,
    /// No token of the session is valid after this; the entry is forgotten then.
    expires_at: Timestamp,
}

/// Open streams and ended sessions of one node.
pub struct Registry {
    clock: Clock,
    /// The longest life of an access token. An ended session is remembered for this long.
    token_life: Duration,
    limits: Option<StreamLimits>,
    next: AtomicU64,
    closing: CancellationToken,
    open: AtomicUsize,
    sessions: DashMap<SessionId, Known>,
    by_session: DashMap<SessionId, Vec<Arc<Handle>>>,
    by_user: DashMap<UserId, Vec<Arc<Handle>>>,
    addresses: DashMap<IpAddr, usize>,
    deletions: Deletions,
}

/// An open stream in the registry; dropping it takes the stream out.
#[derive(Debug)]
pub(super) struct Registration {
    registry: Arc<Registry>,
    pub handle: Arc<Handle>,
    /// Deletions since it was registered; the writer takes them when it takes the stream.
    pub deletions: Heard,
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
            closing: CancellationToken::new(),
            open: AtomicUsize::new(0),
            sessions: DashMap::new(),
            by_session: DashMap::new(),
            by_user: DashMap::new(),
            addresses: DashMap::new(),
            deletions: Deletions::default(),
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
        self.heard(&committed.events);
        for &(session, expires_at) in &committed.extended {
            self.extended(session, expires_at);
        }
    }

    /// A session got a newer access token, which expires then: its streams go on until that time.
    pub(super) fn extended(&self, session: SessionId, expires_at: Timestamp) {
        let deadline = self.instant_of(expires_at);
        if let Some(mut known) = self.sessions.get_mut(&session) {
            known.expires_at = known.expires_at.max(expires_at);
        }
        each_of(&self.by_session, &session, |told| told.extend(deadline, expires_at));
    }

    /// What events of the log end. Hearing of one twice changes nothing.
    pub(super) fn heard(&self, events: &[Event]) {
        for event in events {
            if let Some(session) = event.ended() {
                let expires_at = self.clock.now().plus(self.token_life);
                self.sessions.insert(session, Known { live: None, expires_at });
                each_of(&self.by_session, &session, |told| told.end = Some(ByeReason::SignedOut));
            }
            let Some(removed) = event.removed() else { continue };
            match removed.user {
                Some(user) => each_of(&self.by_user, &user, |told| told.note(removed)),
                None => self.deletions.add(removed),
            }
        }
    }

    /// Rooms whose deletion this node learns of from now on.
    pub(super) fn deletions(&self) -> Heard {
        self.deletions.heard()
    }

    /// Ends all streams that are open now. They may come back at once.
    pub(super) fn end_all(&self) {
        self.by_session.iter().for_each(|streams| {
            streams.iter().for_each(|handle| handle.tell(|told| told.end = Some(ByeReason::Shutdown)));
        });
    }

    /// The database has lost a part of the log. Sessions that are known as live may be of that part, so the store is asked for each.
    /// Sessions that have ended stay ended. All streams end.
    pub(super) fn begin_again(&self) {
        self.sessions.retain(|_, known| known.live.is_none());
        self.end_all();
    }

    /// The server is going away: streams end one after the other, and those that open from now on at once.
    pub fn close(&self) {
        self.closing.cancel();
    }

    pub fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    pub(super) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Forgets sessions whose last token has expired. Called now and then.
    pub fn sweep(&self) {
        let now = self.clock.now();
        self.sessions.retain(|_, known| known.expires_at > now);
    }

    /// Registers a stream. None when the person, the address or the node has too many already.
    pub(super) fn register(self: &Arc<Self>, caller: Caller, address: IpAddr) -> Option<Registration> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let whose = (caller.user, caller.session, address);
        let until = (self.instant_of(caller.expires_at), caller.expires_at);
        let handle = Arc::new(Handle::new(number, whose, until));
        // From here on the drop of the registration takes back whatever was entered.
        let deletions = self.deletions();
        let registration = Registration { registry: self.clone(), handle: handle.clone(), deletions };
        let here = self.open.fetch_add(1, Ordering::Relaxed) + 1;
        let at_address = *self.addresses.entry(address).and_modify(|n| *n += 1).or_insert(1);
        let of_user = {
            let mut streams = self.by_user.entry(caller.user).or_default();
            streams.push(handle.clone());
            streams.len()
        };
        self.by_session.entry(caller.session).or_default().push(handle.clone());
        if let Some(limits) = self.limits
            && (here > limits.per_node || at_address > limits.per_address || of_user > limits.per_user)
        {
            return None;
        }
        // The token of this request may be older than the newest one of its session.
        if let Some(newest) = self.sessions.get(&caller.session).map(|known| known.expires_at) {
            let deadline = self.instant_of(newest);
            handle.tell(|told| told.extend(deadline, newest));
        }
        Some(registration)
    }

    /// Notes which room a stream shows, once the room was found. False when the person has too many streams of it already.
    pub(super) fn enters(&self, handle: &Handle, room: RoomId) -> bool {
        handle.enter(room);
        let Some(limits) = self.limits else { return true };
        let streams = self.by_user.get(&handle.user);
        let of_room = |streams: &Vec<Arc<Handle>>| streams.iter().filter(|other| other.is_of(room)).count();
        streams.is_none_or(|streams| of_room(&streams) <= limits.per_room_and_user)
    }

    fn forget(&self, handle: &Arc<Handle>) {
        self.open.fetch_sub(1, Ordering::Relaxed);
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

fn each_of<K: Copy + Eq + std::hash::Hash>(
    index: &DashMap<K, Vec<Arc<Handle>>>,
    key: &K,
    change: impl Fn(&mut Told),
) {
    let Some(streams) = index.get(key) else { return };
    streams.iter().for_each(|handle| handle.tell(&change));
}
