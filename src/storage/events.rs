//! The log in the store: its pages, those of one room, and how much of a room there is to replay. Who may read it is asked elsewhere.
//!
//! A page is read in one statement, which is its own snapshot and costs one trip to the engine. It reads the floor with it: one
//! that begins below the floor has a gap, and says so by `floor`. No read transaction outlives a page.

use uuid::Uuid;

use super::Store;
use super::access::head;
use super::error::{Error, Failure, Stop};
use super::sql::{Connection, Query, Row, statements};
use crate::domain::clock::Timestamp;
use crate::domain::cursor::Epoch;
use crate::domain::event::{Audience, Event, EventType, MessageText, Place};
use crate::domain::ids::{Position, RoomId, UserId};
use crate::domain::message::MessageBody;

/// The columns of an event that stand in its own row.
macro_rules! event_columns {
    () => {
        "e.position, e.room_id, e.seq, e.type, e.ref, e.message, e.data, e.at "
    };
}
pub(super) use event_columns;

/// What the message of an event says now. The parameter is how the statement calls its events.
macro_rules! text_of {
    ($events:literal) => {
        concat!("(SELECT g.body FROM messages g WHERE g.position = ", $events, ".message) AS body ")
    };
}

/// The floor of the log in a row without a type, then the events that a query with `event_columns` gives, with their texts.
macro_rules! floor_and_page {
    ($($events:expr),+ $(,)?) => {
        concat!(
            "floor AS position, NULL AS room_id, NULL AS seq, NULL AS type, NULL AS ref, NULL AS message, NULL AS data, \
             NULL AS at, NULL AS body FROM log UNION ALL SELECT page.*, ",
            $crate::storage::events::text_of!("page"),
            "FROM (",
            $($events),+,
            ") AS page"
        )
    };
}
pub(super) use {floor_and_page, text_of};

statements! {
    ROOM_PAGE = concat!(
        "SELECT ",
        floor_and_page!(
            "SELECT ",
            event_columns!(),
            "FROM events e WHERE e.room_id = $1 AND e.seq IS NOT NULL AND e.position > $2 AND e.position <= $3 ",
            "ORDER BY e.position LIMIT $4",
        )
    );
    /// The event of a type that is for a person and names a room, if it lies in the stretch. There is one at most.
    FOR_PERSON = concat!(
        "SELECT ",
        event_columns!(),
        "FROM events e WHERE e.audience = 'person' AND e.ref = $1 AND e.room_id = $2 AND e.type = $3 ",
        "AND e.position > $4 AND e.position <= $5"
    );
    /// Seqs have no hole, so the first and the last event of a stretch say how many there are. Those for one person come on top.
    ROOM_COUNT =
        "SELECT coalesce((SELECT seq FROM events WHERE room_id = $1 AND seq IS NOT NULL AND position <= $3 ORDER BY position DESC LIMIT 1) \
         - (SELECT seq FROM events WHERE room_id = $1 AND seq IS NOT NULL AND position > $2 ORDER BY position LIMIT 1) + 1, 0) \
         + (SELECT count(*) FROM events WHERE audience = 'person' AND ref = $4 AND room_id = $1 \
         AND position > $2 AND position <= $3) AS events";
    LOG = concat!(
        "SELECT ",
        event_columns!(),
        ", ",
        text_of!("e"),
        ", (SELECT coalesce(epoch, 0) FROM log) AS epoch FROM events e WHERE e.position > $1 ORDER BY e.position LIMIT $2"
    );
}

/// A stretch of the log for one reader: everything of theirs after the position asked for, up to `through`.
#[derive(Clone, Debug)]
pub struct Page {
    pub events: Vec<Event>,
    pub through: Position,
    pub floor: Position,
}

impl Store {
    /// A room's events after `after` up to `upto`, at most `limit`, and the events of the whole stretch that name the room and are for
    /// one of these people alone.
    pub async fn room_events(
        &self,
        room: RoomId,
        people: Vec<UserId>,
        (after, upto): (Position, Position),
        limit: i64,
    ) -> Result<(Page, Vec<Event>), Error> {
        self.read(move |sql| Box::pin(room_events(sql, room, people, (after, upto), limit))).await
    }

