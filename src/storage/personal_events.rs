//! The part of the log that a person's stream shows: the rooms that the person is in, the own memberships, what is for the person alone,
//! and the ends of rooms. It costs by the rooms of the person, not by what happens in others.

use super::Store;
use super::error::{Error, Failure, Stop};
use super::events::{Page, event_columns, floor_and_page, of_page, page};
use super::sql::{Connection, statements};
use crate::domain::ids::{Position, UserId};

/// Positions that a page of a person's events spans at first. It spans more where the person's rooms are quiet.
const WINDOW: i64 = 4_096;
/// How many times as many positions the next attempt spans, or the one before.
const FACTOR: i64 = 8;
/// Events of a person that a page may have to sort; a stretch of `WINDOW` positions has no more than twice as many.
const SORTED: i64 = 4_096;
/// Most events that are counted for a person. A client that allows more to be replayed is served as if it allowed this many.
const COUNTED: u32 = 10_000;

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
            "AND e.room_id = m.room_id AND e.seq IS NOT NULL AND e.position > ",
            shown_after!(),
            " AND e.position <= $3"
        )
    };
}

/// What tells of the person's own memberships, some of which is in the first part, too, and what is for the person alone.
macro_rules! of_the_person {
    () => {
        "FROM events e WHERE e.ref = $1 AND e.position > $2 AND e.position <= $3 \
         AND (e.audience = 'person' OR e.type LIKE 'member.%')"
    };
}

/// Leaves out what is in the first part.
macro_rules! but_of_present_rooms {
    () => {
        " AND (e.audience = 'person' OR NOT EXISTS (SELECT 1 FROM members m WHERE m.user_id = $1 AND m.room_id = e.room_id \
         AND m.until IS NULL AND m.since <= e.position))"
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
    PERSON_PAGE = concat!(
        "SELECT ",
        floor_and_page!(
            "SELECT ",
            event_columns!(),
            of_present_rooms!(),
            " UNION ALL SELECT ",
            event_columns!(),
            of_the_person!(),
            but_of_present_rooms!(),
            " UNION ALL SELECT ",
            event_columns!(),
            of_deleted_rooms!(),
            " ORDER BY position LIMIT $4",
        )
    );
    /// At least as many events as a page of a person would sort, up to `$4` of each part.
    PERSON_DENSITY = concat!(
        "SELECT (SELECT count(*) FROM (SELECT 1 ",
        of_present_rooms!(),
        " LIMIT $4) AS one) + (SELECT count(*) FROM (SELECT 1 ",
        of_the_person!(),
        " LIMIT $4) AS two) + (SELECT count(*) FROM (SELECT 1 ",
        of_deleted_rooms!(),
        " LIMIT $4) AS three) AS events"
    );
    OWN_COUNT = concat!("SELECT count(*) AS events FROM (SELECT 1 ", of_the_person!(), " LIMIT $4) AS own");
    PERSON_COUNT = concat!(
        "SELECT CAST(coalesce(sum(",
        "(SELECT e.seq FROM events e WHERE e.room_id = m.room_id AND e.seq IS NOT NULL AND e.position <= $3 ",
        "ORDER BY e.position DESC LIMIT 1) - ",
        "(SELECT e.seq FROM events e WHERE e.room_id = m.room_id AND e.seq IS NOT NULL AND e.position > ",
        shown_after!(),
        " ORDER BY e.position LIMIT 1) + 1), 0) AS BIGINT) + (SELECT count(*) ",
        of_the_person!(),
        but_of_present_rooms!(),
        ") + (SELECT count(*) FROM (SELECT 1 ",
        of_deleted_rooms!(),
        " LIMIT $4) AS deleted) AS events FROM members m WHERE m.user_id = $1 AND m.until IS NULL AND m.since <= $3"
    );
}

impl Store {
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
