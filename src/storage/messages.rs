//! Messages in the store: reading history by position. Posting is another file's.

use std::collections::{HashMap, HashSet};

use super::access::{access, head};
use super::error::{Error, Failure, Stop};
use super::paging::{MAX_PAGE_BYTES, take};
use super::rows::{message_columns, message_of};
use super::sql::{Connection, Query, Row, Statement, Value, statements};
use super::{Store, mentions};
use crate::domain::ids::{MessageId, Position, RoomId, UserId};
use crate::domain::message::{Message, MessagePage, PageStart};
use crate::domain::refusal::Refusal;
use crate::domain::rights::Permission;
use crate::domain::room::{RoomRef, RoomState};

/// A message, as a person reads it, beside the bytes of the text that it answers.
macro_rules! columns_for_page {
    ($reader:literal) => {
        concat!(
            "CAST((SELECT octet_length(a.body) FROM messages a WHERE a.id = g.reply_to) AS BIGINT) AS answered, ",
            message_columns!($reader)
        )
    };
}

statements! {
    OLDER = concat!(
        "SELECT ",
        columns_for_page!("$4"),
        "WHERE g.room_id = $1 AND g.position < $2 ORDER BY g.position DESC LIMIT $3"
    );
    NEWER = concat!(
        "SELECT ",
        columns_for_page!("$4"),
        "WHERE g.room_id = $1 AND g.position > $2 ORDER BY g.position LIMIT $3"
    );
    BEYOND = "SELECT EXISTS (SELECT 1 FROM messages WHERE room_id = $1 AND position < $2) AS older, \
              EXISTS (SELECT 1 FROM messages WHERE room_id = $1 AND position > $3) AS newer";
    OLDER_REPLIES = concat!(
        "SELECT ",
        columns_for_page!("$4"),
        "WHERE g.reply_to = $1 AND g.deleted_at IS NULL AND g.position < $2 ORDER BY g.position DESC LIMIT $3"
    );
    NEWER_REPLIES = concat!(
        "SELECT ",
        columns_for_page!("$4"),
        "WHERE g.reply_to = $1 AND g.deleted_at IS NULL AND g.position > $2 ORDER BY g.position LIMIT $3"
    );
    REPLIES_BEYOND =
        "SELECT EXISTS (SELECT 1 FROM messages WHERE reply_to = $1 AND deleted_at IS NULL AND position < $2) AS older, \
         EXISTS (SELECT 1 FROM messages WHERE reply_to = $1 AND deleted_at IS NULL AND position > $3) AS newer";
    /// The newest message of each room of a person that is not deleted.
    LAST_OF_ROOMS = concat!(
        "SELECT ",
        message_columns!("$1"),
        "WHERE g.position IN (SELECT (SELECT n.position FROM messages n WHERE n.room_id = m.room_id AND n.deleted_at IS NULL ",
        "ORDER BY n.position DESC LIMIT 1) FROM members m WHERE m.user_id = $1 AND m.until IS NULL)"
    );
    LAST_OF_ROOM = concat!(
        "SELECT ",
        message_columns!("$2"),
        "WHERE g.room_id = $1 AND g.deleted_at IS NULL ORDER BY g.position DESC LIMIT 1"
    );
    BY_ID = concat!("SELECT ", columns_for_page!("$3"), "WHERE g.id = $1 AND g.room_id = $2");
}

/// Most bytes of text of the last messages of all rooms of a person together. Those that do not fit are left out: an answer that is much
/// larger would be refused.
const MAX_LAST_BYTES: usize = 2 * 1024 * 1024;

/// A message and its place in the log.
type MessageAt = (Position, Message);

/// The same, and how many bytes the text has that it answers.
type OfPage = (MessageAt, usize);

impl Store {
    pub async fn message(&self, room: &RoomRef, user: UserId, id: MessageId) -> Result<Message, Error> {
        let room = room.clone();
        self.snapshot(move |sql| Box::pin(message(sql, room, user, id))).await
    }

    /// A page of at most `limit` messages for a member. They, and those that they answer, have `MAX_PAGE_BYTES` of text at most. It
    /// costs the same wherever it lies and however long the room is.
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

