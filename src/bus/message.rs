//! The messages of the bus as JSON. A field that is added later is ignored by older nodes; a saying that they do not know makes them
//! look at the log.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Whisper;
use crate::domain::clock::Timestamp;
use crate::domain::event::{Event, EventType, MessageText, Place, Subject};
use crate::domain::ids::{Position, RoomId, SessionId};
use crate::domain::message::MessageBody;

/// What was heard.
#[derive(Debug)]
pub(super) enum Said {
    /// The log reaches this far.
    Reaches(Position),
    /// These were committed: a stretch of the log as it was written, at least one.
    Events(Vec<Event>),
    Whispers(Vec<Whisper>),
}

#[derive(Serialize, Deserialize)]
pub(super) struct Message<'m> {
    pub node: u64,
    pub epoch: u32,
    #[serde(borrow)]
    pub said: Saying<'m>,
}

/// What is said, as it is written.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Saying<'m> {
    Reaches(i64),
    Events(#[serde(borrow)] Vec<Entry<'m>>),
    Whispers(#[serde(borrow)] Vec<Whispered<'m>>),
}

#[derive(Serialize, Deserialize)]
pub(super) struct Entry<'m> {
    position: i64,
    #[serde(borrow, rename = "type")]
    kind: Cow<'m, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<(Uuid, Option<i64>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<Uuid>,
    /// Microseconds since 1970.
    at: i64,
    #[serde(borrow)]
    data: Cow<'m, str>,
    /// The position at which the message was posted, and what it says.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    text: Option<(i64, Cow<'m, str>)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Whispered<'m> {
    /// With microseconds since 1970.
    Extended(Uuid, i64),
    Frame(Uuid, #[serde(borrow)] Cow<'m, str>),
}

impl<'m> Message<'m> {
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("all of it is text and numbers")
    }

    pub fn parse(text: &'m str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl<'m> Saying<'m> {
    pub fn events(events: &'m [Event]) -> Self {
        Self::Events(events.iter().map(Entry::of).collect())
    }

    pub fn whispers(whispers: &'m [Whisper]) -> Self {
        Self::Whispers(whispers.iter().map(Whispered::of).collect())
    }

    /// None for what this version does not know.
    pub fn into_said(self) -> Option<Said> {
        Some(match self {
            Self::Reaches(head) => Said::Reaches(Position(head)),
            Self::Events(entries) => {
                Said::Events(entries.into_iter().map(Entry::event).collect::<Option<_>>()?)
            }
            Self::Whispers(whispers) => {
                Said::Whispers(whispers.into_iter().map(Whispered::whisper).collect())
            }
        })
    }
}

impl<'m> Entry<'m> {
    fn of(event: &'m Event) -> Self {
        Self {
            position: event.position.0,
            kind: event.kind.as_str().into(),
            place: event.place.map(|place| (place.room.uuid(), place.seq)),
            subject: event.subject.map(Subject::uuid),
            at: event.at.micros(),
            data: event.data.as_str().into(),
            text: event.text.as_ref().map(|text| (text.message.0, text.body.as_str().into())),
        }
    }

    fn event(self) -> Option<Event> {
        let kind = EventType::parse(&self.kind)?;
        Some(Event {
            position: Position(self.position),
            kind,
            place: self.place.map(|(room, seq)| Place { room: RoomId::from_uuid(room), seq }),
            subject: self.subject.and_then(|id| kind.subject(id)),
            at: Timestamp::from_micros(self.at),
            data: self.data.into_owned(),
            text: self.text.map(|(message, body)| MessageText {
                message: Position(message),
                body: MessageBody::stored(body.into_owned()),
            }),
        })
    }
}

impl<'m> Whispered<'m> {
    fn of(whisper: &'m Whisper) -> Self {
        match whisper {
            Whisper::Extended { session, expires_at } => Self::Extended(session.uuid(), expires_at.micros()),
            Whisper::Frame { room, data } => Self::Frame(room.uuid(), data.into()),
        }
    }

    fn whisper(self) -> Whisper {
        match self {
            Self::Extended(session, expires_at) => Whisper::Extended {
                session: SessionId::from_uuid(session),
                expires_at: Timestamp::from_micros(expires_at),
            },
            Self::Frame(room, data) => {
                Whisper::Frame { room: RoomId::from_uuid(room), data: data.into_owned() }
            }
        }
    }
}
