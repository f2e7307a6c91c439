//! Messages on the wire.

use poem_openapi::Object;
use serde::{Deserialize, Serialize};

use super::reaction::Reaction;
use super::user::UserRef;
use super::{field, optional};
use crate::api::payload::Input;
use crate::api::problem::Problem;
use crate::chat;
use crate::domain::cursor::Cursors;
use crate::domain::ids::MessageId;
use crate::domain::message;
use crate::domain::message::MessageBody;
use crate::domain::names::ClientId;
use crate::domain::refusal::Refusal;

/// A message to post.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct MessageInput {
    /// 1 to 4,000 characters. CR LF and CR become LF. Control characters, more than 200 lines, and a text without anything
    /// visible are refused (422).
    #[oai(validator(min_length = 1, max_length = 4000))]
    pub body: String,
    /// UUID of a message of the same room that this one answers, and that is not deleted.
    pub reply_to: Option<String>,
    /// Makes repeating the request harmless, at any time: the same id gives the same message.
    #[oai(validator(pattern = "^[A-Za-z0-9_-]{1,64}$"))]
    pub client_id: Option<String>,
}

/// What a message should say.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct MessagePatch {
    /// As in `postMessage`.
    #[oai(validator(min_length = 1, max_length = 4000))]
    pub body: String,
}

/// A message as it is now. In an event: as it was after that, but with the text of now.
#[derive(Debug, Serialize, Object)]
pub struct Message {
    /// UUID; never changes.
    pub id: String,
    /// UUID of the room.
    pub room: String,
    /// The `seq` of the event that posted it: messages of a room sort by it.
    pub seq: i64,
    /// Who wrote it.
    pub author: UserRef,
    /// What was said; empty when deleted.
    pub body: String,
    /// The id that the author's client gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// When it was posted.
    pub created_at: String,
    /// When it was last edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<String>,
    /// When it was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<String>,
    /// The members whom `@username` in the text mentions, outside code and in the order of the text, at most 50; absent when there are
    /// none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mentions: Option<Vec<UserRef>>,
    /// true when `@room` in the text mentions everybody; else absent. It counts from owners, and from everybody in rooms of at most 100
    /// people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mentions_room: Option<bool>,
    /// UUID of the message of the same room that it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// How many messages answer it that are not deleted; absent for none. Counts up with each `message.posted` and down with each
    /// `message.deleted` that has its id as `reply_to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_count: Option<i64>,
    /// What people react with, in the order in which it was first used; absent for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reactions: Option<Vec<Reaction>>,
    /// When it was pinned; absent for one that is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pinned_at: Option<String>,
}

/// The pinned messages of a room.
#[derive(Debug, Serialize, Object)]
pub struct PinList {
    /// The newest pin first; at most 50.
    pub items: Vec<Message>,
    /// The place in the log at which all this was so.
    pub cursor: String,
}

/// A stretch of a room's history.
#[derive(Debug, Serialize, Object)]
pub struct MessagePage {
    /// The oldest first.
    pub items: Vec<Message>,
    /// The messages that items answer and that are not items themselves, the oldest first.
    pub referenced: Vec<Message>,
    /// Give it as `before` to get older messages; absent at the beginning of the room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_cursor: Option<String>,
    /// Give it as `after` to get newer messages; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// The place in the log at which all this was so: stream from here, and drop events of the room up to `last_seq`.
    pub cursor: String,
    /// The `seq` of the room's newest event at that place.
    pub last_seq: i64,
}

impl Input for MessageInput {}

impl Input for MessagePatch {}

impl MessageInput {
    pub fn parse(&self) -> Result<(MessageBody, Option<MessageId>, Option<ClientId>), Problem> {
        let body = field("/body", &self.body, MessageBody::parse)?;
        let client_id = optional("/client_id", self.client_id.as_ref(), ClientId::parse)?;
        // What is no id names no message.
        let not_found = || Problem::from(Refusal::ReplyNotFound).of_reply();
        let reply_to = self.reply_to.as_ref().map(|id| MessageId::parse(id).ok_or_else(not_found));
        Ok((body, reply_to.transpose()?, client_id))
    }
}

impl MessagePatch {
    pub fn parse(&self) -> Result<MessageBody, Problem> {
        field("/body", &self.body, MessageBody::parse)
    }
}

impl From<message::Message> for Message {
    fn from(message: message::Message) -> Self {
        Self {
            id: message.id.to_string(),
            room: message.room.to_string(),
            seq: message.seq,
            author: message.author.into(),
            body: message.body.as_str().to_owned(),
            client_id: message.client_id.map(|id| id.to_string()),
            created_at: message.created_at.to_string(),
            edited_at: message.edited_at.map(|at| at.to_string()),
            deleted_at: message.deleted_at.map(|at| at.to_string()),
            mentions: Some(message.mentions.into_iter().map(Into::into).collect::<Vec<_>>())
                .filter(|people| !people.is_empty()),
            mentions_room: message.mentions_room.then_some(true),
            reply_to: message.reply_to.map(|id| id.to_string()),
            reply_count: Some(message.reply_count).filter(|count| *count > 0),
            reactions: (!message.reactions.is_empty())
                .then(|| message.reactions.into_iter().map(Into::into).collect()),
            pinned_at: message.pinned_at.map(|at| at.to_string()),
        }
    }
}

impl PinList {
    pub fn new(pins: chat::Pins, cursors: &Cursors) -> Self {
        let items = pins.messages.into_iter().map(Into::into).collect();
        Self { items, cursor: cursors.of_snapshot(pins.head) }
    }
}

impl MessagePage {
    pub fn new(page: message::MessagePage, cursors: &Cursors) -> Self {
        Self {
            items: page.messages.into_iter().map(Into::into).collect(),
            referenced: page.referenced.into_iter().map(Into::into).collect(),
            prev_cursor: page.prev.map(|position| cursors.of_event(position)),
            next_cursor: page.next.map(|position| cursors.of_event(position)),
            cursor: cursors.of_snapshot(page.head),
            last_seq: page.last_seq,
        }
    }
}
