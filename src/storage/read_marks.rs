//! Read marks in the store: how far each member has read each room, moving the marks, and counting what is unread.
//!
//! A post moves its author's mark without a write of its own. The mark is what was set last, or the newest message that the author has
//! posted after that. Where that one stands is known from the membership, up to `STRIDE` messages (`storage::posting`).

use std::collections::HashMap;

use super::Store;
use super::access::{Access, access};
use super::error::{Error, Failure, Stop};
use super::journal::Transaction;
use super::people::person;
use super::sql::{Connection, Query, Row, statements};
use crate::domain::clock::Timestamp;
use crate::domain::event::NewEvent;
use crate::domain::ids::{MessageId, Position, RoomId, UserId};
use crate::domain::read_mark::{MOST_COUNTED, ReadMark};
use crate::domain::refusal::Refusal;
use crate::domain::rights::Permission;
use crate::domain::room::{RoomRef, RoomState};
use crate::domain::user::UserRef;

/// The newest message of a member is at most this many of the room's messages behind the one that the membership names. More would
/// save few writes of posts, and each look at a mark would read more.
pub(super) const STRIDE: i64 = 128;

/// The marks of the person `$1`, in all rooms or in some: what was set, moved by what was posted since then, and what is unread after
/// that. Each room costs `$2` steps of an index at most to find what was posted, and to count `$3` messages one step for each, for each of
/// the person's own and for each that was deleted.
macro_rules! marks {
    ($rooms:literal) => {
        concat!(
            "posted AS MATERIALIZED (SELECT m.room_id, m.user_id, k.version, k.position, k.as_of, \
             (SELECT max(w.position) FROM (SELECT g.position, g.author_id FROM messages g \
             WHERE g.room_id = m.room_id AND g.position >= m.posted ORDER BY g.position LIMIT $2) AS w \
             WHERE w.author_id = m.user_id) AS own \
             FROM members m JOIN read_marks k ON k.room_id = m.room_id AND k.user_id = m.user_id \
             WHERE m.user_id = $1 AND m.until IS NULL",
            $rooms,
            "), moved AS MATERIALIZED (SELECT p.room_id, p.user_id, \
             CASE WHEN o.seq > p.as_of THEN p.own ELSE p.position END AS position, \
             CASE WHEN o.seq > p.as_of THEN p.version + o.seq - p.as_of ELSE p.version END AS version \
             FROM posted p LEFT JOIN messages o ON o.position = p.own) \
             SELECT k.room_id, k.position, k.version, l.id AS last_read, coalesce(l.seq, 0) AS last_read_seq, \
             (SELECT count(*) FROM (SELECT 1 FROM messages g WHERE g.room_id = k.room_id AND g.position > k.position \
             AND g.author_id <> k.user_id AND g.deleted_at IS NULL ORDER BY g.position LIMIT $3) AS counted) AS unread, \
             (SELECT count(*) FROM (\
             SELECT * FROM (SELECT n.position FROM mentions n JOIN messages g ON g.position = n.position \
             WHERE n.room_id = k.room_id AND n.user_id = k.user_id AND n.position > k.position \
             AND g.author_id <> k.user_id AND g.deleted_at IS NULL ORDER BY n.position LIMIT $3) AS by_name UNION \
             SELECT * FROM (SELECT g.position FROM messages g WHERE g.room_id = k.room_id AND g.position > k.position \
             AND g.mentions_room IS NOT NULL AND g.author_id <> k.user_id AND g.deleted_at IS NULL \
             ORDER BY g.position LIMIT $3) AS to_all) AS either) AS mentioned \
             FROM moved k LEFT JOIN messages l ON l.position = k.position"
        )
    };
}