    /// The same of the answers to one message that are not deleted.
    pub async fn replies(
        &self,
        room: &RoomRef,
        user: UserId,
        to: MessageId,
        start: PageStart,
        limit: usize,
    ) -> Result<MessagePage, Error> {
        let room = room.clone();
        self.snapshot(move |sql| Box::pin(replies(sql, room, user, to, start, limit))).await
    }
}

async fn message(sql: &mut Connection, room: RoomRef, user: UserId, id: MessageId) -> Result<Message, Stop> {
    let room = access(sql, &room, user, Permission::ReadMessages).await?.room;
    Ok(find(sql, room.id, user, id).await?.1)
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
    Page::of(List::History(room.id), &room, user).read(sql, start, limit, head).await
}

async fn replies(
    sql: &mut Connection,
    room: RoomRef,
    user: UserId,
    to: MessageId,
    start: PageStart,
    limit: usize,
) -> Result<MessagePage, Stop> {
    let head = head(sql).await?;
    let room = access(sql, &room, user, Permission::ReadMessages).await?.room;
    find(sql, room.id, user, to).await?;
    Page::of(List::Replies(to), &room, user).read(sql, start, limit, head).await
}

/// Which messages are paged through.
#[derive(Clone, Copy, Debug)]
enum List {
    History(RoomId),
    Replies(MessageId),
}

impl List {
    fn key(self) -> Value<'static> {
        match self {
            Self::History(room) => room.into(),
            Self::Replies(message) => message.into(),
        }
    }

    /// What reads the older ones, the newer ones, and whether there are more.
    const fn statements(self) -> (Statement, Statement, Statement) {
        match self {
            Self::History(_) => (OLDER, NEWER, BEYOND),
            Self::Replies(_) => (OLDER_REPLIES, NEWER_REPLIES, REPLIES_BEYOND),
        }
    }
}

/// A page that is being read, and how many bytes it has room for.
struct Page<'r> {
    list: List,
    room: &'r RoomState,
    reader: UserId,
    left: usize,
    /// The answered messages whose bytes are counted.
    answered: HashSet<MessageId>,
}

impl<'r> Page<'r> {
    fn of(list: List, room: &'r RoomState, reader: UserId) -> Self {
        Self { list, room, reader, left: MAX_PAGE_BYTES, answered: HashSet::new() }
    }

    async fn read(
        mut self,
        sql: &mut Connection,
        start: PageStart,
        limit: usize,
        head: Position,
    ) -> Result<MessagePage, Stop> {
        let rows = match start {
            PageStart::Newest => self.older(sql, Position(i64::MAX), limit).await?,
            PageStart::Before(position) => self.older(sql, position, limit).await?,
            PageStart::After(position) => self.newer(sql, position, limit).await?,
            PageStart::Around(id) => self.around(sql, id, limit).await?,
        };
        let (prev, next) = self.beyond(sql, &rows).await?;
        let mut messages: Vec<_> = rows.into_iter().map(|(_, message)| message).collect();
        let mut referenced = referenced(sql, self.room.id, self.reader, &messages).await?;
        mentions::name(sql, messages.iter_mut().chain(&mut referenced)).await?;
        Ok(MessagePage { messages, referenced, prev, next, head, last_seq: self.room.last_seq })
    }

    async fn around(
        &mut self,
        sql: &mut Connection,
        id: MessageId,
        limit: usize,
    ) -> Result<Vec<MessageAt>, Stop> {
        let middle = BY_ID.bind(id).bind(self.room.id).bind(self.reader).first(sql, of_page).await?;
        let middle = middle.ok_or(Refusal::MessageNotFound)?;
        self.left -= bytes_of(&middle, &mut self.answered);
        let (middle, _) = middle;
        let at = middle.0;
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
        let mut rows = self.take(sql, self.list.statements().0, before, limit).await?;
        rows.reverse();
        Ok(rows)
    }

    async fn newer(
        &mut self,
        sql: &mut Connection,
        after: Position,
        limit: usize,
    ) -> Result<Vec<MessageAt>, Stop> {
        self.take(sql, self.list.statements().1, after, limit).await
    }

