//! What a committed transaction means for the rest of the node. The journal hands it over once, before it answers the requests.

use crate::domain::clock::Timestamp;
use crate::domain::event::Event;
use crate::domain::ids::{Position, RoomId, SessionId, UserId};

/// The consequences of one transaction.
#[derive(Debug, Default)]
pub struct Committed {
    /// The events that were added to the log, in the order of their positions, which have no hole.
    pub events: Vec<Event>,
    /// Sessions that ended. Their tokens are no longer good, and their streams end.
    pub ended: Vec<SessionId>,
    /// Sessions that got a newer access token, and when that token expires.
    pub extended: Vec<(SessionId, Timestamp)>,
    /// People who are no longer in a room.
    pub removed: Vec<Removed>,
}

/// The end of one membership, or of a room and all its memberships.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    pub room: RoomId,
    /// None if the room was deleted.
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
