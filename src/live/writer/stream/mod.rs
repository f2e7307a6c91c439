//! One open stream: what it still has to say, and what of it its reader may have. One state machine from the first frame to
//! the last, wherever its bytes go: it reads the log up to a target, then follows the channels, and goes back to the log
//! whenever something ran over. It knows nothing of channels and of other streams; its writer hands it frames.

mod access;
mod getting;
mod giving;
mod time;

use std::collections::{HashSet, VecDeque};
use std::task::Waker;

use bytes::Bytes;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::Instant;

use super::adoption::Adoption;
use super::queue::Queue;
use super::shared::Shared;
use crate::domain::clock::Timestamp;
use crate::domain::event::Removed;
use crate::domain::ids::{Position, RoomId, UserId};
use crate::live::frame::{ByeReason, Chunk, Frame};
use crate::live::meters::End;
use crate::live::outlet::Outlet;
use crate::live::registry::Registration;
use crate::live::scope::Scope;

/// Most bytes of one write: more would only wait in the kernel.
pub const SHARE: usize = 64 * 1024;
/// Most frames of one write.
pub const SLICES: usize = 64;

/// A stream that a writer owns.
pub struct Stream {
    /// Given up with the last frame, so that the reader may open another.
    counted: Option<Counted>,
    reader: UserId,
    scope: Scope,
    /// The rooms that are followed.
    rooms: HashSet<RoomId>,
    outlet: Box<dyn Outlet>,
    waker: Waker,
    phase: Phase,
    /// The last position of which the stream has taken notice: what the reader is shown up to here is in `ready` or was given.
    seen: Position,
    /// The last event of which the outlet took bytes.
    given: Position,
    /// What the reader was a member of is known as of here. An own join or removal beyond it changes what may be given.
    settled: Position,
    /// The newest removal from each room followed that the node knows of.
    removed: Vec<Removed>,
    /// The rest of a frame that was given in part.
    rest: Bytes,
    /// Notices to give before anything else.
    notices: VecDeque<Chunk>,
    /// Frames in order, to be given.
    ready: Queue,
    /// What waits in `ready` up to here came from the log.
    replayed: Position,
    /// What is said last, once that is known, and its reason.
    last: Option<(Bytes, ByeReason)>,
    /// When the session's newest access token expires.
    deadline: Instant,
    /// When the stream ends because the server stops.
    ends_at: Option<Instant>,
    /// Since when the outlet takes nothing though something waits for it.
    blocked_since: Option<Instant>,
    last_write: Instant,
    _pass: Box<dyn Send>,
}

/// The stream among the open ones.
struct Counted {
    registration: Registration,
    open: Gauge,
}

enum Phase {
    /// Follows the channels.
    Live,
    /// Reads the log.
    Replaying(Box<Replay>),
    /// All is said; waits for the client to close its end.
    Leaving { until: Instant },
}

/// The way back to the channels.
struct Replay {
    /// The log has to be read up to here; beyond it the channels bring everything.
    target: Position,
    /// The number of the question under way.
    asked: Option<u64>,
    /// Messages whose text was replaced since then: an answer with one of them may have the old text.
    replaced: Vec<Position>,
    /// Live frames beyond the target.
    later: Queue,
    /// Since when the reader is behind; none for a replay that the reader has asked for by a cursor.
    behind_since: Option<Instant>,
}

/// The outcome of a write, by which the writer decides what to do with the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// There is nothing to give, or the outlet takes nothing now.
    Enough,
    /// There is more to give, after the other streams had their turn.
    More,
    /// The reader has joined a room: it is followed from there, by the log first.
    Joined(RoomId, Position),
    /// The reader has left a room, or it is gone.
    Left(RoomId),
    /// The last frame was given, with this reason.
    Last(ByeReason),
    /// The connection cannot be used any more.
    Gone(End),
}

impl Stream {
    pub fn new(adoption: Adoption, waker: Waker, shared: &Shared) -> Self {
        let Adoption { opened, outlet, pass } = adoption;
        opened.registration.handle.listen(waker.clone());
        let open = shared.node.meters.open.clone();
        open.inc();
        Self {
            counted: Some(Counted { registration: opened.registration, open }),
            reader: opened.reader,
            scope: opened.scope,
            rooms: HashSet::new(),
            outlet,
            waker,
            phase: Phase::Live,
            seen: opened.from,
            given: opened.from,
            settled: opened.settled,
            removed: Vec::new(),
            rest: Bytes::new(),
            notices: opened.greeting.into(),
            ready: Queue::default(),
            replayed: opened.from,
            last: None,
            deadline: opened.deadline,
            ends_at: None,
            blocked_since: None,
            last_write: shared.now,
            _pass: pass,
        }
    }

    pub fn reader(&self) -> UserId {
        self.reader
    }

    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// When the newest access token of its session expires; that is now for a stream that has given its place up.
    pub fn expires_at(&self, now: Timestamp) -> Timestamp {
        self.counted.as_ref().map_or(now, |counted| counted.registration.handle.deadline().1)
    }

    pub fn rooms(&self) -> &HashSet<RoomId> {
        &self.rooms
    }

    /// Notes that a room is followed. False when it was already.
    pub fn follow(&mut self, room: RoomId, shared: &Shared) -> bool {
        let is_new = self.rooms.insert(room);
        if is_new && let Some(removed) = shared.deletion_of(room) {
            self.note_removal(removed);
        }
        is_new
    }

    /// Nothing of the room may come after the removal just given, whatever waits already.
    pub fn unfollow(&mut self, room: RoomId) {
        self.rooms.remove(&room);
        let reader = self.reader;
        let stays = |frame: &Frame| frame.room != room || frame.is_own(reader);
        self.ready.retain(stays);
        if let Phase::Replaying(replay) = &mut self.phase {
            replay.later.retain(stays);
        }
    }

    /// Whether it has ended, and only waits for its client.
    pub fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Leaving { .. })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.open.dec();
    }
}