    async fn take(
        &mut self,
        sql: &mut Connection,
        statement: Statement,
        from: Position,
        limit: usize,
    ) -> Result<Vec<MessageAt>, Stop> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let query = statement.bind(self.list.key()).bind(from).bind(limit).bind(self.reader);
        let answered = &mut self.answered;
        let taken = take(sql, query, &mut self.left, of_page, |row| bytes_of(row, answered)).await?;
        Ok(taken.items.into_iter().map(|(message, _)| message).collect())
    }

    /// Where the list goes on before the first and after the last of these messages, if it does.
    async fn beyond(
        &self,
        sql: &mut Connection,
        rows: &[MessageAt],
    ) -> Result<(Option<Position>, Option<Position>), Failure> {
        let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else {
            return Ok((None, None));
        };
        let query = self.list.statements().2.bind(self.list.key()).bind(*first).bind(*last);
        let (older, newer) = query.one(sql, |row| Ok((row.get("older")?, row.get("newer")?))).await?;
        Ok((bool::then_some(older, *first), bool::then_some(newer, *last)))
    }
}

fn of_page(row: &Row<'_>) -> Result<OfPage, Failure> {
    let answered = row.get::<Option<i64>, _>("answered")?.unwrap_or(0);
    Ok((message_of(row)?, usize::try_from(answered).unwrap_or(0)))
}

/// The bytes that a message brings to its page: its text, and the text that it answers where no other message of the page does.
fn bytes_of(((_, message), answered): &OfPage, counted: &mut HashSet<MessageId>) -> usize {
    let is_first = message.reply_to.is_some_and(|id| counted.insert(id));
    message.body.as_str().len() + if is_first { *answered } else { 0 }
}

/// The messages that others answer and that are not among them, oldest first.
async fn referenced(
    sql: &mut Connection,
    room: RoomId,
    reader: UserId,
    messages: &[Message],
) -> Result<Vec<Message>, Failure> {
    let mut known: HashSet<MessageId> = messages.iter().map(|message| message.id).collect();
    let answered = messages.iter().filter_map(|message| message.reply_to).filter(|id| known.insert(*id));
    let queries: Vec<_> = answered.map(|id| BY_ID.bind(id).bind(room).bind(reader)).collect();
    let found = Query::first_of_each(&queries, sql, message_of).await?;
    let mut found: Vec<_> = found.into_iter().flatten().collect();
    found.sort_by_key(|(at, _)| *at);
    Ok(found.into_iter().map(|(_, message)| message).collect())
}

/// A message of a room as a person reads it.
pub(super) async fn find(
    sql: &mut Connection,
    room: RoomId,
    reader: UserId,
    id: MessageId,
) -> Result<MessageAt, Stop> {
    let found = BY_ID.bind(id).bind(room).bind(reader).first(sql, message_of).await?;
    let (at, mut message) = found.ok_or(Refusal::MessageNotFound)?;
    mentions::name(sql, [&mut message]).await?;
    Ok((at, message))
}

/// The newest message of each room of a person, as far as `MAX_LAST_BYTES` allow.
pub(super) async fn last_of_rooms(
    sql: &mut Connection,
    user: UserId,
) -> Result<HashMap<RoomId, Message>, Failure> {
    let mut left = MAX_LAST_BYTES;
    let bytes_of = |(_, message): &MessageAt| message.body.as_str().len();
    let mut last = take(sql, LAST_OF_ROOMS.bind(user), &mut left, message_of, bytes_of).await?;
    mentions::name(sql, last.items.iter_mut().map(|(_, message)| message)).await?;
    Ok(last.items.into_iter().map(|(_, message)| (message.room, message)).collect())
}

/// The newest message of a room, as a person reads it.
pub(super) async fn last_of_room(
    sql: &mut Connection,
    room: RoomId,
    reader: UserId,
) -> Result<Option<Message>, Failure> {
    let mut last = LAST_OF_ROOM.bind(room).bind(reader).first(sql, message_of).await?;
    mentions::name(sql, last.iter_mut().map(|(_, message)| message)).await?;
    Ok(last.map(|(_, message)| message))
}
