//! Messages: posting, and reading the history of a room.

use super::limits::Counted;
use super::{Chat, Error, Made, Result};
use crate::domain::ids::{MessageId, Position};
use crate::domain::message::{Message, MessageBody, MessagePage, PageStart};
use crate::domain::names::ClientId;
use crate::domain::refusal::Refusal;
use crate::domain::room::RoomRef;
use crate::domain::session::{Author, Caller};
use crate::storage::{self, NewMessage, Pins, Touch};

/// Where a page of the history starts. Cursors are as the request gave them.
#[derive(Clone, Debug)]
pub enum HistoryStart {
    Newest,
    Before(String),
    After(String),
    Around(MessageId),
}

/// Where a page of answers starts. Cursors are as the request gave them.
#[derive(Clone, Debug)]
pub enum RepliesStart {
    First,
    Before(String),
    After(String),
}

impl Chat {
    /// Posts a message. Repeats with the same client id give the message that the first one made.
    pub async fn post_message(
        &self,
        author: Author,
        room: &RoomRef,
        body: MessageBody,
        reply_to: Option<MessageId>,
        client_id: Option<ClientId>,
    ) -> Result<Made<Message>> {
        self.limits.take(Counted::Post(author.user))?;
        let client_id = client_id.map(|id| (id, self.content_hash(&body, reply_to)));
        let (id, room, at) = (self.ids.message(), room.clone(), self.clock.now());
        let Author { user: author, unasked: session } = author;
        let message = NewMessage { id, room, author, session, body, reply_to, client_id, at };
        // Only new messages of members count for the rate of the room, so the store asks for it where it knows that this is one.
        let limits = self.limits.clone();
        let admission = Box::new(move |room| limits.try_take(Counted::PostIn(room)));
        let posted = self.store.post_message(message, Some(admission)).await;
        if let (Err(storage::Error::Refused(Refusal::RoomNotFound)), Some(session)) = (&posted, session) {
            // The transaction finds no room for somebody whose session is over, either.
            self.store.session_state(session, at).await?.ok_or(Error::Unauthenticated)?;
        }
        Ok(posted?)
    }

    pub async fn history(
        &self,
        caller: Caller,
        room: &RoomRef,
        start: HistoryStart,
        limit: u32,
    ) -> Result<MessagePage> {
        self.limits.take(Counted::Read(caller.user))?;
        let start = match start {
            HistoryStart::Newest => PageStart::Newest,
            HistoryStart::Before(cursor) => PageStart::Before(self.position(&cursor).await?),
            HistoryStart::After(cursor) => PageStart::After(self.position(&cursor).await?),
            HistoryStart::Around(message) => PageStart::Around(message),
        };
        Ok(self.store.history(room, caller.user, start, limit as usize).await?)
    }

    pub async fn message(&self, caller: Caller, room: &RoomRef, message: MessageId) -> Result<Message> {
        self.limits.take(Counted::Read(caller.user))?;
        Ok(self.store.message(room, caller.user, message).await?)
    }

    /// The answers to a message, oldest first: those after or before a cursor, or the first ones.
    pub async fn replies(
        &self,
        caller: Caller,
        room: &RoomRef,
        message: MessageId,
        start: RepliesStart,
        limit: u32,
    ) -> Result<MessagePage> {
        self.limits.take(Counted::Read(caller.user))?;
        let start = match start {
            RepliesStart::First => PageStart::After(Position(0)),
            RepliesStart::Before(cursor) => PageStart::Before(self.position(&cursor).await?),
            RepliesStart::After(cursor) => PageStart::After(self.position(&cursor).await?),
        };
        Ok(self.store.replies(room, caller.user, message, start, limit as usize).await?)
    }

    /// Gives a message of the caller's own another text. The same text changes nothing.
    pub async fn edit_message(
        &self,
        caller: Caller,
        room: &RoomRef,
        message: MessageId,
        body: MessageBody,
    ) -> Result<Message> {
        self.limits.take(Counted::Edit(caller.user))?;
        Ok(self.store.edit_message(self.touch(caller, room, message), body).await?)
    }

    pub async fn delete_message(&self, caller: Caller, room: &RoomRef, message: MessageId) -> Result<()> {
        self.limits.take(Counted::Edit(caller.user))?;
        Ok(self.store.delete_message(self.touch(caller, room, message)).await?)
    }

    pub async fn pin_message(&self, caller: Caller, room: &RoomRef, message: MessageId) -> Result<()> {
        self.limits.take(Counted::Edit(caller.user))?;
        Ok(self.store.pin_message(self.touch(caller, room, message)).await?)
    }

    pub async fn unpin_message(&self, caller: Caller, room: &RoomRef, message: MessageId) -> Result<()> {
        self.limits.take(Counted::Edit(caller.user))?;
        Ok(self.store.unpin_message(self.touch(caller, room, message)).await?)
    }

    pub async fn pins(&self, caller: Caller, room: &RoomRef) -> Result<Pins> {
        self.limits.take(Counted::Read(caller.user))?;
        Ok(self.store.pins(room, caller.user).await?)
    }

    pub(super) fn touch(&self, caller: Caller, room: &RoomRef, message: MessageId) -> Touch {
        Touch { room: room.clone(), person: caller.user, message, at: self.clock.now() }
    }

    /// What a repeat under the same client id must have in common with the first. No body has a NUL, so each pair has a text of its
    /// own.
    fn content_hash(&self, body: &MessageBody, reply_to: Option<MessageId>) -> Vec<u8> {
        match reply_to {
            None => self.tokens.content_hash(body.as_str()),
            Some(answered) => self.tokens.content_hash(&format!("{answered}\0{}", body.as_str())),
        }
    }

    pub(super) async fn position(&self, cursor: &str) -> Result<Position> {
        self.store.learn_epochs_of_others().await?;
        let head = self.store.head().await?;
        Ok(self.store.cursors().decode(cursor, head).ok_or(Refusal::BadCursor)?)
    }
}
