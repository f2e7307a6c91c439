//! Posting in the store: a repeated post is written once. This file knows what a post asks for and what it is answered;
//! `posting` knows how posts are written.

use std::time::Duration;

use tokio::sync::oneshot;

use super::error::Error;
use super::rows::{message_columns, message_of};
use super::sql::{Row, statements};
use super::{Made, Store};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{MessageId, RoomId, SessionId, UserId};
use crate::domain::mentions::Candidates;
use crate::domain::message::{Message, MessageBody};
use crate::domain::names::ClientId;
use crate::domain::refusal::Refusal;
use crate::domain::room::RoomRef;
use crate::domain::user::UserRef;

statements! {
    POSTED_BEFORE = concat!(
        "SELECT ",
        message_columns!("$2"),
        "WHERE g.room_id = $1 AND g.author_id = $2 AND g.client_id = $3"
    );
}

/// A message to write.
#[derive(Clone, Debug)]
pub struct NewMessage {
    pub id: MessageId,
    pub room: RoomRef,
    pub author: UserId,
    /// The author's session, if it has to be asked for: where it is over, the post is refused as if there were no room.
    pub session: Option<SessionId>,
    pub body: MessageBody,
    /// The message of the same room that it answers.
    pub reply_to: Option<MessageId>,
    /// The id that the client gave to this post, and the keyed hash of its content.
    pub client_id: Option<(ClientId, Vec<u8>)>,
    pub at: Timestamp,
}

/// Says whether a room takes one more post, or else how long to wait. It is asked only for new posts of members, and not again
/// once it has said yes. It must not block.
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
    /// Posts a message. A post with the room, author and client id of an earlier one returns that message as it is now.
    pub async fn post_message(
        &self,
        new: NewMessage,
        admission: Option<Admission>,
    ) -> Result<Made<Message>, Error> {
        let candidates = Candidates::of(new.body.as_str());
        // Before the transaction, for which others wait: who comes or goes at this moment may be taken for a member or not.
        let mentions = self.mentioned(&new.room, &candidates).await?;
        let mentions_room = candidates.room;
        let (reply, answer) = oneshot::channel();
        let outcome = Outcome::Refused(Error::OutcomeUnknown);
        match self
            .journal
            .post(Post { new, mentions, mentions_room, admission, outcome, reply }, answer)
            .await?
        {
            Posted::Now(value) => Ok(Made { value, new: true }),
            Posted::Before(room, new) => {
                Ok(Made { value: self.posted_before(room, &new).await?, new: false })
            }
        }
    }

    /// The message that was posted under the client id, as it is now.
    async fn posted_before(&self, room: RoomId, new: &NewMessage) -> Result<Message, Error> {
        let client_id = new.client_id().map(str::to_owned);
        let query = POSTED_BEFORE.bind(room).bind(new.author).bind(client_id);
        let before = |row: &Row<'_>| Ok((message_of(row)?.1, row.get::<Option<Vec<u8>>, _>("client_hash")?));
        // The room may have been deleted, and the message purged, since the journal saw it.
        let found = self.first(query, before).await?;
        let (mut message, hash) = found.ok_or(Refusal::RoomNotFound)?;
        if hash.as_deref() != new.client_hash() {
            return Err(Refusal::ClientIdReused.into());
        }
        self.name_mentions(&mut message).await?;
        Ok(message)
    }
}

/// A post on its way through the journal.
pub(super) struct Post {
    pub new: NewMessage,
    /// The members whom its body mentions.
    pub mentions: Vec<UserRef>,
    /// Whether its body mentions the room, which not everybody may.
    pub mentions_room: bool,
    admission: Option<Admission>,
    pub outcome: Outcome,
    reply: oneshot::Sender<Result<Posted, Error>>,
}

/// What the journal answers once a post is on the disk.
pub(super) enum Posted {
    Now(Message),
    /// It repeats an earlier post in this room.
    Before(RoomId, NewMessage),
}

/// The result of writing a post.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every post is written: a box would be one more allocation for each"
)]
pub(super) enum Outcome {
    Refused(Error),
    Written(Message),
    /// It repeats an earlier post in this room.
    Repeat(RoomId),
}

impl Post {
    /// Asks the admission of the post, once: a post that is written again alone has been counted already.
    pub fn admit(&mut self, room: RoomId) -> Result<(), Duration> {
        self.admission.as_ref().map_or(Ok(()), |admission| admission(room))?;
        self.admission = None;
        Ok(())
    }

    pub fn refuse(&mut self, error: Error) {
        self.outcome = Outcome::Refused(error);
    }

    /// Answers the request. Called after the transaction has ended.
    pub fn answer(self) {
        let answer = match self.outcome {
            Outcome::Refused(error) => Err(error),
            Outcome::Written(message) => Ok(Posted::Now(message)),
            Outcome::Repeat(room) => Ok(Posted::Before(room, self.new)),
        };
        // Nobody receives it if the client has hung up. What was written stays written.
        let _ = self.reply.send(answer);
    }
}
