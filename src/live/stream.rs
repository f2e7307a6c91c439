//! One open stream: a small state machine that hands out frames when it is asked for the next one.
//!
//! It holds a position and the channels of its rooms, and is in one of two states: replaying the log up to a target, or
//! following the channels. Whoever writes the socket asks for a frame when there is room for one, so a slow reader holds
//! up nothing but itself: its channels run over, and it re-reads the log. It knows nothing of HTTP or of sockets.

use std::collections::{HashSet, VecDeque};
use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::frame::{self, ByeReason, Frame, Hello, ResetReason};
use super::hub::{FrameReceiver, Published};
use super::open::{Beginning, Feeds, Live, Scope};
use super::registry::Registration;
use crate::domain::event::EventType;
use crate::domain::ids::{Position, RoomId, UserId};
use crate::domain::room::RoomRef;
use crate::storage::{self, Snapshot};

/// Events read from the log at once: what a replaying stream holds in memory.
const PAGE: i64 = 256;
/// Bounds of `retry:` at the beginning, in ms: spread, so that readers cut off together do not return together.
const RETRY_MS: (u64, u64) = (2_000, 5_000);
/// The same when the server goes away and everybody is cut off at once.
const SHUTDOWN_RETRY_MS: (u64, u64) = (2_000, 15_000);

/// A stream that was authorized and waits to be written.
pub struct EventStream {
    live: Live,
    place: Registration,
    reader: UserId,
    scope: Scope,
    feeds: Feeds,
    /// The reader's own memberships; only for a stream of all rooms.
    own: Option<FrameReceiver>,
    published: watch::Receiver<Published>,
    /// The mark up to which the channels were emptied.
    drained: Position,
    /// Frames taken from channels beyond the mark: they belong to a batch that is still being published.
    early: Vec<Arc<Frame>>,
    /// Notices to hand out before anything else.
    notices: VecDeque<Bytes>,
    /// Frames in order, to be handed out.
    ready: VecDeque<Arc<Frame>>,
    /// Everything of the reader's up to here is ready or was handed out.
    seen: Position,
    /// The log has to be read up to here before the channels are followed again.
    target: Position,
    /// The target is out of date: the end of the log has to be looked up, as channels were subscribed to or ran over.
    must_look: bool,
    /// What the reader is a member of was read as of here; memberships beyond are followed.
    settled: Position,
    ping_at: Instant,
    /// The last frame, once it is known.
    bye: Option<Bytes>,
    ended: bool,
}

impl EventStream {
    pub(super) fn new(
        live: Live,
        place: Registration,
        reader: UserId,
        scope: Scope,
        feeds: Feeds,
        own: Option<FrameReceiver>,
    ) -> Self {
        Self {
            published: live.hub.published(),
            place,
            reader,
            scope,
            feeds,
            own,
            drained: Position(0),
            early: Vec::new(),
            notices: VecDeque::new(),
            ready: VecDeque::new(),
            seen: Position(0),
            target: Position(0),
            must_look: false,
            settled: Position(0),
            ping_at: Instant::now() + live.heartbeat,
            live,
            bye: None,
            ended: false,
        }
    }

    /// Subscribes to every room of the reader and reads who is in what, until the two agree.
    pub(super) async fn subscribe_to_all(&mut self) -> Result<Snapshot, storage::Error> {
        loop {
            let snapshot = self.live.store.open_user_events(self.reader).await?;
            let rooms: HashSet<RoomId> = snapshot.rooms.iter().map(|membership| membership.room).collect();
            self.feeds.retain(|room, _| rooms.contains(room));
            let subscribed = self.feeds.len();
            for room in rooms {
                self.feeds.entry(room).or_insert_with(|| self.live.hub.subscribe_room(room));
            }
            if self.feeds.len() == subscribed {
                return Ok(snapshot);
            }
        }
    }

    /// Says hello or reset, and sets out from there.
    pub(super) fn begin(&mut self, beginning: Beginning, snapshot: &Snapshot) {
        let retry_ms = self.draw(RETRY_MS);
        self.notices.push_back(frame::retry(retry_ms));
        let (from, reason) = match beginning {
            Beginning::Now => (snapshot.head, None),
            Beginning::After(position) => (position, None),
            Beginning::Lost(reason) => (snapshot.head, Some(reason)),
        };
        (self.seen, self.target, self.settled) = (from, snapshot.head, snapshot.head);
        self.greet(matches!(beginning, Beginning::After(_)), reason);
    }

    fn greet(&mut self, resumed: bool, reason: Option<ResetReason>) {
        let hello = Hello {
            kind: if reason.is_some() { "reset" } else { "hello" },
            cursor: self.live.store.cursors().encode(self.seen),
            heartbeat_seconds: self.live.heartbeat.as_secs(),
            expires_at: self.place.handle.deadline().1,
            resumed,
            reason,
        };
        self.notices.push_back(hello.frame());
    }

