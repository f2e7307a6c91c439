//! Who and what a model is about, and events as its log has them.

use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::domain::event::{Event, EventType, Place, Subject};
use crate::domain::ids::{Position, RoomId, SessionId, UserId};

pub const HOME: RoomId = RoomId::from_uuid(Uuid::from_u128(1));
pub const OTHER: RoomId = RoomId::from_uuid(Uuid::from_u128(2));
pub const ADA: UserId = UserId::from_uuid(Uuid::from_u128(3));
pub const SESSION: SessionId = SessionId::from_uuid(Uuid::from_u128(4));

/// An event of a room.
pub fn event(room: RoomId, kind: EventType, person: Option<UserId>, position: Position) -> Event {
    Event {
        position,
        kind,
        place: Some(Place { room, seq: Some(position.0) }),
        subject: person.map(Subject::Person),
        at: Timestamp::from_micros(0),
        data: "{}".into(),
        text: None,
    }
}

/// What is for Ada alone, and names a room.
pub fn mark(room: RoomId, position: Position) -> Event {
    Event {
        place: Some(Place { room, seq: None }),
        ..event(room, EventType::ReadUpdated, Some(ADA), position)
    }
}

/// The end of the session.
pub fn signed_out(position: Position) -> Event {
    let subject = Some(Subject::Session(SESSION));
    Event { place: None, subject, ..event(HOME, EventType::SessionEnded, None, position) }
}