    /// Whether a person is shown more than `most` events of a room in the stretch.
    pub async fn room_has_more(
        &self,
        room: RoomId,
        person: UserId,
        after: Position,
        upto: Position,
        most: u32,
    ) -> Result<bool, Error> {
        let count = ROOM_COUNT.bind(room).bind(after).bind(upto).bind(person);
        let count = self.first(count, |row| row.get("events"));
        let events: Option<i64> = count.await?.flatten();
        Ok(events.is_some_and(|events| events > i64::from(most)))
    }

    /// The log as it is, for the publisher: at most `limit` events after `after`, and the epoch in which they were read, which is
    /// known then. None where there is only one, or without an event.
    pub async fn log_events(
        &self,
        after: Position,
        limit: i64,
    ) -> Result<(Option<Epoch>, Vec<Event>), Error> {
        let of_epoch = |row: &Row<'_>| Ok((event_of(row)?, row.get::<i64, _>("epoch")?));
        let events = self.all(LOG.bind(after).bind(limit), of_epoch).await?;
        let mut read_in = None;
        if self.is_shared()
            && let Some(&(_, epoch)) = events.last()
        {
            self.meet_epoch(epoch).await?;
            read_in = u32::try_from(epoch).ok().map(Epoch);
        }
        Ok((read_in, events.into_iter().map(|(event, _)| event).collect()))
    }

    /// The end of the log.
    pub async fn head(&self) -> Result<Position, Error> {
        self.read(|sql| Box::pin(async move { Ok(head(sql).await?) })).await
    }
}

/// The events for people are read first: if the page then begins at or above the floor, none of them was purged before.
async fn room_events(
    sql: &mut Connection,
    room: RoomId,
    people: Vec<UserId>,
    (after, upto): (Position, Position),
    limit: i64,
) -> Result<(Page, Vec<Event>), Stop> {
    let kinds = EventType::ALL.into_iter().filter(|kind| kind.audience() == Audience::Person);
    let for_people: Vec<_> = kinds
        .flat_map(|kind| people.iter().map(move |person| (kind, *person)))
        .map(|(kind, person)| FOR_PERSON.bind(person).bind(room).bind(kind.as_str()).bind(after).bind(upto))
        .collect();
    let mut for_people: Vec<_> =
        Query::first_of_each(&for_people, sql, event_of).await?.into_iter().flatten().collect();
    for_people.sort_by_key(|event| event.position);
    let query = ROOM_PAGE.bind(room).bind(after).bind(upto).bind(limit);
    Ok((page(query.all(sql, of_page).await?, upto, limit)?, for_people))
}

/// A row of a page: an event, or the floor, which comes first.
pub(super) enum OfPage {
    Floor(Position),
    Event(Event),
}

pub(super) fn of_page(row: &Row<'_>) -> Result<OfPage, Failure> {
    if row.get::<Option<String>, _>("type")?.is_none() {
        return Ok(OfPage::Floor(Position(row.get("position")?)));
    }
    Ok(OfPage::Event(event_of(row)?))
}

pub(super) fn page(rows: Vec<OfPage>, upto: Position, limit: i64) -> Result<Page, Failure> {
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

fn event_of(row: &Row<'_>) -> Result<Event, Failure> {
    let kind: String = row.get("type")?;
    let kind = EventType::parse(&kind).ok_or_else(|| {
        let newer = "only a newer parlor knows: run that version here, too";
        Failure::fault(format!("the log has an event of the type {kind:?}, which {newer}"))
    })?;
    // The messages of a deleted room are taken away before its events.
    let text = |message| {
        let body: Option<String> = row.get("body")?;
        Ok::<_, Failure>(MessageText { message, body: MessageBody::stored(body.unwrap_or_default()) })
    };
    let (room, seq): (Option<Uuid>, Option<i64>) = (row.get("room_id")?, row.get("seq")?);
    Ok(Event {
        position: Position(row.get("position")?),
        kind,
        place: room.map(|room| Place { room: RoomId::from_uuid(room), seq }),
        subject: row.get::<Option<Uuid>, _>("ref")?.and_then(|id| kind.subject(id)),
        at: Timestamp::from_micros(row.get("at")?),
        data: row.get("data")?,
        text: row.get::<Option<i64>, _>("message")?.map(Position).map(text).transpose()?,
    })
}
