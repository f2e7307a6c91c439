//! Posting in the store: once however often it is tried. It knows what is asked and what is told; how posts are written
//! is another file's.

use std::time::Duration;

use sqlx::Row;
use tokio::sync::oneshot;

use super::error::Error;
use super::rows::{message_columns, message_of};
use super::statements::statements;
use super::{Made, Store};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{MessageId, RoomId, UserId};
use crate::domain::message::{Message, MessageBody};
use crate::domain::names::ClientId;
use crate::domain::refusal::Refusal;
use crate::domain::room::RoomRef;

statements! {
    POSTED_BEFORE = concat!(
        "SELECT ",
        message_columns!(),
        "WHERE g.room_id = $1 AND g.author_id = $2 AND g.client_id = $3"
    );
}

/// A message to write.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub id: MessageId,
    pub room: RoomRef,
    pub author: UserId,
    pub body: MessageBody,
    /// The client's own id of this send and the keyed hash of its content.
    pub client_id: Option<(ClientId, Vec<u8>)>,
    pub at: Timestamp,
}

/// Whether a room takes one more post, or else how long to wait. Asked until it says yes, when the post is known to be a new
/// one and by a member. It must not block.
pub type Admission = Box<dyn Fn(RoomId) -> Result<(), Duration> + Send + Sync>;

impl NewMessage {
    pub(super) fn client_id(&self) -> Option<&str> {
        self.client_id.as_ref().map(|(id, _)| id.as_str())
    }

    pub(super) fn client_hash(&self) -> Option<&[u8]> {
        self.client_id.as_ref().map(|(_, hash)| &hash[..])
    }
}

impl Store {
    /// Posts a message. A repeat of an earlier post, by room, author and client id, is that message as it is now.
    pub async fn post_message(
        &self,
        new: NewMessage,
        admission: Option<Admission>,
    ) -> Result<Made<Message>, Error> {
        let (reply, answer) = oneshot::channel();
        let outcome = Outcome::Refused(Error::OutcomeUnknown);
        match self.journal.post(Post { new, admission, outcome, reply }, answer).await? {
            Posted::Now(value) => Ok(Made { value, new: true }),
            Posted::Before(room, new) => {
                Ok(Made { value: self.posted_before(room, &new).await?, new: false })
            }
        }
    }

    /// What was posted under the client id, as it is now.
    async fn posted_before(&self, room: RoomId, new: &NewMessage) -> Result<Message, Error> {
        let query = POSTED_BEFORE.query().bind(room.uuid()).bind(new.author.uuid()).bind(new.client_id());
        // The room may have been deleted, and the message purged, since the journal saw it.
        let row = query.fetch_optional(&self.readers).await?.ok_or(Refusal::RoomNotFound)?;
        if row.try_get::<Option<&[u8]>, _>("client_hash")? != new.client_hash() {
            return Err(Refusal::ClientIdReused.into());
        }
        Ok(message_of(&row)?.1)
    }
}

/// A post on its way through the journal.
pub(super) struct Post {
    pub new: NewMessage,
    admission: Option<Admission>,
    pub outcome: Outcome,
    reply: oneshot::Sender<Result<Posted, Error>>,
}

/// What the journal says of a post that is on the disk.
pub(super) enum Posted {
    Now(Message),
    /// It is a repeat of one in this room.
    Before(RoomId, NewMessage),
}

/// What a post came to.
pub(super) enum Outcome {
    Refused(Error),
    Written(Message),
    /// The same was posted in this room before.
    Repeat(RoomId),
}

impl Post {
    /// A post that is tried again alone was counted before.
    pub fn admit(&mut self, room: RoomId) -> Result<(), Duration> {
        self.admission.as_ref().map_or(Ok(()), |admission| admission(room))?;
        self.admission = None;
        Ok(())
    }

    pub fn refuse(&mut self, error: Error) {
        self.outcome = Outcome::Refused(error);
    }

    /// The transaction is over: whatever the post came to is told.
    pub fn answer(self) {
        let answer = match self.outcome {
            Outcome::Refused(error) => Err(error),
            Outcome::Written(message) => Ok(Posted::Now(message)),
            Outcome::Repeat(room) => Ok(Posted::Before(room, self.new)),
        };
        // Nobody listens when the client has hung up; what was written stays written.
        let _ = self.reply.send(answer);
    }
}
