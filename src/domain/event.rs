//! Events: the entries of the log. The log keeps everything that others may see happen, and what every node has to know.

use std::borrow::Cow;

use serde::Serialize;

use super::clock::Timestamp;
use super::emoji::Emoji;
use super::ids::{MessageId, Position, RoomId, SessionId, UserId};
use super::membership::Member;
use super::message::{Message, MessageBody};
use super::read_mark::ReadMark;
use super::room::RoomState;
use super::user::UserRef;

pub use super::event_type::{Audience, Ending, EventType, Subject};

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
    #[serde(flatten)]
    mentions: Option<MentionChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reaction: Option<ReactionChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<Member>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_state: Option<RoomState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read: Option<ReadMark>,
    /// The last field: see [`Event::json`].
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
    /// The position at which the message was posted. None for the event that posts it, which does not know it yet.
    #[serde(skip)]
    posted_at: Option<Position>,
    #[serde(skip)]
    pub subject: Option<Subject>,
}

/// Who is mentioned since an edit or a deletion, and who no longer is. It stays as it was when the event was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MentionChange {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mentioned: Vec<UserId>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unmentioned: Vec<UserId>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unmentioned_room: bool,
}

impl MentionChange {
    pub fn between(before: &Message, after: &Message) -> Self {
        let only_in = |one: &Message, other: &Message| {
            let people = one.mentions.iter().map(|person| person.id);
            people.filter(|id| other.mentions.iter().all(|person| person.id != *id)).collect()
        };
        Self {
            mentioned: only_in(after, before),
            unmentioned: only_in(before, after),
            unmentioned_room: before.mentions_room && !after.mentions_room,
        }
    }
}

/// How many people react to a message with an emoji after an event: none after the last one has stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReactionChange {
    pub message: MessageId,
    pub emoji: Emoji,
    pub count: i64,
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
            subject: None,
            posted_at: None,
            message: Some(message),
            mentions: None,
            reaction: None,
            member: None,
            room_state: None,
            read: None,
        }
    }

    /// Something happened to a message, which is now as given. `seq` is that of this event, `posted_at` the position at which the
    /// message was posted.
    pub fn of_message(
        kind: EventType,
        seq: i64,
        actor: UserRef,
        (posted_at, message): (Position, Message),
        at: Timestamp,
    ) -> Self {
        let place = Some(Place { room: message.room, seq: Some(seq) });
        Self { kind, place, at, actor: Some(actor), posted_at: Some(posted_at), ..Self::posted(message) }
    }

    /// The same with what has changed in whom the message mentions.
    #[must_use]
    pub fn mentioning(self, mentions: MentionChange) -> Self {
        Self { mentions: Some(mentions), ..self }
    }

    /// Somebody has reacted to a message of a room, or does so no longer.
    pub fn of_reaction(
        kind: EventType,
        (room, seq): (RoomId, i64),
        actor: UserRef,
        reaction: ReactionChange,
        at: Timestamp,
    ) -> Self {
        Self {
            kind,
            place: Some(Place { room, seq: Some(seq) }),
            at,
            actor: Some(actor),
            message: None,
            posted_at: None,
            mentions: None,
            reaction: Some(reaction),
            member: None,
            room_state: None,
            read: None,
            subject: None,
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
            posted_at: None,
            mentions: None,
            reaction: None,
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
            posted_at: None,
            mentions: None,
            reaction: None,
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
            posted_at: None,
            mentions: None,
            reaction: None,
            member: None,
            room_state: None,
            read: Some(read),
        }
    }

    /// What its message says, for the event at this position.
    pub fn text(&self, position: Position) -> Option<MessageText> {
        let message = self.message.as_ref()?;
        Some(MessageText { message: self.posted_at.unwrap_or(position), body: message.body.clone() })
    }
}

/// What the message of an event says. The text stands in the row of the message alone, and the event is joined with it when the log
/// is read. So an edit or a deletion takes the old text out of all events by changing one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageText {
    /// The position at which the message was posted.
    pub message: Position,
    pub body: MessageBody,
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
    /// The JSON object of the event without its cursor and without what its message says, on one line. It was encoded once, when
    /// the event was written.
    pub data: String,
    pub text: Option<MessageText>,
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
    /// The whole JSON object without its cursor. The message is its last field, so the text goes in before the two braces that end
    /// both.
    pub fn json(&self) -> Cow<'_, str> {
        let Some((text, fields)) = self.text.as_ref().zip(self.data.strip_suffix("}}")) else {
            return Cow::Borrowed(&self.data);
        };
        let body = serde_json::to_string(&text.body).expect("a text always encodes");
        Cow::Owned(format!("{fields},\"body\":{body}}}}}"))
    }

    /// About the bytes that its JSON object has.
    pub fn size(&self) -> usize {
        self.data.len() + self.text.as_ref().map_or(0, |text| text.body.as_str().len())
    }

    pub fn room(&self) -> Option<RoomId> {
        self.place.map(|place| place.room)
    }

    /// The person that an event about a membership is about, or that one is for.
    pub fn person(&self) -> Option<UserId> {
        match self.subject {
            Some(Subject::Person(user)) => Some(user),
            Some(Subject::Session(_)) | None => None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Ids;
    use crate::domain::names::{DisplayName, Username};

    #[test]
    fn an_event_is_written_without_the_text_and_shown_with_it() {
        let (ids, at) = (Ids::SYSTEM, Timestamp::from_micros(0));
        let username = Username::stored("ada".into());
        let display_name = DisplayName::stored("}}\"body\":".into());
        let author = UserRef { id: ids.user(), username, display_name };
        let body = MessageBody::stored("\"}}\n".into());
        let (id, room) = (ids.message(), ids.room());
        let message = Message {
            id,
            room,
            seq: 3,
            author: author.clone(),
            body: body.clone(),
            client_id: None,
            created_at: at,
            edited_at: Some(at),
            deleted_at: None,
            mentions: Vec::new(),
            mentions_room: false,
            reply_to: None,
            reply_count: 2,
            reactions: Vec::new(),
            pinned_at: Some(at),
        };
        for kind in [EventType::MessageEdited, EventType::MessagePinned] {
            let new = NewEvent::of_message(kind, 9, author.clone(), (Position(7), message.clone()), at);
            let text = new.text(Position(12));
            assert_eq!(text, Some(MessageText { message: Position(7), body: body.clone() }));
            let data = serde_json::to_string(&new).unwrap();
            let (position, place, subject) = (Position(12), new.place, None);
            let event = Event { position, kind, place, subject, at, data, text };
            let without: serde_json::Value = serde_json::from_str(&event.data).unwrap();
            assert_eq!(without["message"].get("body"), None);
            let mut shown: serde_json::Value = serde_json::from_str(&event.json()).unwrap();
            assert_eq!(shown["message"].as_object_mut().unwrap().remove("body"), Some("\"}}\n".into()));
            assert_eq!(shown, without);
        }
        let posted = NewEvent::posted(message);
        assert_eq!(posted.text(Position(12)).map(|text| text.message), Some(Position(12)));
    }
}
