//! The log in the store: what a stream is opened by, pages for replay, and how much there is to replay.
//!
//! What a reader is shown is read in one statement, which is its own snapshot and costs one trip to the engine. A page reads
//! the floor with it: one that begins below it has a gap, and says so by `floor`. No read transaction outlives a page.

use uuid::Uuid;

use super::Store;
use super::access::head;
use super::error::{Error, Failure, Stop};
use super::rows::{role_of, unknown, visibility_of};
use super::sql::{Connection, Row, statements};
use crate::domain::clock::Timestamp;
use crate::domain::event::{Event, EventType, Place};
use crate::domain::ids::{Position, RoomId, UserId};
use crate::domain::refusal::Refusal;
use crate::domain::rights::{self, Permission};
use crate::domain::room::RoomRef;

/// Positions that a page of a person's events spans at first. It spans more where the person's rooms are quiet.
const WINDOW: i64 = 4_096;
/// How many times as many positions the next attempt spans, or the one before.
const FACTOR: i64 = 8;
/// Events of a person that a page may have to sort; a stretch of `WINDOW` positions has no more than twice as many.
const SORTED: i64 = 4_096;
/// Most events that are counted for a person. A client that allows more to be replayed is served as if it allowed this many.
const COUNTED: u32 = 10_000;

/// The columns of `event_of`.
macro_rules! event_columns {
    () => {
        "e.position, e.room_id, e.seq, e.type, e.ref, e.data, e.at "
    };
}

/// A room as a stream of the person `$2` finds it, beside the ends of the log.
macro_rules! room_for_stream {
    () => {
        "l.head, l.floor, r.visibility, m.role, m.room_id, m.since FROM log l CROSS JOIN rooms r \
         LEFT JOIN members m ON m.room_id = r.id AND m.user_id = $2 AND m.until IS NULL \
         WHERE r.deleted_at IS NULL AND "
    };
}

/// The floor of the log in a row without a type, which comes before the rows of a page.
macro_rules! floor_and {
    () => {
        "floor AS position, NULL AS room_id, NULL AS seq, NULL AS type, NULL AS ref, NULL AS data, NULL AS at \
         FROM log UNION ALL "
    };
}

/// The position after which the stream of the person `$1` shows a room: `$2`, or that before the present membership.
macro_rules! shown_after {
    () => {
        "CASE WHEN m.since > $2 THEN m.since - 1 ELSE $2 END"
    };
}

/// What a person's stream shows after `$2`, up to `$3`, in three parts. This one: the rooms that the person `$1` is in, from
/// the beginning of the present membership on.
macro_rules! of_present_rooms {
    () => {
        concat!(
            "FROM members m CROSS JOIN events e WHERE m.user_id = $1 AND m.until IS NULL ",
            "AND e.room_id = m.room_id AND e.position > ",
            shown_after!(),
            " AND e.position <= $3"
        )
    };
}

/// What tells of the person's own memberships. Some of it is in the first part, too.
macro_rules! of_own_memberships {
    () => {
        "FROM events e WHERE e.ref = $1 AND e.position > $2 AND e.position <= $3 AND e.type LIKE 'member.%'"
    };
}

/// Leaves out what is in the first part.
macro_rules! but_of_present_rooms {
    () => {
        " AND NOT EXISTS (SELECT 1 FROM members m WHERE m.user_id = $1 AND m.room_id = e.room_id \
         AND m.until IS NULL AND m.since <= e.position)"
    };
}

/// The end of rooms that the person was in when it came.
macro_rules! of_deleted_rooms {
    () => {
        "FROM members m CROSS JOIN events e WHERE m.user_id = $1 AND m.until > $2 AND m.until <= $3 \
         AND e.position = m.until AND e.type = 'room.deleted'"
    };
}

