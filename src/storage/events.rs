//! The log in the store: what a stream is opened by, pages for replay, and taking away what is older than retention.
//!
//! Each of them is one statement, which is its own snapshot and costs one trip to the engine. A page reads the floor with
//! it: one that begins below it has a gap, and says so by `floor`. No read transaction outlives a page.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use sqlx::types::Uuid;

use super::Store;
use super::access::{refusal_of_outsider, visibility_of};
use super::error::{Error, Stop};
use super::writing::Writing;
use crate::domain::clock::Timestamp;
use crate::domain::event::{Event, EventType};
use crate::domain::ids::{Position, RoomId, UserId};
use crate::domain::refusal::Refusal;
use crate::domain::room::RoomRef;

/// Positions that one page of a person's events looks at, whether it finds events for them or not.
const WINDOW: i64 = 4_096;
/// Events or messages that one purging write takes away; more would hold up the posts behind it.
const PURGE: i64 = 500;

/// A present membership and the position at which it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    pub room: RoomId,
    pub since: Position,
}

/// What a stream is opened by: who is in what, as of `head`. Nothing at or below `floor` is in the log any more.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub head: Position,
    pub floor: Position,
    pub rooms: Vec<Membership>,
}

/// A stretch of the log for one reader: everything of theirs after the position asked for, up to `through`.
#[derive(Clone, Debug)]
pub struct Page {
    pub events: Vec<Event>,
    pub through: Position,
    pub floor: Position,
}

/// What a person's stream shows: a room from the present membership on, and always the person's own memberships and the
/// end of rooms that they were in when it came. `$1` person, `$2` after, `$3` up to, `$4` limit.
macro_rules! events_of_person {
    ($columns:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM events e WHERE e.position > $2 AND e.position <= $3 AND (",
            "EXISTS (SELECT 1 FROM members m WHERE m.room_id = e.room_id AND m.user_id = $1 ",
            "AND m.until IS NULL AND m.since <= e.position) ",
            "OR (e.ref = $1 AND e.type LIKE 'member.%') ",
            "OR (e.type = 'room.deleted' AND EXISTS (SELECT 1 FROM members m ",
            "WHERE m.room_id = e.room_id AND m.user_id = $1 AND m.until = e.position))) ",
            "ORDER BY e.position LIMIT $4"
        )
    };
}

/// A room as a stream of the person `$2` finds it, beside the ends of the log.
macro_rules! room_snapshot {
    ($condition:literal) => {
        concat!(
            "SELECT l.head, l.floor, r.visibility, m.room_id, m.since FROM log l CROSS JOIN rooms r ",
            "LEFT JOIN members m ON m.room_id = r.id AND m.user_id = $2 AND m.until IS NULL ",
            "WHERE r.deleted_at IS NULL AND ",
            $condition
        )
    };
}

/// A page of events, and before it the floor of the log in a row without a type.
macro_rules! page {
    ($events:expr) => {
        concat!(
            "SELECT floor AS position, NULL AS room_id, NULL AS type, NULL AS ref, NULL AS data FROM log ",
            "UNION ALL SELECT * FROM (",
            $events,
            ") AS page"
        )
    };
}

impl Store {
    /// The snapshot of one room's stream: refuses whoever is not a member.
    pub async fn open_room_events(&self, room: &RoomRef, user: UserId) -> Result<Snapshot, Error> {
        let query = match room {
            RoomRef::Id(id) => sqlx::query(room_snapshot!("r.id = $1")).bind(id.uuid()),
            RoomRef::Name(name) => {
                sqlx::query(room_snapshot!("r.name = $1 AND r.visibility = 'public'")).bind(name.as_str())
            }
        };
        let row = query.bind(user.uuid()).fetch_optional(&self.readers).await?;
        let row = row.ok_or(Refusal::RoomNotFound)?;
        let Some(membership) = membership_of(&row)? else {
            return Err(refusal_of_outsider(visibility_of(&row)?).into());
        };
        let (head, floor) = ends_of(&row)?;
        Ok(Snapshot { head, floor, rooms: vec![membership] })
    }

