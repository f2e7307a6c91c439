//! Fills a data folder with more than could be posted in a measurement's time, straight into the store's own tables, while
//! no server runs on it.

use std::path::Path;

use parlor::domain::clock::Clock;
use parlor::domain::ids::RoomId;
use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;

use super::stamp;

/// The id of the message `i` of a room `r`, in SQL. It begins as the room's id does and ends in the message's number. Rooms may have
/// been made in the same millisecond, so digits from the end of the room's id are in between.
const MESSAGE_ID: &str = "unhex(hex(substr(r.id, 1, 6)) || '7' || substr(hex(r.id), -3) || '8' || substr(hex(r.id), -6, 3) \
                          || printf('%012x', i))";

/// Messages, positions following the log's end. Their ids end in their number.
pub fn messages(folder: &Path, room: &str, count: i64) {
    let sql = format!(
        "INSERT INTO messages (position, id, room_id, seq, author_id, body, client_id, client_hash, created_at) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) \
         SELECT l.head + i, {MESSAGE_ID}, \
         r.id, r.head + i, r.created_by, 'message number ' || i, \
         lower(hex(randomblob(16))), randomblob(32), 1700000000000000 + i \
         FROM n, rooms r, log l WHERE r.name = ?1"
    );
    let connection = connect(folder);
    connection.execute(&sql, (room, count)).expect("messages");
    advance(&connection, room, count);
}

/// So many messages of its maker in every room. Positions follow the log's end, which has no events for them.
pub fn messages_everywhere(folder: &Path, count: i64) {
    let sql = format!(
        "INSERT INTO messages (position, id, room_id, seq, author_id, body, client_id, client_hash, created_at) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
         SELECT l.head + (i - 1) * o.rooms + o.number, {MESSAGE_ID}, r.id, r.head + i, r.created_by, 'message number ' || i, \
         lower(hex(randomblob(16))), randomblob(32), 1700000000000000 + i \
         FROM n CROSS JOIN (SELECT id, row_number() OVER (ORDER BY id) AS number, count(*) OVER () AS rooms FROM rooms) o \
         JOIN rooms r ON r.id = o.id CROSS JOIN log l"
    );
    let connection = connect(folder);
    connection.execute(&sql, [count]).expect("messages");
    connection.execute("UPDATE rooms SET head = head + ?1", [count]).expect("the heads of rooms");
    let head = "UPDATE log SET head = head + ?1 * (SELECT count(*) FROM rooms)";
    connection.execute(head, [count]).expect("the log's head");
}

/// Events like the newest one of the room, which must be a message, following it.
pub fn events(folder: &Path, room: &str, count: i64) {
    let connection = connect(folder);
    let sql = "SELECT e.data FROM events e JOIN rooms r ON r.id = e.room_id WHERE r.name = ?1 ORDER BY position DESC LIMIT 1";
    let data: String = connection.query_row(sql, [room], |row| row.get(0)).expect("an event");
    let mark = std::str::from_utf8(stamp::SEQ).expect("ASCII");
    let at = data.find(mark).expect("an event has a seq") + mark.len();
    let (head, tail) = data.split_at(at);
    let tail = tail.trim_start_matches(|c: char| c.is_ascii_digit());
    let sql = "INSERT INTO events (position, audience, room_id, seq, type, data, at) \
               WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) \
               SELECT l.head + i, 'room', r.id, r.head + i, 'message.posted', ?3 || (r.head + i) || ?4, ?5 \
               FROM n, rooms r, log l WHERE r.name = ?1";
    let now = Clock::SYSTEM.now().micros();
    connection.execute(sql, (room, count, head, tail, now)).expect("events");
    advance(&connection, room, count);
}

/// Posts to a room as the server writes them: each is a message and an event at the same position.
pub fn posts(folder: &Path, room: &str, count: i64) {
    let sql = format!(
        "INSERT INTO events (position, audience, room_id, seq, type, ref, data, at) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2) \
         SELECT l.head + i, 'room', r.id, r.head + i, 'message.posted', \
         {MESSAGE_ID}, \
         '{{\"type\":\"message.posted\",\"message\":\"' || hex(zeroblob(200)) || '\"}}', ?3 + i FROM n, rooms r, log l WHERE r.name = ?1"
    );
    let now = Clock::SYSTEM.now().micros();
    connect(folder).execute(&sql, (room, count, now)).expect("events");
    // The log's end has not moved: the messages come at the same positions.
    messages(folder, room, count);
}

/// How many messages of a room are kept.
pub fn count_messages(folder: &Path, room: RoomId) -> i64 {
    let sql = "SELECT count(*) FROM messages WHERE room_id = ?1";
    reader(folder).query_row(sql, [room.uuid()], |row| row.get(0)).expect("a count")
}

fn advance(connection: &Connection, room: &str, count: i64) {
    let sql = "UPDATE rooms SET head = head + ?2 WHERE name = ?1";
    connection.execute(sql, (room, count)).expect("the room's head");
    connection.execute("UPDATE log SET head = head + ?1", [count]).expect("the log's head");
}

/// It is durable only once it is closed. That is enough: half of the data is of no use.
fn connect(folder: &Path) -> Connection {
    let connection = open(folder, OpenFlags::SQLITE_OPEN_READ_WRITE);
    connection.pragma_update(None, "journal_mode", "MEMORY").expect("a journal in memory");
    connection.pragma_update(None, "synchronous", "OFF").expect("no syncs");
    connection
}

/// The yardstick of replay: reads at most `limit` of a room's events after the first ones, every column of them, straight from
/// SQLite. Gives how many it read.
pub fn read_events(connection: &Connection, room: &str, after: i64, limit: i64) -> usize {
    let sql = "SELECT position, room_id, type, ref, data FROM events WHERE room_id = \
               (SELECT id FROM rooms WHERE name = ?1) AND position > ?2 ORDER BY position LIMIT ?3";
    let mut statement = connection.prepare_cached(sql).expect("a statement");
    let rows = statement.query_map((room, after, limit), |row| {
        let (position, kind, data): (i64, String, String) = (row.get(0)?, row.get(2)?, row.get(4)?);
        let (_room, _subject): (Uuid, Option<Uuid>) = (row.get(1)?, row.get(3)?);
        assert!(position > after && !kind.is_empty() && !data.is_empty(), "an event");
        Ok(())
    });
    rows.expect("rows").map(|row| row.expect("a row")).count()
}

/// A connection that reads beside the server.
pub fn reader(folder: &Path) -> Connection {
    open(folder, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Opens the database of a data folder.
pub fn open(folder: &Path, flags: OpenFlags) -> Connection {
    // One thread at a time uses a connection, as in the server.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(folder.join("parlor.db"), flags).expect("the database")
}
