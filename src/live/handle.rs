//! A handle: what the rest of the node has to say to one open stream, and how the stream is woken to hear it.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::task::Waker;

use tokio::time::Instant;

use super::frame::ByeReason;
use super::sync::{AtomicBool, Mutex, MutexGuard, Ordering, PoisonError};
use crate::domain::clock::Timestamp;
use crate::domain::event::Removed;
use crate::domain::ids::{RoomId, SessionId, UserId};

/// Shared by the registry, which speaks, and the stream, which listens.
#[derive(Debug)]
pub(super) struct Handle {
    pub number: u64,
    pub user: UserId,
    pub session: SessionId,
    pub address: IpAddr,
    /// Of a stream of one room, once that was looked up.
    room: OnceLock<RoomId>,
    told: Mutex<Told>,
    /// Whether `told` has changed since it was last heard. The stream looks at this flag before each write.
    news: AtomicBool,
    stream: OnceLock<Waker>,
}

/// What the stream was told and has not heard yet, and when it ends.
#[derive(Debug)]
pub(super) struct Told {
    pub end: Option<ByeReason>,
    /// The newest removal from each room that the stream has not heard of.
    removed: Vec<Removed>,
    /// When the session's newest access token expires.
    pub deadline: Instant,
    pub expires_at: Timestamp,
}

/// What a stream hears.
pub(super) struct News {
    pub end: Option<ByeReason>,
    pub removed: Vec<Removed>,
    pub deadline: Instant,
}

impl Handle {
    pub fn new(
        number: u64,
        (user, session, address): (UserId, SessionId, IpAddr),
        (deadline, expires_at): (Instant, Timestamp),
    ) -> Self {
        let told = Told { end: None, removed: Vec::new(), deadline, expires_at };
        let (news, stream) = (AtomicBool::new(true), OnceLock::new());
        let (room, told) = (OnceLock::new(), Mutex::new(told));
        Self { number, user, session, address, room, told, news, stream }
    }

    pub fn enter(&self, room: RoomId) {
        let _ = self.room.set(room);
    }

    pub fn is_of(&self, room: RoomId) -> bool {
        self.room.get() == Some(&room)
    }

    /// Sets the waker that is woken when there is news. A stream has one writer, which calls this before it first hears.
    pub fn listen(&self, stream: Waker) {
        let _ = self.stream.set(stream);
    }

    pub fn has_news(&self) -> bool {
        self.news.load(Ordering::Acquire)
    }

    /// Takes the news; removals are told once.
    pub fn hear(&self) -> News {
        // Lowered before `told` is read: what is told after that raises it again.
        self.news.store(false, Ordering::Release);
        let mut told = self.told();
        News { end: told.end, removed: std::mem::take(&mut told.removed), deadline: told.deadline }
    }

    /// When the session's newest access token expires.
    pub fn deadline(&self) -> (Instant, Timestamp) {
        let told = self.told();
        (told.deadline, told.expires_at)
    }

    pub fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told());
        self.news.store(true, Ordering::Release);
        if let Some(stream) = self.stream.get() {
            stream.wake_by_ref();
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        // Held for a few instructions; nothing panics while holding it, and what it holds is whole at any time.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Told {
    pub fn note(&mut self, removed: Removed) {
        self.removed.retain(|other| other.room != removed.room);
        self.removed.push(removed);
    }

    /// Moves the deadline, never back.
    pub fn extend(&mut self, deadline: Instant, expires_at: Timestamp) {
        if self.expires_at < expires_at {
            (self.deadline, self.expires_at) = (deadline, expires_at);
        }
    }
}

/// The newest removal from a room in a list of them.
pub(super) fn removal_from(room: RoomId, removed: &[Removed]) -> Option<Removed> {
    removed.iter().find(|removed| removed.room == room).copied()
}
