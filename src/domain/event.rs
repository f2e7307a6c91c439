//! Events: the entries of the log. The log keeps everything that others may see happen, and what every node has to know.

use serde::Serialize;
use uuid::Uuid;

use super::clock::Timestamp;
use super::ids::{MessageId, Position, RoomId, SessionId, UserId};
use super::membership::Member;
use super::message::Message;
use super::read_mark::ReadMark;
use super::room::RoomState;
use super::user::UserRef;

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
    Message(MessageId),
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
    pub const ALL: [Self; 9] = [
        Self::RoomCreated,
        Self::RoomUpdated,
        Self::RoomDeleted,
        Self::MemberJoined,
        Self::MemberLeft,
        Self::MemberUpdated,
        Self::MessagePosted,
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
            | Self::MessagePosted => Audience::Room,
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
            | Self::ReadUpdated
            | Self::SessionEnded => false,
        }
    }

    /// The subject of an event of this kind, by its id.
    pub const fn subject(self, id: Uuid) -> Option<Subject> {
        match self {
            Self::RoomCreated | Self::RoomUpdated | Self::RoomDeleted => None,
            Self::MemberJoined | Self::MemberLeft | Self::MemberUpdated | Self::ReadUpdated => {
                Some(Subject::Person(UserId::from_uuid(id)))
            }
            Self::MessagePosted => Some(Subject::Message(MessageId::from_uuid(id))),
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
            Self::Message(id) => id.uuid(),
            Self::Person(id) => id.uuid(),
            Self::Session(id) => id.uuid(),
        }
    }
}

/// An event that is about to be written. It carries whole new state, so applying it twice is harmless.
#[derive(Clone, Debug, Serialize)]
pub struct NewEvent {
    #[serde(rename = "type")]
    pub kind: EventType,
    #[serde(flatten)]
    pub place: Option<Place>,
    pub at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<UserRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_state: Option<RoomState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read: Option<ReadMark>,
    #[serde(skip)]
    pub subject: Option<Subject>,
}

/// The room that an event names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    pub room: RoomId,
    /// The event's number among those that every member gets. None for an event that not every member gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<i64>,
}

impl NewEvent {
    /// A message was posted.
    pub fn posted(message: Message) -> Self {
        Self {
            kind: EventType::MessagePosted,
            place: Some(Place { room: message.room, seq: Some(message.seq) }),
            at: message.created_at,
            actor: Some(message.author.clone()),
            subject: Some(Subject::Message(message.id)),
            message: Some(message),
            member: None,
            room_state: None,
            read: None,
        }
    }

    /// Something happened to a room, which is now as given. The event takes the room's newest seq.
    pub fn of_room(kind: EventType, room: RoomState, actor: UserRef, at: Timestamp) -> Self {
        Self {
            kind,
            place: Some(Place { room: room.id, seq: Some(room.last_seq) }),
            at,
            actor: Some(actor),
            message: None,
            member: None,
            room_state: Some(room),
            read: None,
            subject: None,
        }
    }

    /// The same for something that happened to a member.
    pub fn of_member(
        kind: EventType,
        room: RoomState,
        actor: UserRef,
        member: Member,
        at: Timestamp,
    ) -> Self {
        Self {
            subject: Some(Subject::Person(member.user.id)),
            member: Some(member),
            ..Self::of_room(kind, room, actor, at)
        }
    }

    /// A session is over. No stream shows it.
    pub fn session_ended(session: SessionId, at: Timestamp) -> Self {
        Self {
            kind: EventType::SessionEnded,
            place: None,
            at,
            actor: None,
            message: None,
            member: None,
            room_state: None,
            read: None,
            subject: Some(Subject::Session(session)),
        }
    }

    /// A person's read mark in a room has moved. It is shown to that person alone.
    pub fn read(person: UserRef, read: ReadMark, at: Timestamp) -> Self {
        Self {
            kind: EventType::ReadUpdated,
            place: Some(Place { room: read.room, seq: None }),
            at,
            subject: Some(Subject::Person(person.id)),
            actor: Some(person),
            message: None,
            member: None,
            room_state: None,
            read: Some(read),
        }
    }
}

/// An event of the log.
#[derive(Clone, Debug)]
pub struct Event {
    pub position: Position,
    pub kind: EventType,
    /// None for an event that is no room's.
    pub place: Option<Place>,
    pub subject: Option<Subject>,
    pub at: Timestamp,
    /// The JSON object of the event without its cursor, on one line. It was encoded once, when the event was written.
    pub data: String,
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

impl Event {
    pub fn room(&self) -> Option<RoomId> {
        self.place.map(|place| place.room)
    }

    /// The person that an event about a membership is about, or that one is for.
    pub fn person(&self) -> Option<UserId> {
        match self.subject {
            Some(Subject::Person(user)) => Some(user),
            Some(Subject::Message(_) | Subject::Session(_)) | None => None,
        }
    }

    /// Who is no longer in its room after it.
    pub fn removed(&self) -> Option<Removed> {
        let user = match self.kind.ending() {
            Ending::Nothing | Ending::Session => return None,
            Ending::Membership => Some(self.person()?),
            Ending::Room => None,
        };
        Some(Removed { room: self.room()?, user, position: self.position })
    }

    /// The session that is over after it.
    pub fn ended(&self) -> Option<SessionId> {
        match (self.kind.ending(), self.subject) {
            (Ending::Session, Some(Subject::Session(session))) => Some(session),
            _ => None,
        }
    }
}