    /// The snapshot of a person's stream.
    pub async fn open_user_events(&self, user: UserId) -> Result<Snapshot, Error> {
        let sql = "SELECT l.head, l.floor, m.room_id, m.since \
                   FROM log l LEFT JOIN members m ON m.user_id = $1 AND m.until IS NULL";
        let rows = sqlx::query(sql).bind(user.uuid()).fetch_all(&self.readers).await?;
        let (head, floor) = ends_of(rows.first().ok_or(sqlx::Error::RowNotFound)?)?;
        let rooms = rows.iter().filter_map(|row| membership_of(row).transpose()).collect::<Result<_, _>>()?;
        Ok(Snapshot { head, floor, rooms })
    }

    /// A room's events after `after` up to `upto`, at most `limit`.
    pub async fn room_events(
        &self,
        room: RoomId,
        after: Position,
        upto: Position,
        limit: i64,
    ) -> Result<Page, Error> {
        let sql = page!(
            "SELECT e.position, e.room_id, e.type, e.ref, e.data FROM events e \
             WHERE e.room_id = $1 AND e.position > $2 AND e.position <= $3 ORDER BY e.position LIMIT $4"
        );
        let query = sqlx::query(sql).bind(room.uuid()).bind(after.0).bind(upto.0).bind(limit);
        page(&query.fetch_all(&self.readers).await?, upto, limit)
    }

    /// A person's events after `after` up to `upto`, at most `limit`.
    pub async fn user_events(
        &self,
        user: UserId,
        after: Position,
        upto: Position,
        limit: i64,
    ) -> Result<Page, Error> {
        let upto = upto.min(Position(after.0.saturating_add(WINDOW)));
        let sql = page!(events_of_person!("e.position, e.room_id, e.type, e.ref, e.data"));
        let query = sqlx::query(sql).bind(user.uuid()).bind(after.0).bind(upto.0).bind(limit);
        page(&query.fetch_all(&self.readers).await?, upto, limit)
    }

    /// Whether a room has more than `most` events in the stretch.
    pub async fn room_has_more(
        &self,
        room: RoomId,
        after: Position,
        upto: Position,
        most: u32,
    ) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM events WHERE room_id = $1 AND position > $2 AND position <= $3 LIMIT $4";
        let limit = i64::from(most) + 1;
        let query = sqlx::query(sql).bind(room.uuid()).bind(after.0).bind(upto.0).bind(limit);
        Ok(query.fetch_all(&self.readers).await?.len() > most as usize)
    }

    /// Whether a person's stream has more than `most` events in the stretch.
    pub async fn user_has_more(
        &self,
        user: UserId,
        after: Position,
        upto: Position,
        most: u32,
    ) -> Result<bool, Error> {
        let (mut after, mut left) = (after, i64::from(most) + 1);
        // A window at a time, as a page of replay: nobody holds a snapshot of a whole log.
        while after < upto && left > 0 {
            let end = upto.min(Position(after.0.saturating_add(WINDOW)));
            let query =
                sqlx::query(events_of_person!("1")).bind(user.uuid()).bind(after.0).bind(end.0).bind(left);
            left -= i64::try_from(query.fetch_all(&self.readers).await?.len()).unwrap_or(i64::MAX);
            after = end;
        }
        Ok(left <= 0)
    }

    /// The log as it is, for the publisher: at most `limit` events after `after`.
    pub async fn log_events(&self, after: Position, limit: i64) -> Result<Vec<Event>, Error> {
        let sql = "SELECT position, room_id, type, ref, data FROM events WHERE position > $1 ORDER BY position LIMIT $2";
        let rows = sqlx::query(sql).bind(after.0).bind(limit).fetch_all(&self.readers).await?;
        Ok(rows.iter().map(event_of).collect::<Result<_, _>>()?)
    }

    /// The end of the log.
    pub async fn head(&self) -> Result<Position, Error> {
        let row = sqlx::query("SELECT head FROM log").fetch_one(&self.readers).await?;
        Ok(Position(row.try_get(0)?))
    }

    /// Takes a piece of the log's beginning away, up to the first event that is not older than `before`. False when
    /// there is nothing left to take.
    pub async fn purge_events(&self, before: Timestamp) -> Result<bool, Error> {
        self.journal.write(move |w| Box::pin(purge(w, before))).await
    }

    /// Takes a piece of the messages of deleted rooms away, from the log too. False when there is nothing left to take.
    pub async fn purge_deleted_rooms(&self) -> Result<bool, Error> {
        self.journal.write(|w| Box::pin(purge_rooms(w))).await
    }
}