statements! {
    OPEN_ROOM_BY_ID = concat!("SELECT ", room_for_stream!(), "r.id = $1");
    OPEN_ROOM_BY_NAME = concat!("SELECT ", room_for_stream!(), "r.name = $1 AND r.visibility = 'public'");
    OPEN_PERSON = "SELECT l.head, l.floor, m.room_id, m.since \
                   FROM log l LEFT JOIN members m ON m.user_id = $1 AND m.until IS NULL";
    ROOM_PAGE = concat!(
        "SELECT ",
        floor_and!(),
        "SELECT * FROM (SELECT ",
        event_columns!(),
        "FROM events e WHERE e.room_id = $1 AND e.position > $2 AND e.position <= $3 ",
        "ORDER BY e.position LIMIT $4) AS page"
    );
    PERSON_PAGE = concat!(
        "SELECT ",
        floor_and!(),
        "SELECT * FROM (SELECT ",
        event_columns!(),
        of_present_rooms!(),
        " UNION ALL SELECT ",
        event_columns!(),
        of_own_memberships!(),
        but_of_present_rooms!(),
        " UNION ALL SELECT ",
        event_columns!(),
        of_deleted_rooms!(),
        " ORDER BY position LIMIT $4) AS page"
    );
    /// At least as many events as a page of a person would sort, up to `$4` of each part.
    PERSON_DENSITY = concat!(
        "SELECT (SELECT count(*) FROM (SELECT 1 ",
        of_present_rooms!(),
        " LIMIT $4) AS one) + (SELECT count(*) FROM (SELECT 1 ",
        of_own_memberships!(),
        " LIMIT $4) AS two) + (SELECT count(*) FROM (SELECT 1 ",
        of_deleted_rooms!(),
        " LIMIT $4) AS three) AS events"
    );
    /// Seqs have no hole, so the first and the last event of a stretch say how many there are.
    ROOM_COUNT =
        "SELECT (SELECT seq FROM events WHERE room_id = $1 AND position <= $3 ORDER BY position DESC LIMIT 1) \
         - (SELECT seq FROM events WHERE room_id = $1 AND position > $2 ORDER BY position LIMIT 1) + 1 AS events";
    OWN_COUNT = concat!("SELECT count(*) AS events FROM (SELECT 1 ", of_own_memberships!(), " LIMIT $4) AS own");
    PERSON_COUNT = concat!(
        "SELECT CAST(coalesce(sum(",
        "(SELECT e.seq FROM events e WHERE e.room_id = m.room_id AND e.position <= $3 ",
        "ORDER BY e.position DESC LIMIT 1) - ",
        "(SELECT e.seq FROM events e WHERE e.room_id = m.room_id AND e.position > ",
        shown_after!(),
        " ORDER BY e.position LIMIT 1) + 1), 0) AS BIGINT) + (SELECT count(*) ",
        of_own_memberships!(),
        but_of_present_rooms!(),
        ") + (SELECT count(*) FROM (SELECT 1 ",
        of_deleted_rooms!(),
        " LIMIT $4) AS deleted) AS events FROM members m WHERE m.user_id = $1 AND m.until IS NULL AND m.since <= $3"
    );
    LOG = "SELECT position, room_id, seq, type, ref, data, at, (SELECT coalesce(epoch, 0) FROM log) AS epoch \
           FROM events WHERE position > $1 ORDER BY position LIMIT $2";
}

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