statements! {
    OF_PERSON = concat!("WITH ", marks!(""));
    IN_ROOM = concat!("WITH ", marks!(" AND m.room_id = $4"));
    /// Begins at the room's newest message. The version goes on from the largest that it can have come to before.
    BEGIN = "INSERT INTO read_marks (room_id, user_id, version, position, as_of) VALUES ($1, $2, 1, \
             coalesce((SELECT position FROM messages WHERE room_id = $1 ORDER BY position DESC LIMIT 1), 0), $3) \
             ON CONFLICT (room_id, user_id) DO UPDATE SET position = excluded.position, as_of = excluded.as_of, \
             version = read_marks.version + excluded.as_of - read_marks.as_of + 1";
    MOVE = "UPDATE read_marks SET version = $3, position = $4, as_of = $5 WHERE room_id = $1 AND user_id = $2";
    MESSAGE = "SELECT position FROM messages WHERE id = $1 AND room_id = $2";
    BEFORE = "SELECT position FROM messages WHERE room_id = $1 AND position < $2 ORDER BY position DESC LIMIT 1";
    /// The newest message of a room and the seq of its newest event.
    NEWEST = "SELECT g.position, g.id, g.seq, r.head FROM rooms r JOIN messages g ON g.position = \
              (SELECT n.position FROM messages n WHERE n.room_id = $1 ORDER BY n.position DESC LIMIT 1) WHERE r.id = $1";
}

/// Where a mark is moved to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveTo {
    /// This message, unless the mark is there or beyond it.
    Read(MessageId),
    /// Before this message.
    Unread(MessageId),
}

/// A mark and where it stands.
struct Marked {
    position: Position,
    mark: ReadMark,
}

/// The newest message of a room.
struct Newest {
    position: Position,
    id: MessageId,
    seq: i64,
    last_seq: i64,
}

impl Store {
    /// Moves a person's mark in a room, and gives it as it is then. A mark that stays where it is makes no event.
    pub async fn move_read_mark(
        &self,
        room: RoomRef,
        user: UserId,
        to: MoveTo,
        at: Timestamp,
    ) -> Result<ReadMark, Error> {
        self.journal.write(move |tx| Box::pin(move_mark(tx, room.clone(), user, to, at))).await
    }

    /// Moves the person's mark to the newest message in each room that has something unread.
    pub async fn mark_all_read(&self, user: UserId, at: Timestamp) -> Result<(), Error> {
        self.journal.write(move |tx| Box::pin(mark_all(tx, user, at))).await
    }
}

/// Sets the mark of somebody who joins, to the room's newest message. `room` is as it is after the join.
pub(super) async fn begin(tx: &mut Transaction, room: &RoomState, user: UserId) -> Result<(), Failure> {
    BEGIN.bind(room.id).bind(user).bind(room.last_seq).run(tx.sql()).await?;
    Ok(())
}

/// The marks of a person in all rooms that the person is in.
pub(super) async fn of_person(
    sql: &mut Connection,
    user: UserId,
) -> Result<HashMap<RoomId, ReadMark>, Failure> {
    let marks = OF_PERSON.bind(user).bind(STRIDE).bind(MOST_COUNTED).all(sql, marked_of).await?;
    Ok(marks.into_iter().map(|marked| (marked.mark.room, marked.mark)).collect())
}

/// The mark of a member of a room; none for others.
pub(super) async fn in_room(
    sql: &mut Connection,
    user: UserId,
    room: RoomId,
) -> Result<Option<ReadMark>, Failure> {
    Ok(find(sql, user, room).await?.map(|marked| marked.mark))
}

async fn find(sql: &mut Connection, user: UserId, room: RoomId) -> Result<Option<Marked>, Failure> {
    IN_ROOM.bind(user).bind(STRIDE).bind(MOST_COUNTED).bind(room).first(sql, marked_of).await
}

