//! Read marks: how far a member has read a room. How marks are stored and moved is not known here.

use serde::Serialize;

use super::ids::{MessageId, RoomId};

/// Unread messages are counted up to this many: this number means as many or more.
pub const MOST_COUNTED: i64 = 100;

/// How far a member has read a room, and what there is after that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReadMark {
    pub room: RoomId,
    /// Grows with every change of this person's mark in this room, also over leaving and coming back.
    pub version: i64,
    /// The newest message read. None if the room has none before the mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_read: Option<MessageId>,
    /// Its seq; 0 where there is none.
    pub last_read_seq: i64,
    /// Messages of others after the mark that are not deleted, at most `MOST_COUNTED`.
    pub unread_count: i64,
    /// Those of them that mention the reader, at most `MOST_COUNTED`.
    pub mention_count: i64,
}
