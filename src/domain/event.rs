//! Events: what the log keeps of everything that other people may see happen.

use serde::Serialize;

use super::clock::Timestamp;
use super::ids::{MessageId, Position, RoomId, UserId};
use super::membership::Member;
use super::message::Message;
use super::room::RoomState;
use super::user::UserRef;

/// The kinds of event, as `type` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum EventType {
    #[serde(rename = "room.created")]
    RoomCreated,
    #[serde(rename = "room.updated")]
    RoomUpdated,
    #[serde(rename = "room.deleted")]
    RoomDeleted,
    #[serde(rename = "member.joined")]
    MemberJoined,
    #[serde(rename = "member.left")]
    MemberLeft,
    #[serde(rename = "member.updated")]
    MemberUpdated,
    #[serde(rename = "message.posted")]
    MessagePosted,
}

impl EventType {
    pub const ALL: [Self; 7] = [
        Self::RoomCreated,
        Self::RoomUpdated,
        Self::RoomDeleted,
        Self::MemberJoined,
        Self::MemberLeft,
        Self::MemberUpdated,
        Self::MessagePosted,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RoomCreated => "room.created",
            Self::RoomUpdated => "room.updated",
            Self::RoomDeleted => "room.deleted",
            Self::MemberJoined => "member.joined",
            Self::MemberLeft => "member.left",
            Self::MemberUpdated => "member.updated",
            Self::MessagePosted => "message.posted",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether the event is about one person's membership.
    pub const fn is_membership(self) -> bool {
        matches!(self, Self::MemberJoined | Self::MemberLeft | Self::MemberUpdated)
    }
}

/// An event that is about to be written. It carries whole new state, so applying it twice is harmless.
#[derive(Clone, Debug, Serialize)]
pub struct NewEvent {
    #[serde(rename = "type")]
    pub kind: EventType,
    pub room: RoomId,
    pub seq: i64,
    pub at: Timestamp,
    pub actor: UserRef,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_state: Option<RoomState>,
}

impl NewEvent {
    /// The message or the person that the event is about.
    pub fn subject(&self) -> Option<Subject> {
        let message = self.message.as_ref().map(|message| Subject::Message(message.id));
        message.or_else(|| self.member.as_ref().map(|member| Subject::Person(member.user.id)))
    }
}

/// What an event is about. The log has an index of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Message(MessageId),
    Person(UserId),
}

/// An event of the log.
#[derive(Clone, Debug)]
pub struct Event {
    pub position: Position,
    pub room: RoomId,
    pub kind: EventType,
    /// The person that a membership event is about. None for other kinds.
    pub person: Option<UserId>,
    /// The JSON object of the event without its cursor, on one line. It was encoded once, when the event was written.
    pub data: String,
}
