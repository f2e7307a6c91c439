//! Messages in the store: posting once however often it is tried, and reading history by position.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::access::{Access, access, head};
use super::accounts::user_ref_of;
use super::error::{Error, Stop};
use super::journal::Writing;
use super::{Made, Store};
use crate::domain::clock::Timestamp;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::ids::{MessageId, Position, RoomId, UserId};
use crate::domain::message::{Message, MessageBody, MessagePage, PageStart};
use crate::domain::names::ClientId;
use crate::domain::refusal::Refusal;
use crate::domain::room::{RoomRef, RoomState};

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

macro_rules! message_columns {
    () => {
        "g.position, g.id, g.room_id, g.seq, g.body, g.client_id, g.client_hash, g.created_at, g.edited_at, \
         g.deleted_at, u.id AS user_id, u.username, u.display_name FROM messages g JOIN users u ON u.id = g.author_id "
    };
}

impl Store {
    /// Posts a message. A repeat of an earlier post, by room, author and client id, is that message as it is now.
    pub async fn post_message(&self, message: NewMessage) -> Result<Made<Message>, Error> {
        self.journal.write(move |w| Box::pin(post(w, message))).await
    }

    pub async fn message(&self, room: &RoomRef, user: UserId, id: MessageId) -> Result<Message, Error> {
        let mut snapshot = self.readers.begin().await?;
        let room = access(&mut snapshot, room, user).await?.member()?.room;
        Ok(find(&mut snapshot, room.id, id).await?.ok_or(Refusal::MessageNotFound)?.1)
    }

    /// A page of at most `limit` messages for a member. Costs the same wherever in a room of any length it lies.
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

async fn post(w: &mut Writing, new: NewMessage) -> Result<Made<Message>, Stop> {
    let Access { room, person, .. } = access(w.sql(), &new.room, new.author).await?.member()?;
    if let Some((client_id, hash)) = &new.client_id
        && let Some(message) = posted_before(w.sql(), &room, new.author, client_id, hash).await?
    {
        return Ok(Made { value: message, new: false });
    }
    let (client_id, client_hash) = new.client_id.unzip();
    let message = Message {
        id: new.id,
        room: room.id,
        seq: room.last_seq + 1,
        author: person.clone(),
        body: new.body,
        client_id,
        created_at: new.at,
        edited_at: None,
        deleted_at: None,
    };
    let event = NewEvent {
        kind: EventType::MessagePosted,
        room: room.id,
        seq: message.seq,
        at: new.at,
        actor: person,
        message: Some(message.clone()),
        member: None,
        room_state: None,
    };
    let row = w.number(&event)?;
    let sql = "INSERT INTO messages (position, id, room_id, seq, author_id, body, client_id, client_hash, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9); \
               INSERT INTO events (position, room_id, seq, type, ref, data, at) VALUES ($1, $3, $4, $10, $2, $11, $9); \
               UPDATE rooms SET head = $4 WHERE id = $3";
    let write =
        sqlx::query(sql).bind(row.position.0).bind(message.id.uuid()).bind(room.id.uuid()).bind(message.seq);
    let write = write.bind(message.author.id.uuid()).bind(message.body.as_str());
    let write =
        write.bind(message.client_id.as_ref().map(ClientId::as_str)).bind(client_hash).bind(new.at.micros());
    write.bind(event.kind.as_str()).bind(row.data).execute(w.sql()).await?;
    Ok(Made { value: message, new: true })
}

async fn posted_before(
    sql: &mut SqliteConnection,
    room: &RoomState,
    author: UserId,
    client_id: &ClientId,
    hash: &[u8],
) -> Result<Option<Message>, Stop> {
    let select = concat!(
        "SELECT ",
        message_columns!(),
        "WHERE g.room_id = $1 AND g.author_id = $2 AND g.client_id = $3"
    );
    let query = sqlx::query(select).bind(room.id.uuid()).bind(author.uuid()).bind(client_id.as_str());
    let Some(row) = query.fetch_optional(sql).await? else { return Ok(None) };
    if row.try_get::<Option<&[u8]>, _>("client_hash")? != Some(hash) {
        return Err(Refusal::ClientIdReused.into());
    }
    Ok(Some(message_of(&row)?.1))
}

/// A message and its place in the log.
type Placed = (Position, Message);

async fn older(
    sql: &mut SqliteConnection,
    room: &RoomState,
    before: Position,
    limit: usize,
) -> Result<Vec<Placed>, Error> {
    let select = concat!(
        "SELECT ",
        message_columns!(),
        "WHERE g.room_id = $1 AND g.position < $2 ORDER BY g.position DESC LIMIT $3"
    );
    let mut rows = fetch(sql, select, room, before, limit).await?;
    rows.reverse();
    Ok(rows)
}

async fn newer(
    sql: &mut SqliteConnection,
    room: &RoomState,
    after: Position,
    limit: usize,
) -> Result<Vec<Placed>, Error> {
    let select = concat!(
        "SELECT ",
        message_columns!(),
        "WHERE g.room_id = $1 AND g.position > $2 ORDER BY g.position LIMIT $3"
    );
    fetch(sql, select, room, after, limit).await
}

async fn fetch(
    sql: &mut SqliteConnection,
    select: &'static str,
    room: &RoomState,
    from: Position,
    limit: usize,
) -> Result<Vec<Placed>, Error> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = sqlx::query(select).bind(room.id.uuid()).bind(from.0).bind(limit).fetch_all(sql).await?;
    Ok(rows.iter().map(message_of).collect::<Result<_, _>>()?)
}

/// Where the history goes on before the first and after the last of these messages, if it does.
async fn beyond(
    sql: &mut SqliteConnection,
    room: &RoomState,
    rows: &[Placed],
) -> Result<(Option<Position>, Option<Position>), Error> {
    let (Some((first, _)), Some((last, _))) = (rows.first(), rows.last()) else { return Ok((None, None)) };
    let select = "SELECT EXISTS (SELECT 1 FROM messages WHERE room_id = $1 AND position < $2), \
                  EXISTS (SELECT 1 FROM messages WHERE room_id = $1 AND position > $3)";
    let row = sqlx::query(select).bind(room.id.uuid()).bind(first.0).bind(last.0).fetch_one(sql).await?;
    Ok((row.try_get::<bool, _>(0)?.then_some(*first), row.try_get::<bool, _>(1)?.then_some(*last)))
}

async fn find(sql: &mut SqliteConnection, room: RoomId, id: MessageId) -> Result<Option<Placed>, Error> {
    let select = concat!("SELECT ", message_columns!(), "WHERE g.id = $1 AND g.room_id = $2");
    let row = sqlx::query(select).bind(id.uuid()).bind(room.uuid()).fetch_optional(sql).await?;
    Ok(row.as_ref().map(message_of).transpose()?)
}

fn message_of(row: &SqliteRow) -> Result<Placed, sqlx::Error> {
    let time = |micros: Option<i64>| micros.map(Timestamp::from_micros);
    let message = Message {
        id: MessageId::from_uuid(row.try_get("id")?),
        room: RoomId::from_uuid(row.try_get("room_id")?),
        seq: row.try_get("seq")?,
        author: user_ref_of(row)?,
        body: MessageBody::stored(row.try_get("body")?),
        client_id: row.try_get::<Option<String>, _>("client_id")?.map(ClientId::stored),
        created_at: Timestamp::from_micros(row.try_get("created_at")?),
        edited_at: time(row.try_get("edited_at")?),
        deleted_at: time(row.try_get("deleted_at")?),
    };
    Ok((Position(row.try_get("position")?), message))
}