    /// The frames, each a whole one, until the stream ends by itself.
    pub fn into_frames(self) -> impl Stream<Item = Bytes> + Send {
        unfold(self, |mut stream| async move { stream.next().await.map(|bytes| (bytes, stream)) })
    }

    /// The next frame. None after `bye`, or when the log cannot be read: the reader resumes later.
    pub async fn next(&mut self) -> Option<Bytes> {
        while !self.ended {
            if let Some(bytes) = self.pending() {
                self.ping_at = Instant::now() + self.live.heartbeat;
                return Some(bytes);
            }
            let went_on = if self.must_look || self.seen < self.target {
                self.replay().await
            } else {
                self.follow().await
            };
            if let Err(error) = went_on {
                tracing::error!(%error, "a stream could not read the log");
                self.ended = true;
            }
        }
        None
    }

    /// What can be handed out without waiting. Everything that may end the stream is asked before each frame.
    fn pending(&mut self) -> Option<Bytes> {
        loop {
            if let Some(notice) = self.notices.pop_front() {
                return Some(notice);
            }
            if let Some(reason) = self.place.handle.end() {
                self.say_bye(reason);
            } else if self.place.handle.deadline().0 <= Instant::now() {
                self.say_bye(ByeReason::Expired);
            }
            if let Some(bye) = self.bye.take() {
                self.ended = true;
                return Some(bye);
            }
            let frame = self.ready.pop_front()?;
            let passes = match self.scope {
                Scope::Room(_) => self.passes_in_room(&frame),
                Scope::Person => self.passes_for_person(&frame),
            };
            if passes {
                return Some(frame.bytes.clone());
            }
        }
    }

    /// In a room's stream the reader's removal is the last event; when something before it is withheld, not even that.
    fn passes_in_room(&mut self, frame: &Frame) -> bool {
        // A removal from before the stream was opened is history: it was authorized after it.
        let removed = self.place.handle.removal(frame.room).filter(|removed| removed.position > self.settled);
        if let Some(removed) = removed.filter(|removed| frame.position < removed.position) {
            self.say_bye(if removed.user.is_none() { ByeReason::Deleted } else { ByeReason::Removed });
            return false;
        }
        if frame.position > self.settled && frame.removes(self.reader) {
            let is_gone = frame.kind == EventType::RoomDeleted;
            self.say_bye(if is_gone { ByeReason::Deleted } else { ByeReason::Removed });
        }
        true
    }

    /// In a person's stream what lies before a removal is withheld, and the removal stands in its place.
    fn passes_for_person(&mut self, frame: &Frame) -> bool {
        let removed = self.place.handle.removal(frame.room);
        if removed.is_some_and(|removed| frame.position < removed.position) && !frame.is_own(self.reader) {
            return false;
        }
        if frame.position > self.settled {
            if frame.removes(self.reader) {
                self.unfollow(frame.room);
            } else if frame.kind == EventType::MemberJoined && frame.is_own(self.reader) {
                self.follow_from(frame);
            }
        }
        true
    }

    /// Nothing of the room may come after the removal just handed out, whatever the channels held already.
    fn unfollow(&mut self, room: RoomId) {
        self.feeds.remove(&room);
        self.live.hub.release_room(room);
        let reader = self.reader;
        self.ready.retain(|frame| frame.room != room || frame.is_own(reader));
        self.early.retain(|frame| frame.room != room || frame.is_own(reader));
    }

    /// The reader's own join: subscribed first, then everything after it is read from the log, all rooms alike.
    fn follow_from(&mut self, join: &Frame) {
        if !self.feeds.contains_key(&join.room) {
            self.feeds.insert(join.room, self.live.hub.subscribe_room(join.room));
            self.seen = join.position;
            self.reread();
        }
    }

    /// Drops what was taken from the channels and reads the log from `seen` on, up to its end at a moment that is still
    /// to come: whatever was in a channel until now lies before it.
    fn reread(&mut self) {
        self.ready.clear();
        self.early.clear();
        self.must_look = true;
    }

    async fn replay(&mut self) -> Result<(), storage::Error> {
        if self.must_look {
            self.target = self.live.store.head().await?;
            self.must_look = false;
            if self.target <= self.seen {
                return Ok(());
            }
        }
        let page = match self.scope {
            Scope::Room(room) => self.live.store.room_events(room, self.seen, self.target, PAGE).await?,
            Scope::Person => self.live.store.user_events(self.reader, self.seen, self.target, PAGE).await?,
        };
        if page.floor > self.seen {
            return self.start_over().await;
        }
        let cursors = self.live.store.cursors();
        self.ready.extend(page.events.iter().map(|event| Arc::new(Frame::of(event, cursors))));
        self.seen = page.through;
        Ok(())
    }