async fn purge(w: &mut Writing, before: Timestamp) -> Result<bool, Stop> {
    let sql = "SELECT position, at FROM events ORDER BY position LIMIT $1";
    let rows = sqlx::query(sql).bind(PURGE).fetch_all(w.sql()).await?;
    let mut floor = None;
    for row in &rows {
        if row.try_get::<i64, _>(1)? >= before.micros() {
            break;
        }
        floor = Some(row.try_get::<i64, _>(0)?);
    }
    let Some(floor) = floor else { return Ok(false) };
    sqlx::query("DELETE FROM events WHERE position <= $1").bind(floor).execute(w.sql()).await?;
    sqlx::query("DELETE FROM members WHERE until <= $1").bind(floor).execute(w.sql()).await?;
    sqlx::query("UPDATE log SET floor = $1").bind(floor).execute(w.sql()).await?;
    Ok(true)
}

async fn purge_rooms(w: &mut Writing) -> Result<bool, Stop> {
    let sql = "SELECT g.room_id FROM rooms r JOIN messages g ON g.room_id = r.id WHERE r.deleted_at IS NOT NULL LIMIT 1";
    let Some(row) = sqlx::query(sql).fetch_optional(w.sql()).await? else { return Ok(false) };
    let room: Uuid = row.try_get(0)?;
    let sql = "SELECT min(position), max(position) FROM \
               (SELECT position FROM messages WHERE room_id = $1 ORDER BY position LIMIT $2) AS piece";
    let row = sqlx::query(sql).bind(room).bind(PURGE).fetch_one(w.sql()).await?;
    let (first, last): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    let sql = "UPDATE events SET data = '{\"type\":\"message.posted\"}' \
               WHERE room_id = $1 AND position BETWEEN $2 AND $3 AND type LIKE 'message.%'; \
               DELETE FROM messages WHERE room_id = $1 AND position BETWEEN $2 AND $3";
    sqlx::query(sql).bind(room).bind(first).bind(last).execute(w.sql()).await?;
    Ok(true)
}

/// The newest position and the newest purged one.
fn ends_of(row: &SqliteRow) -> Result<(Position, Position), sqlx::Error> {
    Ok((Position(row.try_get("head")?), Position(row.try_get("floor")?)))
}

/// The rows of a `page!`.
fn page(rows: &[SqliteRow], upto: Position, limit: i64) -> Result<Page, Error> {
    let (first, rows) = rows.split_first().ok_or(sqlx::Error::RowNotFound)?;
    let floor = Position(first.try_get("position")?);
    let events = rows.iter().map(event_of).collect::<Result<Vec<_>, _>>()?;
    let is_full = i64::try_from(events.len()).is_ok_and(|n| n >= limit);
    let through = events.last().filter(|_| is_full).map_or(upto, |event| event.position);
    Ok(Page { events, through, floor })
}

fn membership_of(row: &SqliteRow) -> Result<Option<Membership>, sqlx::Error> {
    let (room, since): (Option<Uuid>, Option<i64>) = (row.try_get("room_id")?, row.try_get("since")?);
    Ok(room
        .zip(since)
        .map(|(room, since)| Membership { room: RoomId::from_uuid(room), since: Position(since) }))
}

fn event_of(row: &SqliteRow) -> Result<Event, sqlx::Error> {
    let kind: &str = row.try_get("type")?;
    let kind = EventType::parse(kind)
        .ok_or_else(|| sqlx::Error::Decode("an event type of another version".into()))?;
    let subject: Option<Uuid> = row.try_get("ref")?;
    Ok(Event {
        position: Position(row.try_get("position")?),
        room: RoomId::from_uuid(row.try_get("room_id")?),
        kind,
        person: subject.filter(|_| kind.is_membership()).map(UserId::from_uuid),
        data: row.try_get("data")?,
    })
}
