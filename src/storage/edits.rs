//! Changing and deleting messages in the store. What a message said before is gone with the write: it stood in one row.

use super::access::{Access, access};
use super::error::{Error, Failure, Stop};
use super::journal::Transaction;
use super::messages::find;
use super::sql::statements;
use super::{Store, mentions, posting};
use crate::domain::clock::Timestamp;
use crate::domain::event::{EventType, MentionChange, NewEvent};
use crate::domain::ids::{MessageId, Position, UserId};
use crate::domain::mentions::Candidates;
use crate::domain::message::{Message, MessageBody};
use crate::domain::refusal::Refusal;
use crate::domain::rights::{self, Permission};
use crate::domain::room::RoomRef;
use crate::domain::user::UserRef;

statements! {
    EDIT = "UPDATE messages SET body = $2, edited_at = $3, mentions = $4, mentions_room = $5 WHERE position = $1";
    DELETE = "UPDATE messages SET body = '', deleted_at = $2, reactions = NULL, pinned = NULL, pinned_at = NULL, \
              mentions = NULL, mentions_room = NULL \
              WHERE position = $1";
    DELETE_REACTIONS = "DELETE FROM reactions WHERE message = $1";
    LOSE_REPLY = "UPDATE messages SET reply_count = reply_count - 1 WHERE id = $1";
}

/// A message that somebody wants to change, and when.
#[derive(Clone, Debug)]
pub struct Touch {
    pub room: RoomRef,
    pub person: UserId,
    pub message: MessageId,
    pub at: Timestamp,
}

/// What a message should say, and whom that mentions.
#[derive(Clone, Debug)]
struct Text {
    body: MessageBody,
    mentions: Vec<UserRef>,
    /// Whether it mentions the room, which not everybody may.
    to_all: bool,
}

impl Store {
    /// Gives a message another text, for its author. The same text changes nothing.
    pub async fn edit_message(&self, touch: Touch, body: MessageBody) -> Result<Message, Error> {
        let candidates = Candidates::of(body.as_str());
        // Before the transaction, for which others wait, as for a post.
        let text =
            Text { mentions: self.mentioned(&touch.room, &candidates).await?, to_all: candidates.room, body };
        self.journal.write(move |tx| Box::pin(edit(tx, touch.clone(), text.clone()))).await
    }

    /// Takes away what a message says. Its author may, and whoever may delete messages of others. One that is deleted stays so.
    pub async fn delete_message(&self, touch: Touch) -> Result<(), Error> {
        self.journal.write(move |tx| Box::pin(delete(tx, touch.clone()))).await
    }
}

async fn edit(tx: &mut Transaction, touch: Touch, text: Text) -> Result<Message, Stop> {
    let (access, at, before) = touched(tx, &touch, Permission::EditMessages).await?;
    if before.author.id != touch.person {
        return Err(Refusal::NotTheAuthor.into());
    }
    if before.is_deleted() {
        return Err(Refusal::MessageDeleted.into());
    }
    if before.body == text.body {
        return Ok(before);
    }
    let now = tx.time(touch.at);
    let Text { body, mentions, to_all } = text;
    let mentions_room = to_all && rights::may_mention_all(access.role, access.room.member_count);
    let after = Message { body, edited_at: Some(now), mentions, mentions_room, ..before.clone() };
    EDIT.bind(at)
        .bind(after.body.as_str())
        .bind(now)
        .bind(mentions::ids_of(&after.mentions))
        .bind(after.mentions_room.then_some(true))
        .run(tx.sql())
        .await?;
    mentions::replace(tx.sql(), &before, &after, at).await?;
    let change = MentionChange::between(&before, &after);
    tell(tx, EventType::MessageEdited, access, (at, after.clone()), change, now).await?;
    Ok(after)
}

async fn delete(tx: &mut Transaction, touch: Touch) -> Result<(), Stop> {
    let (access, at, before) = touched(tx, &touch, Permission::ReadMessages).await?;
    if before.author.id != touch.person {
        rights::may(access.role, access.room.visibility, Permission::DeleteMessages)?;
    }
    if before.is_deleted() {
        return Ok(());
    }
    let now = tx.time(touch.at);
    DELETE.bind(at).bind(now).run(tx.sql()).await?;
    if !before.reactions.is_empty() {
        DELETE_REACTIONS.bind(at).run(tx.sql()).await?;
    }
    if let Some(answered) = before.reply_to {
        LOSE_REPLY.bind(answered).run(tx.sql()).await?;
    }
    let after = before.clone().deleted(now);
    mentions::replace(tx.sql(), &before, &after, at).await?;
    let change = MentionChange::between(&before, &after);
    tell(tx, EventType::MessageDeleted, access, (at, after), change, now).await
}

/// The room, for somebody with the permission, and the message with the position at which it was posted.
pub(super) async fn touched(
    tx: &mut Transaction,
    touch: &Touch,
    permission: Permission,
) -> Result<(Access, Position, Message), Stop> {
    let access = access(tx.sql(), &touch.room, touch.person, permission).await?;
    let (at, message) = find(tx.sql(), access.room.id, touch.person, touch.message).await?;
    Ok((access, at, message))
}

/// Takes the next seq of the room.
pub(super) async fn advance(tx: &mut Transaction, access: &Access) -> Result<i64, Failure> {
    let seq = access.room.last_seq + 1;
    posting::ROOM.bind(access.room.id).bind(seq).run(tx.sql()).await?;
    Ok(seq)
}

/// Writes the event of a message that has changed, under the next seq of its room.
pub(super) async fn tell(
    tx: &mut Transaction,
    kind: EventType,
    access: Access,
    message: (Position, Message),
    mentions: MentionChange,
    at: Timestamp,
) -> Result<(), Stop> {
    let seq = advance(tx, &access).await?;
    tx.append(&NewEvent::of_message(kind, seq, access.person, message, at).mentioning(mentions))?;
    Ok(())
}
