//! Taking away what nobody may read any more: the beginning of the log, the messages of deleted rooms, sessions that are
//! over. What is to go is found by a reader; the journal takes it away in pieces, each in a transaction of its own, because
//! posts wait for as long as a piece takes.

use super::Store;
use super::error::{Error, Stop};
use super::journal::Transaction;
use super::sql::{Row, statements};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{Position, RoomId};

/// Rows that one piece takes away. Each message of a deleted room touches pages all over the file, and posts wait for the piece.
const PIECE: i64 = 16;
/// The same for events, and for mentions and read marks of a room. They lie side by side, so that each costs less.
const PIECE_OF_EVENTS: i64 = 256;
/// The same for reactions, for the same reason.
const PIECE_OF_REACTIONS: i64 = 256;

statements! {
    /// Events that no reader of the log of its own still needs.
    OLDEST_EVENTS = "SELECT position, at FROM events WHERE position > (SELECT floor FROM log) \
                     AND position <= coalesce((SELECT min(position) FROM consumers), 9223372036854775807) \
                     ORDER BY position LIMIT $1";
    PURGE_EVENTS = "DELETE FROM events WHERE position <= $1";
    /// Never lowers it: two nodes may purge at once.
    RAISE_FLOOR = "UPDATE log SET floor = $1 WHERE floor < $1";
    HAS_OLD_MEMBERSHIPS = "SELECT 1 FROM members WHERE until <= (SELECT floor FROM log) LIMIT 1";
    PURGE_MEMBERSHIPS = "DELETE FROM members WHERE (room_id, user_id, since) IN \
                         (SELECT room_id, user_id, since FROM members WHERE until <= (SELECT floor FROM log) LIMIT $1)";
    ROOM_TO_PURGE =
        "SELECT id FROM rooms WHERE deleted_at IS NOT NULL AND NOT purged ORDER BY deleted_at LIMIT 1";
    OLDEST_MESSAGES = "SELECT min(position) AS first, max(position) AS last FROM \
                       (SELECT position FROM messages WHERE room_id = $1 ORDER BY position LIMIT $2) AS piece";
    /// The log keeps the events, which do not have what was said.
    PURGE_MESSAGES = "DELETE FROM messages WHERE room_id = $1 AND position BETWEEN $2 AND $3";
    PURGE_REACTIONS = "DELETE FROM reactions WHERE (message, user_id, emoji) IN (SELECT x.message, x.user_id, x.emoji \
                       FROM messages g JOIN reactions x ON x.message = g.position \
                       WHERE g.room_id = $1 AND g.position BETWEEN $2 AND $3 LIMIT $4)";
    PURGE_MENTIONS = "DELETE FROM mentions WHERE (room_id, user_id, position) IN \
                      (SELECT room_id, user_id, position FROM mentions WHERE room_id = $1 LIMIT $2)";
    PURGE_READ_MARKS = "DELETE FROM read_marks WHERE (room_id, user_id) IN \
                        (SELECT room_id, user_id FROM read_marks WHERE room_id = $1 LIMIT $2)";
    NOTE_PURGED = "UPDATE rooms SET purged = TRUE WHERE id = $1";
    HAS_OLD_SESSIONS = "SELECT 1 FROM sessions WHERE expires_at < $1 LIMIT 1";
    PURGE_SESSIONS = "DELETE FROM sessions WHERE id IN \
                      (SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)";
}

impl Store {
    /// Takes a piece of the log's beginning away, up to the first event that is not older than `before`, or of the
    /// memberships that ended there. False when there is nothing left to take.
    pub async fn purge_events(&self, before: Timestamp) -> Result<bool, Error> {
        if self.first(HAS_OLD_MEMBERSHIPS.query(), |_| Ok(())).await?.is_some() {
            self.journal.write(|tx| Box::pin(purge_memberships(tx))).await?;
            return Ok(true);
        }
        let oldest =
            |row: &Row<'_>| Ok((Position(row.get("position")?), Timestamp::from_micros(row.get("at")?)));
        let oldest = self.all(OLDEST_EVENTS.bind(PIECE_OF_EVENTS), oldest).await?;
        let old = oldest.into_iter().take_while(|(_, at)| *at < before);
        let Some((floor, _)) = old.last() else { return Ok(false) };
        self.journal.write(move |tx| Box::pin(purge_events(tx, floor))).await?;
        Ok(true)
    }

    /// Takes a piece of the messages of deleted rooms away. False when there is nothing left to take.
    pub async fn purge_deleted_rooms(&self) -> Result<bool, Error> {
        let room = |row: &Row<'_>| Ok(RoomId::from_uuid(row.get("id")?));
        let Some(room) = self.first(ROOM_TO_PURGE.query(), room).await? else { return Ok(false) };
        let ends =
            |row: &Row<'_>| Ok((row.get::<Option<i64>, _>("first")?, row.get::<Option<i64>, _>("last")?));
        let ends = self.first(OLDEST_MESSAGES.bind(room).bind(PIECE), ends).await?;
        // Nothing is posted to a deleted room, so one that has no messages will have none.
        let piece = ends.and_then(|(first, last)| first.zip(last));
        self.journal.write(move |tx| Box::pin(purge_room(tx, room, piece))).await?;
        Ok(true)
    }

    /// Takes a piece of the sessions away that were over before `at`, ended or not. False when there are no more.
    pub async fn purge_sessions(&self, at: Timestamp) -> Result<bool, Error> {
        if self.first(HAS_OLD_SESSIONS.bind(at), |_| Ok(())).await?.is_none() {
            return Ok(false);
        }
        self.journal.write_plain(move |tx| Box::pin(purge_sessions(tx, at))).await?;
        Ok(true)
    }
}

async fn purge_memberships(tx: &mut Transaction) -> Result<(), Stop> {
    PURGE_MEMBERSHIPS.bind(PIECE).run(tx.sql()).await?;
    Ok(())
}

async fn purge_events(tx: &mut Transaction, floor: Position) -> Result<(), Stop> {
    PURGE_EVENTS.bind(floor).run(tx.sql()).await?;
    RAISE_FLOOR.bind(floor).run(tx.sql()).await?;
    Ok(())
}

/// The messages from one position to another; where there are none, what else there is of the room, or the end of the work.
async fn purge_room(tx: &mut Transaction, room: RoomId, piece: Option<(i64, i64)>) -> Result<(), Stop> {
    let Some((first, last)) = piece else {
        for statement in [PURGE_MENTIONS, PURGE_READ_MARKS] {
            if statement.bind(room).bind(PIECE_OF_EVENTS).run(tx.sql()).await? > 0 {
                return Ok(());
            }
        }
        NOTE_PURGED.bind(room).run(tx.sql()).await?;
        return Ok(());
    };
    let reactions = PURGE_REACTIONS.bind(room).bind(first).bind(last).bind(PIECE_OF_REACTIONS);
    let is_full = i64::try_from(reactions.run(tx.sql()).await?).is_ok_and(|gone| gone >= PIECE_OF_REACTIONS);
    // Any number of people may have reacted to a message. It goes once the last of its reactions is gone.
    if !is_full {
        PURGE_MESSAGES.bind(room).bind(first).bind(last).run(tx.sql()).await?;
    }
    Ok(())
}

async fn purge_sessions(tx: &mut Transaction, at: Timestamp) -> Result<(), Stop> {
    PURGE_SESSIONS.bind(at).bind(PIECE).run(tx.sql()).await?;
    Ok(())
}
