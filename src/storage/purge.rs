//! Taking away what nobody may read any more: the beginning of the log, the messages of deleted rooms, sessions that are
//! over. What is to go is found by a reader; the journal takes it away in pieces, each in a transaction of its own, because
//! posts wait for as long as a piece takes.

use sqlx::Row;
use sqlx::types::Uuid;

use super::Store;
use super::error::{Error, Stop};
use super::statements::statements;
use super::writing::Writing;
use crate::domain::clock::Timestamp;

/// Rows that one piece takes away. Each message of a deleted room touches pages all over the file, and posts wait for the piece.
const PIECE: i64 = 16;
/// The same for events. They lie side by side, so that each costs less.
const PIECE_OF_EVENTS: i64 = 256;

statements! {
    OLDEST_EVENTS = "SELECT position, at FROM events WHERE position > (SELECT floor FROM log) ORDER BY position LIMIT $1";
    PURGE_EVENTS = "DELETE FROM events WHERE position <= $1";
    RAISE_FLOOR = "UPDATE log SET floor = $1";
    HAS_OLD_MEMBERSHIPS = "SELECT 1 FROM members WHERE until <= (SELECT floor FROM log) LIMIT 1";
    PURGE_MEMBERSHIPS = "DELETE FROM members WHERE (room_id, user_id, since) IN \
                         (SELECT room_id, user_id, since FROM members WHERE until <= (SELECT floor FROM log) LIMIT $1)";
    ROOM_TO_PURGE =
        "SELECT id FROM rooms WHERE deleted_at IS NOT NULL AND NOT purged ORDER BY deleted_at LIMIT 1";
    OLDEST_MESSAGES = "SELECT min(position), max(position) FROM \
                       (SELECT position FROM messages WHERE room_id = $1 ORDER BY position LIMIT $2) AS piece";
    /// The log keeps the event, because its positions have no hole, without what was said. The events are found by their
    /// messages: there may be very many events of other kinds between two messages. Once messages can be edited, the events of
    /// their edits must be found here, too.
    SCRUB_EVENTS = "UPDATE events SET data = '{\"type\":\"message.posted\"}' WHERE position IN \
                    (SELECT position FROM messages WHERE room_id = $1 AND position BETWEEN $2 AND $3)";
    PURGE_MESSAGES = "DELETE FROM messages WHERE room_id = $1 AND position BETWEEN $2 AND $3";
    NOTE_PURGED = "UPDATE rooms SET purged = TRUE WHERE id = $1";
    HAS_OLD_SESSIONS = "SELECT 1 FROM sessions WHERE expires_at < $1 LIMIT 1";
    PURGE_SESSIONS = "DELETE FROM sessions WHERE id IN \
                      (SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";
}

impl Store {
    /// Takes a piece of the log's beginning away, up to the first event that is not older than `before`, or of the
    /// memberships that ended there. False when there is nothing left to take.
    pub async fn purge_events(&self, before: Timestamp) -> Result<bool, Error> {
        if HAS_OLD_MEMBERSHIPS.query().fetch_optional(&self.readers).await?.is_some() {
            self.journal.write(|w| Box::pin(purge_memberships(w))).await?;
            return Ok(true);
        }
        let rows = OLDEST_EVENTS.query().bind(PIECE_OF_EVENTS).fetch_all(&self.readers).await?;
        let mut floor = None;
        for row in &rows {
            if row.try_get::<i64, _>("at")? >= before.micros() {
                break;
            }
            floor = Some(row.try_get::<i64, _>("position")?);
        }
        let Some(floor) = floor else { return Ok(false) };
        self.journal.write(move |w| Box::pin(purge_events(w, floor))).await?;
        Ok(true)
    }

    /// Takes a piece of the messages of deleted rooms away, from the log too. False when there is nothing left to take.
    pub async fn purge_deleted_rooms(&self) -> Result<bool, Error> {
        let Some(row) = ROOM_TO_PURGE.query().fetch_optional(&self.readers).await? else { return Ok(false) };
        let room: Uuid = row.try_get(0)?;
        let row = OLDEST_MESSAGES.query().bind(room).bind(PIECE).fetch_one(&self.readers).await?;
        // Nothing is posted to a deleted room, so one that has no messages will have none.
        let piece = row.try_get::<Option<i64>, _>(0)?.zip(row.try_get::<Option<i64>, _>(1)?);
        self.journal.write(move |w| Box::pin(purge_room(w, room, piece))).await?;
        Ok(true)
    }

    /// Takes a piece of the sessions away that were over before `at`, ended or not. False when there are no more.
    pub async fn purge_sessions(&self, at: Timestamp) -> Result<bool, Error> {
        let over = HAS_OLD_SESSIONS.query().bind(at.micros()).fetch_optional(&self.readers).await?;
        if over.is_none() {
            return Ok(false);
        }
        self.journal.write(move |w| Box::pin(purge_sessions(w, at))).await?;
        Ok(true)
    }
}

async fn purge_memberships(w: &mut Writing) -> Result<(), Stop> {
    PURGE_MEMBERSHIPS.query().bind(PIECE).execute(w.sql()).await?;
    Ok(())
}

async fn purge_events(w: &mut Writing, floor: i64) -> Result<(), Stop> {
    PURGE_EVENTS.query().bind(floor).execute(w.sql()).await?;
    RAISE_FLOOR.query().bind(floor).execute(w.sql()).await?;
    Ok(())
}

/// The messages from one position to another, or the end of the work where there are none.
async fn purge_room(w: &mut Writing, room: Uuid, piece: Option<(i64, i64)>) -> Result<(), Stop> {
    let Some((first, last)) = piece else {
        NOTE_PURGED.query().bind(room).execute(w.sql()).await?;
        return Ok(());
    };
    // The messages say which events are theirs, so they go last.
    for statement in [SCRUB_EVENTS, PURGE_MESSAGES] {
        statement.query().bind(room).bind(first).bind(last).execute(w.sql()).await?;
    }
    Ok(())
}

async fn purge_sessions(w: &mut Writing, at: Timestamp) -> Result<(), Stop> {
    PURGE_SESSIONS.query().bind(at.micros()).bind(PIECE).execute(w.sql()).await?;
    Ok(())
}
