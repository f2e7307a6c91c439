//! Messages in the store: reading history by position. Posting is another file's.

use std::collections::HashMap;

use super::access::{access, head};
use super::error::{Error, Failure, Stop};
use super::paging::{MAX_PAGE_BYTES, take};
use super::rows::{message_columns, message_of};
use super::sql::{Connection, Statement, statements};
use super::{Store, mentions};
use crate::domain::ids::{MessageId, Position, RoomId, UserId};
use crate::domain::message::{Message, MessagePage, PageStart};
use crate::domain::refusal::Refusal;
use crate::domain::rights::Permission;
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
    BEYOND = "SELECT EXISTS (SELECT 1 FROM messages WHERE room_id = $1 AND position < $2) AS older, \
              EXISTS (SELECT 1 FROM messages WHERE room_id = $1 AND position > $3) AS newer";
    /// The newest message of each room of a person that is not deleted.
    LAST_OF_ROOMS = concat!(
        "SELECT ",
        message_columns!(),
        "WHERE g.position IN (SELECT (SELECT n.position FROM messages n WHERE n.room_id = m.room_id AND n.deleted_at IS NULL ",
        "ORDER BY n.position DESC LIMIT 1) FROM members m WHERE m.user_id = $1 AND m.until IS NULL)"
    );
    LAST_OF_ROOM = concat!(
        "SELECT ",
        message_columns!(),
        "WHERE g.room_id = $1 AND g.deleted_at IS NULL ORDER BY g.position DESC LIMIT 1"
    );
    BY_ID = concat!("SELECT ", message_columns!(), "WHERE g.id = $1 AND g.room_id = $2");
}

/// Most bytes of text of the last messages of all rooms of a person together. Those that do not fit are left out: an answer that is much
/// larger would be refused.
const MAX_LAST_BYTES: usize = 2 * 1024 * 1024;

/// A message and its place in the log.
type MessageAt = (Position, Message);

impl Store {
    pub async fn message(&self, room: &RoomRef, user: UserId, id: MessageId) -> Result<Message, Error> {
        let room = room.clone();
        self.snapshot(move |sql| Box::pin(message(sql, room, user, id))).await
    }

    /// A page of at most `limit` messages and `MAX_PAGE_BYTES` of text for a member. It costs the same wherever it lies and
    /// however long the room is.
    pub async fn history(
        &self,
        room: &RoomRef,
        user: UserId,
        start: PageStart,
        limit: usize,
    ) -> Result<MessagePage, Error> {
        let room = room.clone();
        self.snapshot(move |sql| Box::pin(history(sql, room, user, start, limit))).await
    }
}

async fn message(sql: &mut Connection, room: RoomRef, user: UserId, id: MessageId) -> Result<Message, Stop> {
    let room = access(sql, &room, user, Permission::ReadMessages).await?.room;
    let (_, mut message) = find(sql, room.id, id).await?.ok_or(Refusal::MessageNotFound)?;
    mentions::name(sql, [&mut message]).await?;
    Ok(message)
}

async fn history(
    sql: &mut Connection,
    room: RoomRef,
    user: UserId,
    start: PageStart,
    limit: usize,
) -> Result<MessagePage, Stop> {
    let head = head(sql).await?;
    let room = access(sql, &room, user, Permission::ReadMessages).await?.room;
    let mut page = Page { room: room.id, left: MAX_PAGE_BYTES };
    let rows = match start {
        PageStart::Newest => page.older(sql, Position(i64::MAX), limit).await?,
        PageStart::Before(position) => page.older(sql, position, limit).await?,
        PageStart::After(position) => page.newer(sql, position, limit).await?,
        PageStart::Around(id) => page.around(sql, id, limit).await?,
    };
    let (prev, next) = beyond(sql, &room, &rows).await?;
    let mut messages: Vec<_> = rows.into_iter().map(|(_, message)| message).collect();
    mentions::name(sql, &mut messages).await?;
    Ok(MessagePage { messages, prev, next, head, last_seq: room.last_seq })
}

/// A page that is being read, and how many bytes it has room for.
struct Page {
    room: RoomId,
    left: usize,
}

impl Page {
    async fn around(
        &mut self,
        sql: &mut Connection,
        id: MessageId,
        limit: usize,
    ) -> Result<Vec<MessageAt>, Stop> {
        let middle = find(sql, self.room, id).await?.ok_or(Refusal::MessageNotFound)?;
        let at = middle.0;
        self.left -= bytes_of(&middle);
        // Long messages on one side leave half of the page to the other one.
        let half = self.left / 2;
        self.left -= half;
        let mut rows = self.older(sql, at, limit.saturating_sub(1) / 2).await?;
        self.left += half;
        rows.push(middle);
        let newer = self.newer(sql, at, limit.saturating_sub(rows.len())).await?;
        rows.extend(newer);
        Ok(rows)
    }

    async fn older(
        &mut self,
        sql: &mut Connection,
        before: Position,
        limit: usize,
    ) -> Result<Vec<MessageAt>, Stop> {
        let mut rows = self.take(sql, OLDER, before, limit).await?;
        rows.reverse();
        Ok(rows)
    }

    async fn newer(
        &mut self,
        sql: &mut Connection,
        after: Position,
        limit: usize,
    ) -> Result<Vec<MessageAt>, Stop> {
        self.take(sql, NEWER, after, limit).await
    }

    async fn take(
        &mut self,
        sql: &mut Connection,
        statement: Statement,
        from: Position,
        limit: usize,
    ) -> Result<Vec<MessageAt>, Stop> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let query = statement.bind(self.room).bind(from).bind(limit);
        Ok(take(sql, query, &mut self.left, message_of, bytes_of).await?.items)
    }
}

fn bytes_of((_, message): &MessageAt) -> usize {
    message.body.as_str().len()
}

/// Where the history goes on before the first and after the last of these messages, if it does.
async fn beyond(
    sql: &mut Connection,
    room: &RoomState,
    rows: &[MessageAt],
) -> Result<(Option<Position>, Option<Position>), Failure> {
    let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else { return Ok((None, None)) };
    let query = BEYOND.bind(room.id).bind(*first).bind(*last);
    let (older, newer) = query.one(sql, |row| Ok((row.get("older")?, row.get("newer")?))).await?;
    Ok((bool::then_some(older, *first), bool::then_some(newer, *last)))
}

/// The newest message of each room of a person, as far as `MAX_LAST_BYTES` allow.
pub(super) async fn last_of_rooms(
    sql: &mut Connection,
    user: UserId,
) -> Result<HashMap<RoomId, Message>, Failure> {
    let mut left = MAX_LAST_BYTES;
    let mut last = take(sql, LAST_OF_ROOMS.bind(user), &mut left, message_of, bytes_of).await?;
    mentions::name(sql, last.items.iter_mut().map(|(_, message)| message)).await?;
    Ok(last.items.into_iter().map(|(_, message)| (message.room, message)).collect())
}

/// The newest message of a room.
pub(super) async fn last_of_room(sql: &mut Connection, room: RoomId) -> Result<Option<Message>, Failure> {
    let mut last = LAST_OF_ROOM.bind(room).first(sql, message_of).await?;
    mentions::name(sql, last.iter_mut().map(|(_, message)| message)).await?;
    Ok(last.map(|(_, message)| message))
}

async fn find(sql: &mut Connection, room: RoomId, id: MessageId) -> Result<Option<MessageAt>, Failure> {
    BY_ID.bind(id).bind(room).first(sql, message_of).await
}
