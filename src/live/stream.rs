//! One open stream: a small state machine that hands out frames when it is asked for the next one.
//!
//! It holds a position and the channels of its rooms, and is in one of two states: replaying the log up to a target, or
//! following the channels. Whoever writes the socket asks for a frame when there is room for one, so a slow reader holds
//! up nothing but itself: its channels run over, and it re-reads the log. It knows nothing of HTTP or of sockets.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::time::{Instant, sleep_until};

use super::channels::{Channels, Taken};
use super::frame::{self, ByeReason, Frame, Hello, ResetReason};
use super::open::{Beginning, Live, Scope};
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
    channels: Channels,
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
        channels: Channels,
    ) -> Self {
        Self {
            place,
            reader,
            scope,
            channels,
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
            self.channels.keep_only(&rooms);
            let new = rooms.into_iter().filter(|room| self.channels.follow(*room)).count();
            if new == 0 {
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
            if !self.must_look && self.seen >= self.target {
                self.follow().await;
            } else if let Err(error) = self.replay().await {
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
        self.channels.unfollow(room);
        let reader = self.reader;
        self.ready.retain(|frame| frame.room != room || frame.is_own(reader));
    }

    /// The reader's own join: subscribed first, then everything after it is read from the log, all rooms alike.
    fn follow_from(&mut self, join: &Frame) {
        if self.channels.follow(join.room) {
            self.seen = join.position;
            self.reread();
        }
    }

    /// Drops what was taken from the channels and reads the log from `seen` on, up to its end at a moment that is still
    /// to come: whatever was in a channel until now lies before it.
    fn reread(&mut self) {
        self.ready.clear();
        self.channels.forget_early();
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

    /// Waits for what comes first: a word from the registry, the deadline, frames, or the time for a ping.
    async fn follow(&mut self) {
        let handle = self.place.handle.clone();
        tokio::select! {
            biased;
            // Rooms are deleted all over the node; those that this stream does not follow are none of its business.
            () = handle.changed.notified() => handle.forget_removals(|room| self.channels.follows(room)),
            () = sleep_until(handle.deadline().0) => {}
            taken = self.channels.take() => match taken {
                Taken::Frames { frames, through } => {
                    let seen = self.seen;
                    self.ready.extend(frames.into_iter().filter(|frame| frame.position > seen));
                    self.seen = seen.max(through);
                }
                Taken::Missed => self.reread(),
            },
            () = sleep_until(self.ping_at) => self.notices.push_back(frame::ping(self.live.clock.now())),
        }
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
