//! Pins in the store: messages that a room keeps in sight.

use super::access::{access, head};
use super::edits::{Touch, tell, touched};
use super::error::{Error, Stop};
use super::journal::Transaction;
use super::rows::{message_columns, message_of};
use super::sql::{Connection, statements};
use super::{Store, mentions};
use crate::domain::event::{EventType, MentionChange};
use crate::domain::ids::{Position, UserId};
use crate::domain::message::{MAX_PINS, Message};
use crate::domain::refusal::Refusal;
use crate::domain::rights::Permission;
use crate::domain::room::RoomRef;

statements! {
    PIN = "UPDATE messages SET pinned = $2, pinned_at = $3 WHERE position = $1";
    COUNT = "SELECT count(*) FROM messages WHERE room_id = $1 AND pinned IS NOT NULL";
    ALL = concat!(
        "SELECT ",
        message_columns!("$2"),
        "WHERE g.room_id = $1 AND g.pinned IS NOT NULL ORDER BY g.pinned DESC"
    );
}

/// The pinned messages of a room, the newest pin first.
#[derive(Clone, Debug)]
pub struct Pins {
    pub messages: Vec<Message>,
    /// The end of the log, read in the same transaction.
    pub head: Position,
}

impl Store {
    /// Pins a message. One that is pinned stays as it is.
    pub async fn pin_message(&self, touch: Touch) -> Result<(), Error> {
        self.journal.write(move |tx| Box::pin(pin(tx, touch.clone()))).await
    }

    /// Takes a pin away. Does nothing where there is none.
    pub async fn unpin_message(&self, touch: Touch) -> Result<(), Error> {
        self.journal.write(move |tx| Box::pin(unpin(tx, touch.clone()))).await
    }

    /// All pinned messages of a room, for a member.
    pub async fn pins(&self, room: &RoomRef, user: UserId) -> Result<Pins, Error> {
        let room = room.clone();
        self.snapshot(move |sql| Box::pin(list(sql, room, user))).await
    }
}

async fn pin(tx: &mut Transaction, touch: Touch) -> Result<(), Stop> {
    let (access, at, before) = touched(tx, &touch, Permission::Pin).await?;
    if before.is_deleted() {
        return Err(Refusal::MessageDeleted.into());
    }
    if before.pinned_at.is_some() {
        return Ok(());
    }
    let pins: i64 = COUNT.bind(access.room.id).one(tx.sql(), |row| row.get(0)).await?;
    if pins >= MAX_PINS {
        return Err(Refusal::TooManyPins.into());
    }
    let (position, now) = (tx.next_position(), tx.time(touch.at));
    PIN.bind(at).bind(position).bind(now).run(tx.sql()).await?;
    let after = Message { pinned_at: Some(now), ..before };
    tell(tx, EventType::MessagePinned, access, (at, after), MentionChange::default(), now).await
}

async fn unpin(tx: &mut Transaction, touch: Touch) -> Result<(), Stop> {
    let (access, at, before) = touched(tx, &touch, Permission::Pin).await?;
    if before.pinned_at.is_none() {
        return Ok(());
    }
    let now = tx.time(touch.at);
    PIN.bind(at).bind(None::<Position>).bind(None::<Position>).run(tx.sql()).await?;
    let after = Message { pinned_at: None, ..before };
    tell(tx, EventType::MessageUnpinned, access, (at, after), MentionChange::default(), now).await
}

async fn list(sql: &mut Connection, room: RoomRef, user: UserId) -> Result<Pins, Stop> {
    let head = head(sql).await?;
    let room = access(sql, &room, user, Permission::ReadMessages).await?.room;
    let mut messages = ALL.bind(room.id).bind(user).all(sql, |row| Ok(message_of(row)?.1)).await?;
    mentions::name(sql, &mut messages).await?;
    Ok(Pins { messages, head })
}
