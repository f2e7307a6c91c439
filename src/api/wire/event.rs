//! The frames of a stream as the document shows them. Frames are encoded in `live`; this is only their schema.

use poem_openapi::Object;
use serde::Serialize;

use super::member::Member;
use super::message::Message;
use super::reaction::ReactionChange;
use super::read_mark::ReadMark;
use super::room::RoomState;
use super::user::UserRef;

/// The `data` of one frame of a stream. Which parts are there depends on `type`; ignore types and parts that you do not
/// know.
///
/// Types of the log: `room.created`, `room.updated`, `room.deleted`, `member.joined`, `member.left`, `member.updated`,
/// `message.posted`, `message.edited`, `message.deleted`, `message.pinned`, `message.unpinned`, `reaction.added`, `reaction.removed`, and `read.updated`, which is for the
/// reader alone and has no `seq`. They have no SSE event name, so `onmessage` gets them all, and their SSE id is `cursor`.
/// About the stream itself, under an SSE event name that is the type: `hello`, `reset`, `ping`, `bye`.
#[derive(Debug, Default, Serialize, Object)]
pub struct StreamEvent {
    /// What happened, such as `message.posted`; more types may come.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    pub kind: String,
    /// The place in the log after this event: resume from here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Counts the events of the room that every member gets: 1, 2, 3 ... without a hole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<i64>,
    /// UUID of the room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// When it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<UserRef>,
    /// The whole message after the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// message.edited: UUIDs of the people whom the new text mentions and the old one did not, when it was edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mentioned: Option<Vec<String>>,
    /// message.edited, message.deleted: UUIDs of the people whom the message mentioned before and no longer does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmentioned: Option<Vec<String>>,
    /// message.edited, message.deleted: true when the message mentioned everybody in the room before and no longer does; else absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmentioned_room: Option<bool>,
    /// How many people react with an emoji after the event; `actor` is who has added or removed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reaction: Option<ReactionChange>,
    /// The whole membership after the event (before it, for one that ended).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<Member>,
    /// The whole room after the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_state: Option<RoomState>,
    /// The reader's own read mark after the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<ReadMark>,
    /// hello, reset: a `ping` comes when nothing else came for so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_seconds: Option<i32>,
    /// hello, reset: when the stream ends unless the session is refreshed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// hello, reset: whether the stream goes on from the cursor that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed: Option<bool>,
    /// reset: why the cursor cannot be honoured. bye: `expired`, `slow` or `shutdown` (resume), `signed_out`,
    /// `removed` or `deleted` (do not); more may come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// bye: come back after so many seconds; absent: do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_seconds: Option<i32>,
}