    /// The log was purged under a slow replay: what is missing cannot be shown any more, so the stream says it.
    async fn start_over(&mut self) -> Result<(), storage::Error> {
        let snapshot = match self.scope {
            Scope::Person => self.subscribe_to_all().await?,
            Scope::Room(room) => {
                match self.live.store.open_room_events(&RoomRef::Id(room), self.reader).await {
                    Err(storage::Error::Refused(_)) => {
                        self.say_bye(ByeReason::Removed);
                        return Ok(());
                    }
                    snapshot => snapshot?,
                }
            }
        };
        (self.seen, self.target, self.settled) = (snapshot.head, snapshot.head, snapshot.head);
        self.greet(false, Some(ResetReason::Retention));
        Ok(())
    }

    /// Waits for what comes first: frames, a word from the registry, the deadline, or the time for a ping.
    async fn follow(&mut self) -> Result<(), storage::Error> {
        let deadline = self.place.handle.deadline().0;
        let handle = self.place.handle.clone();
        let ping_at = self.ping_at;
        let scope = self.scope;
        tokio::select! {
            biased;
            () = handle.changed.notified() => {}
            () = sleep_until(deadline) => {}
            () = async {
                match scope {
                    Scope::Room(room) => self.take_of_room(room).await,
                    Scope::Person => self.take_of_person().await,
                }
            } => {}
            () = sleep_until(ping_at) => self.notices.push_back(frame::ping(self.live.clock.now())),
        }
        Ok(())
    }

    /// One room's channel is in the order of the log by itself.
    async fn take_of_room(&mut self, room: RoomId) {
        let feed = self.feeds.entry(room).or_insert_with(|| self.live.hub.subscribe_room(room));
        match feed.recv().await {
            Ok(frame) if frame.position > self.seen => {
                self.seen = frame.position;
                self.ready.push_back(frame);
            }
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => self.reread(),
            Err(RecvError::Closed) => {
                self.feeds.remove(&room);
                self.reread();
            }
        }
    }

    /// Many channels are in the order of the log only up to the mark.
    async fn take_of_person(&mut self) {
        let mark = loop {
            let mark = self.published.borrow_and_update().clone();
            if mark.position > self.drained {
                break mark;
            }
            if self.published.changed().await.is_err() {
                // The hub outlives its streams.
                pending::<()>().await;
            }
        };
        let mut taken = std::mem::take(&mut self.early);
        let mut complete = self.own.as_mut().is_none_or(|own| drain(own, &mut taken));
        if mark.previous == self.drained {
            for room in &*mark.rooms {
                complete &= self.feeds.get_mut(room).is_none_or(|feed| drain(feed, &mut taken));
            }
        } else {
            complete &= self.feeds.values_mut().all(|feed| drain(feed, &mut taken));
        }
        self.drained = mark.position;
        if !complete {
            return self.reread();
        }
        taken.sort_unstable_by_key(|frame| frame.position);
        // The reader's own memberships come by two channels.
        taken.dedup_by_key(|frame| frame.position);
        let (now, early) = taken.into_iter().partition(|frame| frame.position <= mark.position);
        self.early = early;
        self.ready.extend(Vec::into_iter(now).filter(|frame| frame.position > self.seen));
        self.seen = self.seen.max(mark.position);
    }

    fn say_bye(&mut self, reason: ByeReason) {
        let retry_ms = match reason {
            ByeReason::Expired => Some(0),
            ByeReason::Shutdown => Some(self.draw(SHUTDOWN_RETRY_MS)),
            ByeReason::SignedOut | ByeReason::Removed | ByeReason::Deleted => None,
        };
        self.bye.get_or_insert(frame::bye(reason, retry_ms));
    }

    fn draw(&self, (least, most): (u64, u64)) -> u64 {
        least + self.live.ids.random_below(most - least)
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        for (room, feed) in self.feeds.drain() {
            drop(feed);
            self.live.hub.release_room(room);
        }
        if self.own.take().is_some() {
            self.live.hub.release_person(self.reader);
        }
    }
}

/// Takes what a channel holds. False when it ran over: frames are missing, and only the log has them.
fn drain(feed: &mut FrameReceiver, taken: &mut Vec<Arc<Frame>>) -> bool {
    loop {
        match feed.try_recv() {
            Ok(frame) => taken.push(frame),
            Err(TryRecvError::Empty) => return true,
            Err(TryRecvError::Lagged(_) | TryRecvError::Closed) => return false,
        }
    }
}
