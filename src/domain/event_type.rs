//! The kinds of event: who gets each, what it is about, and what it takes from whom.

use serde::Serialize;
use uuid::Uuid;

use super::ids::{SessionId, UserId};

/// The kinds of event, as `type` on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
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
    #[serde(rename = "message.edited")]
    MessageEdited,
    #[serde(rename = "message.deleted")]
    MessageDeleted,
    #[serde(rename = "message.pinned")]
    MessagePinned,
    #[serde(rename = "message.unpinned")]
    MessageUnpinned,
    #[serde(rename = "reaction.added")]
    ReactionAdded,
    #[serde(rename = "reaction.removed")]
    ReactionRemoved,
    #[serde(rename = "read.updated")]
    ReadUpdated,
    #[serde(rename = "session.ended")]
    SessionEnded,
}

/// Who gets an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Every member of its room. Such an event has a seq.
    Room,
    /// All streams of the person whom it is about, and nobody else. Such an event has no seq. A newer one about the same person, of the
    /// same kind and naming the same room, takes its place in the log.
    Person,
    /// No stream, but every node, for its own view of who may see what.
    Node,
}

/// What an event is about. The log has an index of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    Person(UserId),
    Session(SessionId),
}

/// What nobody has any more after an event of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Nothing,
    /// The membership of the person whom it is about.
    Membership,
    /// The room, and all memberships in it.
    Room,
    /// The session that it is about.
    Session,
}

impl EventType {
    pub const ALL: [Self; 15] = [
        Self::RoomCreated,
        Self::RoomUpdated,
        Self::RoomDeleted,
        Self::MemberJoined,
        Self::MemberLeft,
        Self::MemberUpdated,
        Self::MessagePosted,
        Self::MessageEdited,
        Self::MessageDeleted,
        Self::MessagePinned,
        Self::MessageUnpinned,
        Self::ReactionAdded,
        Self::ReactionRemoved,
        Self::ReadUpdated,
        Self::SessionEnded,
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
            Self::MessageEdited => "message.edited",
            Self::MessageDeleted => "message.deleted",
            Self::MessagePinned => "message.pinned",
            Self::MessageUnpinned => "message.unpinned",
            Self::ReactionAdded => "reaction.added",
            Self::ReactionRemoved => "reaction.removed",
            Self::ReadUpdated => "read.updated",
            Self::SessionEnded => "session.ended",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    pub const fn audience(self) -> Audience {
        match self {
            Self::RoomCreated
            | Self::RoomUpdated
            | Self::RoomDeleted
            | Self::MemberJoined
            | Self::MemberLeft
            | Self::MemberUpdated
            | Self::MessagePosted
            | Self::MessageEdited
            | Self::MessageDeleted
            | Self::MessagePinned
            | Self::MessageUnpinned
            | Self::ReactionAdded
            | Self::ReactionRemoved => Audience::Room,
            Self::ReadUpdated => Audience::Person,
            Self::SessionEnded => Audience::Node,
        }
    }

    pub const fn ending(self) -> Ending {
        match self {
            Self::RoomDeleted => Ending::Room,
            Self::MemberLeft => Ending::Membership,
            Self::SessionEnded => Ending::Session,
            Self::RoomCreated
            | Self::RoomUpdated
            | Self::MemberJoined
            | Self::MemberUpdated
            | Self::MessagePosted
            | Self::MessageEdited
            | Self::MessageDeleted
            | Self::MessagePinned
            | Self::MessageUnpinned
            | Self::ReactionAdded
            | Self::ReactionRemoved
            | Self::ReadUpdated => Ending::Nothing,
        }
    }

    /// Whether it changes for anybody what may be seen of the room.
    pub const fn changes_readers(self) -> bool {
        match self {
            Self::RoomDeleted | Self::MemberJoined | Self::MemberLeft => true,
            Self::RoomCreated
            | Self::RoomUpdated
            | Self::MemberUpdated
            | Self::MessagePosted
            | Self::MessageEdited
            | Self::MessageDeleted
            | Self::MessagePinned
            | Self::MessageUnpinned
            | Self::ReactionAdded
            | Self::ReactionRemoved
            | Self::ReadUpdated
            | Self::SessionEnded => false,
        }
    }

    /// Whether what its message said before may not be shown any more.
    pub const fn replaces_text(self) -> bool {
        match self {
            Self::MessageEdited | Self::MessageDeleted => true,
            Self::RoomCreated
            | Self::RoomUpdated
            | Self::RoomDeleted
            | Self::MemberJoined
            | Self::MemberLeft
            | Self::MemberUpdated
            | Self::MessagePosted
            | Self::MessagePinned
            | Self::MessageUnpinned
            | Self::ReactionAdded
            | Self::ReactionRemoved
            | Self::ReadUpdated
            | Self::SessionEnded => false,
        }
    }

    /// The subject of an event of this kind, by its id.
    pub const fn subject(self, id: Uuid) -> Option<Subject> {
        match self {
            Self::RoomCreated
            | Self::RoomUpdated
            | Self::RoomDeleted
            | Self::MessagePosted
            | Self::MessageEdited
            | Self::MessageDeleted
            | Self::MessagePinned
            | Self::MessageUnpinned
            | Self::ReactionAdded
            | Self::ReactionRemoved => None,
            Self::MemberJoined | Self::MemberLeft | Self::MemberUpdated | Self::ReadUpdated => {
                Some(Subject::Person(UserId::from_uuid(id)))
            }
            Self::SessionEnded => Some(Subject::Session(SessionId::from_uuid(id))),
        }
    }
}

impl Audience {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::Person => "person",
            Self::Node => "node",
        }
    }
}

impl Subject {
    pub const fn uuid(self) -> Uuid {
        match self {
            Self::Person(id) => id.uuid(),
            Self::Session(id) => id.uuid(),
        }
    }
}
