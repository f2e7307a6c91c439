//! Messages in the store: reading history by position. Posting is another file's.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::Store;
use super::access::{access, head};
use super::error::Error;
use super::rows::{message_columns, message_of};
use super::statements::{Statement, statements};
use crate::domain::ids::{MessageId, Position, RoomId, UserId};
use crate::domain::message::{Message, MessagePage, PageStart};
use crate::domain::refusal::Refusal;
use crate::domain::room::{RoomRef, RoomState};

statements! {
    OLDER = concat!(
        "SELECT ",
        message_columns!(),
        "WHERE g.room_id = $1 AND g.position < $2 ORDER BY g.position DESC LIMIT $3"
    );
    NEWER = concat!(
        "SELECT ",
        message_columns!(),
        "WHERE g.room_id = $1 AND g.position > $2 ORDER BY g.position LIMIT $3"
    );
    BEYOND = "SELECT EXISTS (SELECT 1 FROM messages WHERE room_id = $1 AND position < $2), \
              EXISTS (SELECT 1 FROM messages WHERE room_id = $1 AND position > $3)";
    BY_ID = concat!("SELECT ", message_columns!(), "WHERE g.id = $1 AND g.room_id = $2");
}

/// A message and its place in the log.
type MessageAt = (Position, Message);

impl Store {
    pub async fn message(&self, room: &RoomRef, user: UserId, id: MessageId) -> Result<Message, Error> {
        let mut snapshot = self.readers.begin().await?;
        let room = access(&mut snapshot, room, user).await?.member()?.room;
        Ok(find(&mut snapshot, room.id, id).await?.ok_or(Refusal::MessageNotFound)?.1)
    }

    /// A page of at most `limit` messages for a member. It costs the same wherever it lies and however long the room is.
    pub async fn history(
        &self,
        room: &RoomRef,
        user: UserId,
        start: PageStart,
        limit: usize,
    ) -> Result<MessagePage, Error> {
        let mut snapshot = self.readers.begin().await?;
        let head = head(&mut snapshot).await?;
        let room = access(&mut snapshot, room, user).await?.member()?.room;
        let sql = &mut *snapshot;
        let rows = match start {
            PageStart::Newest => older(sql, &room, Position(i64::MAX), limit).await?,
            PageStart::Before(position) => older(sql, &room, position, limit).await?,
            PageStart::After(position) => newer(sql, &room, position, limit).await?,
            PageStart::Around(id) => {
                let (at, message) = find(sql, room.id, id).await?.ok_or(Refusal::MessageNotFound)?;
                let mut rows = older(sql, &room, at, limit.saturating_sub(1) / 2).await?;
                rows.push((at, message));
                let left = limit.saturating_sub(rows.len());
                rows.extend(newer(sql, &room, at, left).await?);
                rows
            }
        };
        let (prev, next) = beyond(sql, &room, &rows).await?;
        let messages = rows.into_iter().map(|(_, message)| message).collect();
        Ok(MessagePage { messages, prev, next, head, last_seq: room.last_seq })
    }
}

async fn older(
    sql: &mut SqliteConnection,
    room: &RoomState,
    before: Position,
    limit: usize,
) -> Result<Vec<MessageAt>, Error> {
    let mut rows = fetch(sql, OLDER, room, before, limit).await?;
    rows.reverse();
    Ok(rows)
}

async fn newer(
    sql: &mut SqliteConnection,
    room: &RoomState,
    after: Position,
    limit: usize,
) -> Result<Vec<MessageAt>, Error> {
    fetch(sql, NEWER, room, after, limit).await
}

async fn fetch(
    sql: &mut SqliteConnection,
    statement: Statement,
    room: &RoomState,
    from: Position,
    limit: usize,
) -> Result<Vec<MessageAt>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query().bind(room.id.uuid()).bind(from.0).bind(limit).fetch_all(sql).await?;
    Ok(rows.iter().map(message_of).collect::<Result<_, _>>()?)
}

/// Where the history goes on before the first and after the last of these messages, if it does.
async fn beyond(
    sql: &mut SqliteConnection,
    room: &RoomState,
    rows: &[MessageAt],
) -> Result<(Option<Position>, Option<Position>), Error> {
    let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else { return Ok((None, None)) };
    let row = BEYOND.query().bind(room.id.uuid()).bind(first.0).bind(last.0).fetch_one(sql).await?;
    Ok((row.try_get::<bool, _>(0)?.then_some(*first), row.try_get::<bool, _>(1)?.then_some(*last)))
}

async fn find(sql: &mut SqliteConnection, room: RoomId, id: MessageId) -> Result<Option<MessageAt>, Error> {
    let row = BY_ID.query().bind(id.uuid()).bind(room.uuid()).fetch_optional(sql).await?;
    Ok(row.as_ref().map(message_of).transpose()?)
}
