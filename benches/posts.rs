//! Durable posts: one alone beside a bare commit that is synced as ours are, and many clients at once beside the same rows
//! written straight into SQLite by one thread, in batches.

use std::path::Path;
use std::time::Instant;

use parlor::domain::ids::Ids;
use serde_json::{Value, json};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use super::client::Client;
use super::server::Server;
use super::table::{Row, Table, Target, quantile};

const ALONE: usize = 500;
const CLIENTS: [usize; 2] = [64, 256];
const POSTS: usize = 40_000;
const BODY: &str = "the quick brown fox jumps over the lazy dog, and nobody minds";

pub async fn run(table: &mut Table) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path());
    let mut ada = Client::sign_up(server.address, "ada").await;
    let room = ada.request("POST", "/v1/rooms", &json!({"name": "bench"})).await;
    let path = format!("/v1/rooms/{}/messages", room["id"].as_str().expect("an id"));

    let mut bare = Bare::open(folder.path()).await;
    let (mut posts, mut commits) = (Vec::new(), Vec::new());
    for n in 0..ALONE {
        // In turn, so that a noisy moment hits both.
        let began = Instant::now();
        ada.request("POST", &path, &json!({"body": BODY, "client_id": format!("alone-{n}")})).await;
        posts.push(began.elapsed().as_secs_f64() * 1e3);
        let began = Instant::now();
        bare.commit(1).await;
        commits.push(began.elapsed().as_secs_f64() * 1e3);
    }
    posts.sort_by(f64::total_cmp);
    commits.sort_by(f64::total_cmp);
    let (post, commit) = (quantile(&posts, 0.5), quantile(&commits, 0.5));
    println!("one post alone      {post:8.2} ms p50; bare commit {commit:.2} ms; ratio {:.2}", post / commit);

    for clients in CLIENTS {
        many(&ada, &path, clients, &mut bare).await;
    }
}

async fn many(ada: &Client, path: &str, clients: usize, bare: &mut Bare) {
    let each = POSTS / clients;
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(ada.again().await);
    }
    let began = Instant::now();
    let tasks = connections.into_iter().enumerate().map(|(client, mut connection)| {
        let path = path.to_owned();
        tokio::spawn(async move {
            let mut times = Vec::with_capacity(each);
            for n in 0..each {
                let body = json!({"body": BODY, "client_id": format!("{clients}-{client}-{n}")});
                let began = Instant::now();
                connection.exchange("POST", &path, &body.to_string()).await;
                times.push(began.elapsed().as_secs_f64() * 1e3);
            }
            times
        })
    });
    let mut times = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        times.extend(task.await.expect("a client"));
    }
    let rate = times.len() as f64 / began.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);

    let began = Instant::now();
    for _ in 0..POSTS / clients {
        bare.commit(clients).await;
    }
    let straight = (POSTS / clients * clients) as f64 / began.elapsed().as_secs_f64();
    println!(
        "{clients:3} clients posting  {rate:8.0} posts/s, p50 {:.1} ms, p99 {:.1} ms; straight into SQLite {straight:.0}/s; ratio {:.2}",
        quantile(&times, 0.5),
        quantile(&times, 0.99),
        rate / straight
    );
}

/// The yardstick: rows as large as ours, one synced transaction for a batch, no server.
struct Bare {
    connection: SqliteConnection,
    next: i64,
}

impl Bare {
    async fn open(folder: &Path) -> Self {
        let options = SqliteConnectOptions::new().filename(folder.join("bare.db")).create_if_missing(true);
        let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
        let mut connection = options.disable_statement_logging().connect().await.expect("a database");
        let tables = "CREATE TABLE messages (position INTEGER PRIMARY KEY, id BLOB UNIQUE, room BLOB, body TEXT); \
                      CREATE INDEX of_room ON messages (room, position); \
                      CREATE TABLE events (position INTEGER PRIMARY KEY, room BLOB, data TEXT)";
        sqlx::raw_sql(tables).execute(&mut connection).await.expect("tables");
        Self { connection, next: 1 }
    }

    async fn commit(&mut self, rows: usize) {
        let mut transaction = self.connection.begin().await.expect("a transaction");
        for _ in 0..rows {
            let id = Ids.message().uuid();
            let data = event_of(&id);
            let sql = "INSERT INTO messages (position, id, room, body) VALUES ($1, $2, x'00', $3); \
                       INSERT INTO events (position, room, data) VALUES ($1, x'00', $4)";
            let insert = sqlx::query(sql).bind(self.next).bind(id).bind(BODY).bind(data);
            insert.execute(&mut *transaction).await.expect("a row");
            self.next += 1;
        }
        transaction.commit().await.expect("a commit");
    }
}

fn event_of(id: &uuid::Uuid) -> String {
    let actor: Value = json!({"id": id, "username": "ada", "display_name": "ada"});
    let message = json!({"id": id, "room": id, "seq": 1, "author": actor, "body": BODY, "created_at": "2026-01-01T00:00:00.000000Z"});
    json!({"type": "message.posted", "room": id, "seq": 1, "actor": actor, "message": message}).to_string()
}
