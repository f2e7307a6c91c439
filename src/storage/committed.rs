//! What a committed batch means for the rest of the node: handed over once, before its requests are answered.

use crate::domain::clock::Timestamp;
use crate::domain::event::Event;
use crate::domain::ids::{Position, RoomId, SessionId, UserId};

/// The consequences of one transaction.
#[derive(Debug, Default)]
pub struct Committed {
    /// The new end of the log, positions without a hole.
    pub events: Vec<Event>,
    /// Sessions that ended: their tokens and streams are worth nothing from now on.
    pub ended: Vec<SessionId>,
    /// Sessions with a newer access token, and when that expires.
    pub extended: Vec<(SessionId, Timestamp)>,
    /// People who are no longer in a room.
    pub removed: Vec<Removed>,
}

/// The end of a membership, or of a room for everybody in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    pub room: RoomId,
    /// None: the room is gone, for everybody.
    pub user: Option<UserId>,
    /// The position of the event that says so.
    pub position: Position,
}

impl Committed {
    pub(super) fn marks(&self) -> [usize; 4] {
        [self.events.len(), self.ended.len(), self.extended.len(), self.removed.len()]
    }

    pub(super) fn truncate(&mut self, [events, ended, extended, removed]: [usize; 4]) {
        self.events.truncate(events);
        self.ended.truncate(ended);
        self.extended.truncate(extended);
        self.removed.truncate(removed);
    }
}
