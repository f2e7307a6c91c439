//! Messages: posting, and reading the history of a room.

use super::limits::Counted;
use super::{Chat, Error, Made, Result};
use crate::domain::ids::{MessageId, Position};
use crate::domain::message::{Message, MessageBody, MessagePage, PageStart};
use crate::domain::names::ClientId;
use crate::domain::refusal::Refusal;
use crate::domain::room::RoomRef;
use crate::domain::session::{Author, Caller};
use crate::storage::{self, NewMessage};

/// Where a page of the history starts. Cursors are as the request gave them.
#[derive(Clone, Debug)]
pub enum HistoryStart {
    Newest,
    Before(String),
    After(String),
    Around(MessageId),
}

impl Chat {
    /// Posts a message. Repeats with the same client id give the message that the first one made.
    pub async fn post_message(
        &self,
        author: Author,
        room: &RoomRef,
        body: MessageBody,
        client_id: Option<ClientId>,
    ) -> Result<Made<Message>> {
        self.limits.take(Counted::Post(author.user))?;
        let client_id = client_id.map(|id| (id, self.tokens.content_hash(body.as_str())));
        let (id, room, at) = (self.ids.message(), room.clone(), self.clock.now());
        let Author { user: author, unasked: session } = author;
        let message = NewMessage { id, room, author, session, body, client_id, at };
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

    async fn position(&self, cursor: &str) -> Result<Position> {
        self.store.learn_epochs_of_others().await?;
        let head = self.store.head().await?;
        Ok(self.store.cursors().decode(cursor, head).ok_or(Refusal::BadCursor)?)
    }
}