async fn move_mark(
    tx: &mut Transaction,
    room: RoomRef,
    user: UserId,
    to: MoveTo,
    at: Timestamp,
) -> Result<ReadMark, Stop> {
    let Access { room, person, .. } = access(tx.sql(), &room, user, Permission::MarkRead).await?;
    let before = marked(tx.sql(), user, &room).await?;
    let (MoveTo::Read(message) | MoveTo::Unread(message)) = to;
    let position_of = |row: &Row<'_>| Ok(Position(row.get("position")?));
    let message = MESSAGE.bind(message).bind(room.id).first(tx.sql(), position_of).await?;
    let message = message.ok_or(Refusal::MessageNotFound)?;
    let position = match to {
        MoveTo::Read(_) => message.max(before.position),
        MoveTo::Unread(_) => {
            let before = BEFORE.bind(room.id).bind(message).first(tx.sql(), position_of).await?;
            before.unwrap_or(Position(0))
        }
    };
    if position == before.position {
        return Ok(before.mark);
    }
    let version = before.mark.version + 1;
    MOVE.bind(room.id).bind(user).bind(version).bind(position).bind(room.last_seq).run(tx.sql()).await?;
    let after = marked(tx.sql(), user, &room).await?.mark;
    let at = tx.time(at);
    tx.append(&NewEvent::read(person, after.clone(), at))?;
    Ok(after)
}

async fn mark_all(tx: &mut Transaction, user: UserId, at: Timestamp) -> Result<(), Stop> {
    let marks = of_person(tx.sql(), user).await?;
    let mut unread: Vec<_> = marks.into_values().filter(|mark| mark.unread_count > 0).collect();
    unread.sort_unstable_by_key(|mark| mark.room);
    let newest: Vec<_> = unread.iter().map(|mark| NEWEST.bind(mark.room)).collect();
    let newest = Query::first_of_each(&newest, tx.sql(), newest_of).await?;
    let read: Vec<_> = unread.into_iter().zip(newest.into_iter().flatten()).map(read_up_to).collect();
    let moves: Vec<_> = read
        .iter()
        .map(|(mark, newest)| {
            let to = MOVE.bind(mark.room).bind(user).bind(mark.version);
            to.bind(newest.position).bind(newest.last_seq)
        })
        .collect();
    Query::run_each(&moves, tx.sql()).await?;
    let person: UserRef = person(tx.sql(), user).await?;
    let at = tx.time(at);
    for (mark, _) in read {
        tx.append(&NewEvent::read(person.clone(), mark, at))?;
    }
    Ok(())
}

/// The mark after it was moved to the newest message of its room.
fn read_up_to((mark, newest): (ReadMark, Newest)) -> (ReadMark, Newest) {
    let mark = ReadMark {
        room: mark.room,
        version: mark.version + 1,
        last_read: Some(newest.id),
        last_read_seq: newest.seq,
        unread_count: 0,
        mention_count: 0,
    };
    (mark, newest)
}

/// The mark of somebody who is known to be a member.
async fn marked(sql: &mut Connection, user: UserId, room: &RoomState) -> Result<Marked, Failure> {
    let marked = find(sql, user, room.id).await?;
    marked.ok_or_else(|| Failure::fault("a member without a read mark".into()))
}

fn marked_of(row: &Row<'_>) -> Result<Marked, Failure> {
    let mark = ReadMark {
        room: RoomId::from_uuid(row.get("room_id")?),
        version: row.get("version")?,
        last_read: row.get::<Option<_>, _>("last_read")?.map(MessageId::from_uuid),
        last_read_seq: row.get("last_read_seq")?,
        unread_count: row.get("unread")?,
        mention_count: row.get::<i64, _>("mentioned")?.min(MOST_COUNTED),
    };
    Ok(Marked { position: Position(row.get("position")?), mark })
}

fn newest_of(row: &Row<'_>) -> Result<Newest, Failure> {
    Ok(Newest {
        position: Position(row.get("position")?),
        id: MessageId::from_uuid(row.get("id")?),
        seq: row.get("seq")?,
        last_seq: row.get("head")?,
    })
}
