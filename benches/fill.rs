//! Fills a data folder with more than could be posted in a measurement's time, straight into the store's own tables, while
//! no server runs on it.

use std::path::Path;

use futures_util::StreamExt;
use parlor::domain::clock::Clock;
use parlor::domain::ids::RoomId;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Row};

use super::stamp;

/// Messages, positions following the log's end. Their ids end in their number.
pub async fn messages(folder: &Path, room: &str, count: i64) {
    let sql = "INSERT INTO messages (position, id, room_id, seq, author_id, body, client_id, client_hash, created_at) \
               WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2) \
               SELECT l.head + i, unhex(hex(substr(r.id, 1, 6)) || '70008' || substr('000', 1, 3) || printf('%012x', i)), \
               r.id, r.head + i, r.created_by, 'message number ' || i, \
               lower(hex(randomblob(16))), randomblob(32), 1700000000000000 + i \
               FROM n, rooms r, log l WHERE r.name = $1";
    let mut connection = connect(folder).await;
    sqlx::query(sql).bind(room).bind(count).execute(&mut connection).await.expect("messages");
    advance(&mut connection, room, count).await;
}

/// Events like the newest one of the room, which must be a message, following it.
pub async fn events(folder: &Path, room: &str, count: i64) {
    let mut connection = connect(folder).await;
    let sql = "SELECT e.data FROM events e JOIN rooms r ON r.id = e.room_id WHERE r.name = $1 ORDER BY position DESC LIMIT 1";
    let row = sqlx::query(sql).bind(room).fetch_one(&mut connection).await.expect("an event");
    let data: String = row.get(0);
    let mark = std::str::from_utf8(stamp::SEQ).expect("ASCII");
    let at = data.find(mark).expect("an event has a seq") + mark.len();
    let (head, tail) = data.split_at(at);
    let tail = tail.trim_start_matches(|c: char| c.is_ascii_digit());
    let sql = "INSERT INTO events (position, audience, room_id, seq, type, data, at) \
               WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2) \
               SELECT l.head + i, 'room', r.id, r.head + i, 'message.posted', $3 || (r.head + i) || $4, $5 \
               FROM n, rooms r, log l WHERE r.name = $1";
    let insert = sqlx::query(sql).bind(room).bind(count).bind(head).bind(tail);
    insert.bind(Clock::SYSTEM.now().micros()).execute(&mut connection).await.expect("events");
    advance(&mut connection, room, count).await;
}

/// Posts to a room as the server writes them: each is a message and an event at the same position.
pub async fn posts(folder: &Path, room: &str, count: i64) {
    let sql = "INSERT INTO events (position, audience, room_id, seq, type, ref, data, at) \
               WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2) \
               SELECT l.head + i, 'room', r.id, r.head + i, 'message.posted', \
               unhex(hex(substr(r.id, 1, 6)) || '70008' || substr('000', 1, 3) || printf('%012x', i)), \
               '{\"type\":\"message.posted\",\"message\":\"' || hex(zeroblob(200)) || '\"}', $3 + i FROM n, rooms r, log l WHERE r.name = $1";
    let mut connection = connect(folder).await;
    let insert = sqlx::query(sql).bind(room).bind(count).bind(Clock::SYSTEM.now().micros());
    insert.execute(&mut connection).await.expect("events");
    // The log's end has not moved: the messages come at the same positions.
    messages(folder, room, count).await;
}

/// How many messages of a room are kept.
pub async fn count_messages(folder: &Path, room: RoomId) -> i64 {
    let count = sqlx::query("SELECT count(*) FROM messages WHERE room_id = $1").bind(room.uuid());
    count.fetch_one(&mut reader(folder).await).await.expect("a count").get(0)
}

async fn advance(connection: &mut SqliteConnection, room: &str, count: i64) {
    let sql = "UPDATE rooms SET head = head + $2 WHERE name = $1; UPDATE log SET head = head + $2";
    sqlx::query(sql).bind(room).bind(count).execute(connection).await.expect("heads");
}

/// It is durable only once it is closed. That is enough: half of the data is of no use.
async fn connect(folder: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.join("parlor.db"));
    let options = options.journal_mode(SqliteJournalMode::Memory).synchronous(SqliteSynchronous::Off);
    options.disable_statement_logging().connect().await.expect("the database")
}

/// The yardstick of replay: reads at most `limit` of a room's events after the first ones, by sqlx alone. Gives how many it
/// read.
pub async fn read_events(connection: &mut SqliteConnection, room: &str, after: i64, limit: i64) -> usize {
    let sql = "SELECT position, room_id, type, ref, data FROM events WHERE room_id = \
               (SELECT id FROM rooms WHERE name = $1) AND position > $2 ORDER BY position LIMIT $3";
    let mut rows = sqlx::query(sql).bind(room).bind(after).bind(limit).fetch(connection);
    let mut read = 0;
    while let Some(row) = rows.next().await {
        let row = row.expect("a row");
        let data: String = row.get("data");
        let position: i64 = row.get("position");
        assert!(position > after && !data.is_empty(), "an event");
        read += 1;
    }
    read
}

/// A connection that reads beside the server.
pub async fn reader(folder: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.join("parlor.db")).read_only(true);
    // sqlx fetches 50 rows at a time by default; then changing threads would be measured, not reading.
    let options = options.row_buffer_size(1_000);
    options.disable_statement_logging().connect().await.expect("the database")
}