impl Store {
    /// The snapshot of one room's stream: refuses people who may not follow it.
    pub async fn open_room_events(&self, room: &RoomRef, user: UserId) -> Result<Snapshot, Error> {
        let query = match room {
            RoomRef::Id(id) => OPEN_ROOM_BY_ID.bind(*id),
            RoomRef::Name(name) => OPEN_ROOM_BY_NAME.bind(name.as_str().to_owned()),
        };
        let open = |row: &Row<'_>| {
            let rooms = membership_of(row)?.into_iter().collect::<Vec<_>>();
            let right = rights::may(role_of(row)?, visibility_of(row)?, Permission::Stream);
            let snapshot = Snapshot { head: head_of(row)?, floor: floor_of(row)?, rooms };
            Ok(right.map(|()| snapshot))
        };
        let found = self.first(query.bind(user), open).await?;
        Ok(found.ok_or(Refusal::RoomNotFound)??)
    }

    /// The snapshot of a person's stream.
    pub async fn open_user_events(&self, user: UserId) -> Result<Snapshot, Error> {
        let open = |row: &Row<'_>| Ok((head_of(row)?, floor_of(row)?, membership_of(row)?));
        let rows = self.all(OPEN_PERSON.bind(user), open).await?;
        let &(head, floor, _) = rows.first().ok_or_else(|| Failure::fault("the log has no head".into()))?;
        Ok(Snapshot { head, floor, rooms: rows.into_iter().filter_map(|(.., room)| room).collect() })
    }

    /// A room's events after `after` up to `upto`, at most `limit`.
    pub async fn room_events(
        &self,
        room: RoomId,
        after: Position,
        upto: Position,
        limit: i64,
    ) -> Result<Page, Error> {
        let query = ROOM_PAGE.bind(room).bind(after).bind(upto).bind(limit);
        Ok(page(self.all(query, of_page).await?, upto, limit)?)
    }

    /// A person's events after `after` up to `upto`, at most `limit`.
    pub async fn user_events(
        &self,
        user: UserId,
        after: Position,
        upto: Position,
        limit: i64,
    ) -> Result<Page, Error> {
        self.read(move |sql| Box::pin(user_events(sql, user, after, upto, limit))).await
    }

    /// Whether a room has more than `most` events in the stretch.
    pub async fn room_has_more(
        &self,
        room: RoomId,
        after: Position,
        upto: Position,
        most: u32,
    ) -> Result<bool, Error> {
        let count = self.first(ROOM_COUNT.bind(room).bind(after).bind(upto), |row| row.get("events"));
        let events: Option<i64> = count.await?.flatten();
        Ok(events.is_some_and(|events| events > i64::from(most)))
    }

    /// Whether a person's stream has more than `most` events in the stretch, or more than `COUNTED`.
    pub async fn user_has_more(
        &self,
        user: UserId,
        after: Position,
        upto: Position,
        most: u32,
    ) -> Result<bool, Error> {
        let most = i64::from(most.min(COUNTED));
        self.read(move |sql| Box::pin(has_more(sql, user, after, upto, most))).await
    }

    /// The log as it is, for the publisher: at most `limit` events after `after`. Their epoch is known then.
    pub async fn log_events(&self, after: Position, limit: i64) -> Result<Vec<Event>, Error> {
        let of_epoch = |row: &Row<'_>| Ok((event_of(row)?, row.get::<i64, _>("epoch")?));
        let events = self.all(LOG.bind(after).bind(limit), of_epoch).await?;
        if self.is_shared()
            && let Some(&(_, epoch)) = events.last()
        {
            self.meet_epoch(epoch).await?;
        }
        Ok(events.into_iter().map(|(event, _)| event).collect())
    }

    /// The end of the log.
    pub async fn head(&self) -> Result<Position, Error> {
        self.read(|sql| Box::pin(async move { Ok(head(sql).await?) })).await
    }
}

async fn user_events(
    sql: &mut Connection,
    user: UserId,
    after: Position,
    upto: Position,
    limit: i64,
) -> Result<Page, Stop> {
    let upto = end_of_page(sql, user, after, upto, limit).await?;
    let query = PERSON_PAGE.bind(user).bind(after).bind(upto).bind(limit);
    Ok(page(query.all(sql, of_page).await?, upto, limit)?)
}

