//! Durable posts: one alone, and many clients at once, and another write alone, beside the same rows written straight into the same tables by one
//! thread and nothing else, in batches of the size that the server really made.

use std::path::Path;
use std::time::Instant;

use parlor::domain::clock::Clock;
use parlor::domain::ids::{Ids, RoomId};
use rusqlite::{Connection, OpenFlags, ToSql, params};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::burst::{BODY, Bursts};
use super::client::Client;
use super::fill;
use super::people::{Person, Seeding, messages_of};
use super::scale;
use super::server::Server;
use super::table::{Row as TableRow, Table, Target, median};

const ALONE: usize = 500;
const CLIENTS: [usize; 2] = [64, 256];
/// Posts of one round.
const POSTS: usize = 12_800;
const ROUNDS: usize = 3;

/// The rows of a post.
const MESSAGE: &str = "INSERT INTO messages \
    (position, id, room_id, seq, author_id, body, client_id, client_hash, created_at) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, x'00112233445566778899aabbccddeeff', ?8)";
const EVENT: &str = "INSERT INTO events (position, audience, room_id, seq, type, ref, data, at) \
    VALUES (?1, 'room', ?2, ?3, 'message.posted', ?4, ?5, ?6)";

pub async fn run(table: &mut Table) {
    let (folder, room, author) = seed().await;
    let server = Server::start(folder.path());
    let mut ada = Client::connect(server.address, &author.token).await;
    let path = messages_of(room);
    let mut bare = Bare::open().await;
    let (mut posts, mut changes, mut commits) = (Vec::new(), Vec::new(), Vec::new());
    let of_room = path.trim_end_matches("/messages");
    for n in 0..scale::count(ALONE) {
        // In turn, so that a noisy moment disturbs both alike.
        let began = Instant::now();
        let body = json!({"body": BODY, "client_id": format!("alone-{n}")}).to_string();
        ada.exchange("POST", &path, &body).await;
        posts.push(began.elapsed().as_secs_f64() * 1e3);
        let began = Instant::now();
        ada.exchange("PATCH", of_room, &json!({"topic": format!("topic {n}")}).to_string()).await;
        changes.push(began.elapsed().as_secs_f64() * 1e3);
        let began = Instant::now();
        bare.commit(1);
        commits.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let (post, commit) = (median(&posts), median(&commits));
    let row = TableRow::ratio("one post alone, p50", post / commit, Target::AtMost(1.5));
    table.add(row.parlor(format!("{post:.2} ms")).yardstick(format!("one synced commit: {commit:.2} ms")));
    let change = median(&changes);
    let row = TableRow::ratio("one change of a room alone, p50", change / post, Target::AtMost(1.3));
    table.add(row.parlor(format!("{change:.2} ms")).yardstick(format!("one post alone: {post:.2} ms")));
    for clients in CLIENTS {
        many(table, &ada, &path, clients, folder.path(), &mut bare).await;
    }
}

/// A data folder with one room and its owner.
pub async fn seed() -> (TempDir, RoomId, Person) {
    let seeding = Seeding::begin().await;
    let (mut people, room) = seeding.hall(1).await;
    (seeding.done().await, room, people.remove(0))
}

async fn many(table: &mut Table, ada: &Client, path: &str, clients: usize, folder: &Path, bare: &mut Bare) {
    let each = scale::count(POSTS) / clients;
    let (mut bursts, mut straight, mut batch) = (Bursts::default(), Vec::new(), 0.0);
    let all = (each * clients) as f64;
    for _ in 0..scale::rounds(ROUNDS) {
        let mut connections = Vec::new();
        for _ in 0..clients {
            connections.push(ada.again().await);
        }
        let before = commits(folder);
        bursts.send(connections, path, each).await;
        batch = all / f64::from(commits(folder).wrapping_sub(before));

        let rows = (batch.round() as usize).max(1);
        let began = Instant::now();
        for _ in 0..(each * clients).div_ceil(rows) {
            bare.commit(rows);
        }
        let written = (each * clients).div_ceil(rows) * rows;
        straight.push(written as f64 / began.elapsed().as_secs_f64());
    }
    let straight = median(&straight);
    let row = TableRow::ratio(
        format!("durable posts, {clients} connections"),
        bursts.rate() / straight,
        Target::AtLeast(0.5),
    );
    let yardstick = format!("straight into SQLite, {batch:.0} a batch: {straight:.0}/s");
    table.add(row.parlor(bursts.text()).yardstick(yardstick));
    if clients == CLIENTS[0] {
        let row = TableRow::figure(
            format!("durable posts, {clients} connections, p99"),
            bursts.p99(),
            " ms",
            Target::AtMost(15.0),
        );
        table.add(row.parlor(format!("{:.1} ms", bursts.p99())).yardstick("-"));
    }
}

/// How many transactions were ever committed to a database in use: a count in the header of its WAL index (`iChange`, in
/// "The WAL-Index File Format" of SQLite's documents), which wraps.
fn commits(folder: &Path) -> u32 {
    let index = std::fs::read(folder.join("parlor.db-shm")).expect("a database in use");
    u32::from_ne_bytes(index[8..12].try_into().expect("four bytes"))
}

/// The yardstick: the rows of a post, one synced transaction for a batch, no server.
struct Bare {
    connection: Connection,
    room: RoomId,
    author: Person,
    /// The last position, and what the room has counted.
    last: i64,
    seq: i64,
    _folder: TempDir,
}

impl Bare {
    async fn open() -> Self {
        let (folder, room, author) = seed().await;
        let connection = fill::open(folder.path(), OpenFlags::SQLITE_OPEN_READ_WRITE);
        connection.pragma_update(None, "journal_mode", "WAL").expect("write-ahead logging");
        connection.pragma_update(None, "synchronous", "FULL").expect("synced commits");
        let heads = "SELECT log.head, rooms.head FROM log, rooms";
        let heads = connection.query_row(heads, [], |row| Ok((row.get(0)?, row.get(1)?)));
        let (last, seq) = heads.expect("heads");
        Self { connection, room, author, last, seq, _folder: folder }
    }

    fn commit(&mut self, rows: usize) {
        let transaction = self.connection.transaction().expect("a transaction");
        let run = |sql: &str, values: &[&dyn ToSql]| {
            let statement = transaction.prepare_cached(sql);
            statement.and_then(|mut statement| statement.execute(values)).expect("it is written");
        };
        let (room, author) = (self.room.uuid(), self.author.id.uuid());
        for _ in 0..rows {
            self.last += 1;
            self.seq += 1;
            let (last, seq, id) = (self.last, self.seq, Ids::SYSTEM.message().uuid());
            let (client_id, at) = (format!("alone-{last}"), Clock::SYSTEM.now().micros());
            run(MESSAGE, params![last, id, room, seq, author, BODY, client_id, at]);
            run(EVENT, params![last, room, seq, id, event_of(&id), at]);
            run("UPDATE rooms SET head = ?2 WHERE id = ?1", params![room, seq]);
        }
        run("UPDATE log SET head = ?1", params![self.last]);
        transaction.commit().expect("a commit");
    }
}

/// What the log keeps of a post.
pub fn event_of(id: &uuid::Uuid) -> String {
    let actor: Value = json!({"id": id, "username": "ada", "display_name": "ada"});
    let message = json!({"id": id, "room": id, "seq": 1, "author": actor, "body": BODY, "created_at": "2026-01-01T00:00:00.000000Z"});
    json!({"type": "message.posted", "room": id, "seq": 1, "actor": actor, "message": message}).to_string()
}
