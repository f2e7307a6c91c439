//! Everybody comes back at once: thousands of streams that resume on one node or on two, where PostgreSQL is asked who may read
//! what, beside the same number on one node with SQLite.

use std::time::Duration;

use parlor::domain::ids::RoomId;
use serde_json::Value;
use tempfile::TempDir;

use super::bus::Bus;
use super::postgres::{Database, Postgres};
use super::start_node;
use crate::client::Client;
use crate::people::{Person, Seeding, events_of};
use crate::scale;
use crate::server::Server;
use crate::subscribers::Subscribers;
use crate::table::{Row, Table, Target, median};

const STREAMS: usize = 3_000;
const ROUNDS: usize = 3;

/// A room that everybody is in.
struct Hall {
    people: Vec<Person>,
    room: RoomId,
    folder: TempDir,
    /// None: SQLite's, in the folder.
    database: Option<Database>,
}

pub async fn run(table: &mut Table) {
    let streams = scale::count(STREAMS);
    let postgres = Postgres::start().await;
    let shared = Hall::fill(Some(postgres.create("parlor").await), streams).await;
    let own = Hall::fill(None, streams).await;
    let (mut times, mut used): ([Vec<f64>; 3], Vec<f64>) = Default::default();
    for _ in 0..scale::rounds(ROUNDS) {
        for (times, (hall, nodes)) in times.iter_mut().zip([(&shared, 1), (&shared, 2), (&own, 1)]) {
            let nodes = hall.start(nodes);
            let usage = postgres.usage();
            times.push(hall.resume(&nodes).await.as_secs_f64() * 1e3);
            if hall.database.is_some() {
                used.push(postgres.usage().since(&usage) * 1e3 / streams as f64);
            }
        }
    }
    println!("  PostgreSQL used {:.3} ms of CPU for each stream", median(&used));
    let [one, two, sqlite] = times.map(|times| median(&times));
    for (nodes, took) in [("one node", one), ("two nodes", two)] {
        let name = format!("PostgreSQL: {streams} streams resumed at once on {nodes}");
        let row = Row::ratio(name, took / sqlite, Target::None);
        let yardstick = format!("one node on SQLite: {sqlite:.0} ms");
        table.add(row.parlor(format!("{took:.0} ms")).yardstick(yardstick));
    }
}

impl Hall {
    async fn fill(database: Option<Database>, members: usize) -> Self {
        let seeding = match &database {
            Some(database) => Seeding::begin_in(&database.url).await,
            None => Seeding::begin().await,
        };
        let (people, room) = seeding.hall(members).await;
        Self { people, room, folder: seeding.done().await, database }
    }

    /// Starts nodes. They have seen none of the sessions.
    fn start(&self, nodes: usize) -> Vec<Server> {
        let node = |_| match &self.database {
            Some(database) => start_node(&self.folder, database, &Bus::Notify),
            None => Server::start(self.folder.path()),
        };
        (0..nodes).map(node).collect()
    }

    /// How long it takes until all streams together are open.
    async fn resume(&self, nodes: &[Server]) -> Duration {
        let mut owner = Client::connect(nodes[0].address, &self.people[0].token).await;
        let room = owner.request("GET", &format!("/v1/rooms/{}", self.room), &Value::Null).await;
        let path = format!("{}?after={}", events_of(self.room), room["cursor"].as_str().expect("a cursor"));
        let shares = self.people.chunks(self.people.len().div_ceil(nodes.len()));
        let opened = nodes.iter().zip(shares).map(|(node, share)| {
            let subscriptions = share.iter().map(|person| person.follows(&path)).collect();
            Subscribers::open(node.address, subscriptions)
        });
        let opened = futures_util::future::join_all(opened).await;
        opened.iter().map(|subscribers| subscribers.opened_after).max().expect("there are nodes")
    }
}