/// Up to where a page of a person's events reads. The page sorts what lies in between, so there must be enough for `limit`
/// where that can be had, and never much more than `SORTED`. This costs a lookup for each room of the person, once for a
/// person whose rooms are quiet and a few times for others; what happens in other rooms costs nothing.
async fn end_of_page(
    sql: &mut Connection,
    user: UserId,
    after: Position,
    upto: Position,
    limit: i64,
) -> Result<Position, Failure> {
    let is_short = upto.0.saturating_sub(after.0) <= WINDOW;
    if is_short || density(sql, user, after, upto).await? <= SORTED {
        return Ok(upto);
    }
    let (mut end, mut window, mut found) = (after, WINDOW, 0);
    while end < upto && found < limit {
        let next = upto.min(Position(end.0.saturating_add(window)));
        let there = density(sql, user, end, next).await?;
        if there <= SORTED || window == WINDOW {
            (end, found, window) = (next, found + there, window.saturating_mul(FACTOR));
        } else if found > 0 {
            break;
        } else {
            window /= FACTOR;
        }
    }
    Ok(end)
}

/// At least as many events as a page of a person would sort in the stretch. Stops counting a little above `SORTED`.
async fn density(
    sql: &mut Connection,
    user: UserId,
    after: Position,
    upto: Position,
) -> Result<i64, Failure> {
    let count = PERSON_DENSITY.bind(user).bind(after).bind(upto).bind(SORTED + 1);
    count.one(sql, |row| row.get("events")).await
}

async fn has_more(
    sql: &mut Connection,
    user: UserId,
    after: Position,
    upto: Position,
    most: i64,
) -> Result<bool, Stop> {
    for statement in [OWN_COUNT, PERSON_COUNT] {
        let count = statement.bind(user).bind(after).bind(upto).bind(most + 1);
        let events: i64 = count.one(sql, |row| row.get("events")).await?;
        if events > most {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The newest position.
fn head_of(row: &Row<'_>) -> Result<Position, Failure> {
    Ok(Position(row.get("head")?))
}

/// The newest position that is purged.
fn floor_of(row: &Row<'_>) -> Result<Position, Failure> {
    Ok(Position(row.get("floor")?))
}

/// A row of a page: an event, or the floor, which comes first.
enum OfPage {
    Floor(Position),
    Event(Event),
}

fn of_page(row: &Row<'_>) -> Result<OfPage, Failure> {
    if row.get::<Option<String>, _>("type")?.is_none() {
        return Ok(OfPage::Floor(Position(row.get("position")?)));
    }
    Ok(OfPage::Event(event_of(row)?))
}

fn page(rows: Vec<OfPage>, upto: Position, limit: i64) -> Result<Page, Failure> {
    let (mut floor, mut events) = (None, Vec::with_capacity(rows.len()));
    for row in rows {
        match row {
            OfPage::Floor(position) => floor = Some(position),
            OfPage::Event(event) => events.push(event),
        }
    }
    let floor = floor.ok_or_else(|| Failure::fault("the log has no floor".into()))?;
    let is_full = i64::try_from(events.len()).is_ok_and(|n| n >= limit);
    let through = events.last().filter(|_| is_full).map_or(upto, |event| event.position);
    Ok(Page { events, through, floor })
}

fn membership_of(row: &Row<'_>) -> Result<Option<Membership>, Failure> {
    let (room, since): (Option<Uuid>, Option<i64>) = (row.get("room_id")?, row.get("since")?);
    Ok(room
        .zip(since)
        .map(|(room, since)| Membership { room: RoomId::from_uuid(room), since: Position(since) }))
}

fn event_of(row: &Row<'_>) -> Result<Event, Failure> {
    let kind = EventType::parse(&row.get::<String, _>("type")?).ok_or_else(|| unknown("type"))?;
    let (room, seq): (Option<Uuid>, Option<i64>) = (row.get("room_id")?, row.get("seq")?);
    Ok(Event {
        position: Position(row.get("position")?),
        kind,
        place: room.zip(seq).map(|(room, seq)| Place { room: RoomId::from_uuid(room), seq }),
        subject: row.get::<Option<Uuid>, _>("ref")?.and_then(|id| kind.subject(id)),
        at: Timestamp::from_micros(row.get("at")?),
        data: row.get("data")?,
    })
}
