//! Durable posts on PostgreSQL: one alone, and many clients at once, beside the same batches written straight into the same
//! tables.

use std::time::Instant;

use parlor::domain::ids::RoomId;
use serde_json::json;
use tempfile::TempDir;
use tokio_postgres::Client as Connection;

use super::bus::Bus;
use super::postgres::{Database, Postgres};
use super::start_node;
use super::straight::{Straight, Way};
use crate::burst::{BODY, Bursts};
use crate::client::Client;
use crate::people::{Person, Seeding, messages_of};
use crate::scale;
use crate::table::{Row, Table, Target, median};

const ALONE: usize = 500;
const CLIENTS: [usize; 2] = [64, 256];
/// Posts of one round.
const POSTS: usize = 12_800;
const ROUNDS: usize = 5;

pub async fn run(table: &mut Table) {
    let postgres = Postgres::start().await;
    let database = postgres.create("parlor").await;
    let (folder, room, author) = seed(&database).await;
    let node = start_node(&folder, &database, &Bus::Notify);
    let ada = Client::connect(node.address, &author.token).await;
    let mut straight = Straight::open(&postgres.create("straight").await).await;
    alone(table, ada.again().await, room, &mut straight).await;
    let batches = Batches::watch(&database).await;
    for clients in CLIENTS {
        many(table, &ada, room, clients, &batches, &mut straight).await;
    }
}

/// A room and its owner in an empty database, and a folder with the keys.
pub async fn seed(database: &Database) -> (TempDir, RoomId, Person) {
    let seeding = Seeding::begin_in(&database.url).await;
    let (mut people, room) = seeding.hall(1).await;
    (seeding.done().await, room, people.remove(0))
}

async fn alone(table: &mut Table, mut ada: Client, room: RoomId, straight: &mut Straight) {
    let (mut posts, mut commits) = (Vec::new(), Vec::new());
    for n in 0..scale::count(ALONE) {
        // In turn, so that a noisy moment disturbs both alike.
        let began = Instant::now();
        let body = json!({"body": BODY, "client_id": format!("alone-{n}")}).to_string();
        ada.exchange("POST", &messages_of(room), &body).await;
        posts.push(began.elapsed().as_secs_f64() * 1e3);
        let began = Instant::now();
        straight.commit(1, Way::Rows).await;
        commits.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let (post, commit) = (median(&posts), median(&commits));
    let row = Row::ratio("PostgreSQL: one post alone, p50", post / commit, Target::AtMost(1.5));
    table.add(row.parlor(format!("{post:.2} ms")).yardstick(format!("one such commit: {commit:.2} ms")));
}

async fn many(
    table: &mut Table,
    ada: &Client,
    room: RoomId,
    clients: usize,
    batches: &Batches,
    straight: &mut Straight,
) {
    let each = scale::count(POSTS) / clients;
    let (mut bursts, mut rows, mut arrays, mut sizes) = (Bursts::default(), vec![], vec![], vec![]);
    for _ in 0..scale::rounds(ROUNDS) {
        let mut connections = Vec::new();
        for _ in 0..clients {
            connections.push(ada.again().await);
        }
        let before = batches.end_of_log().await;
        bursts.send(connections, &messages_of(room), each).await;
        let made = batches.after(before).await;
        assert_eq!(made.iter().sum::<usize>(), each * clients, "each post is one entry of the log");
        rows.push(rate(straight, &made, Way::Rows).await);
        arrays.push(rate(straight, &made, Way::Arrays).await);
        sizes.push((each * clients) as f64 / made.len() as f64);
    }
    let (rows, arrays, size) = (median(&rows), median(&arrays), median(&sizes));
    let name = format!("PostgreSQL: durable posts, {clients} connections");
    let row = Row::ratio(name, bursts.rate() / rows, Target::AtLeast(0.5));
    let yardstick =
        format!("the same batches straight, {size:.0} each: {rows:.0}/s; as arrays {arrays:.0}/s");
    table.add(row.parlor(bursts.text()).yardstick(yardstick));
}

/// Posts a second that are written straight, in batches of these sizes.
pub async fn rate(straight: &mut Straight, batches: &[usize], way: Way) -> f64 {
    let began = Instant::now();
    for size in batches {
        straight.commit(*size, way).await;
    }
    batches.iter().sum::<usize>() as f64 / began.elapsed().as_secs_f64()
}

/// Looks at which transactions the nodes have written.
pub struct Batches(Connection);

impl Batches {
    pub async fn watch(database: &Database) -> Self {
        Self(database.connect().await)
    }

    /// The newest position.
    pub async fn end_of_log(&self) -> i64 {
        self.0.query_one("SELECT head FROM log", &[]).await.expect("a log").get(0)
    }

    /// How many entries of the log each transaction has written since a position, in their order.
    pub async fn after(&self, position: i64) -> Vec<usize> {
        let sql =
            "SELECT count(*) FROM events WHERE position > $1 GROUP BY xmin::text ORDER BY min(position)";
        let sizes = self.0.query(sql, &[&position]).await.expect("the entries");
        sizes.iter().map(|row| row.get::<_, i64>(0) as usize).collect()
    }
}
