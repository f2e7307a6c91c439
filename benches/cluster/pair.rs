//! Two nodes on one database, with a room that people on both follow and one that nobody does.

use std::time::Duration;

use parlor::domain::ids::RoomId;
use serde_json::json;
use tempfile::TempDir;

use super::bus::Bus;
use super::postgres::{Database, Postgres};
use super::start_node;
use crate::client::Client;
use crate::people::{Person, Seeding, events_of, messages_of};
use crate::server::Server;
use crate::stamp;
use crate::subscribers::Subscribers;

/// Two nodes, each of which writes in its turn while the other one only follows.
pub struct Pair {
    pub nodes: [Server; 2],
    /// The first one has made the rooms.
    pub people: Vec<Person>,
    pub room: RoomId,
    pub empty: RoomId,
    _folder: TempDir,
    _database: Database,
}

impl Pair {
    pub async fn start(postgres: &Postgres, bus: &Bus, people: usize) -> Self {
        let database = postgres.create(&format!("by_{}", bus.name())).await;
        let seeding = Seeding::begin_in(&database.url).await;
        let (people, room) = seeding.hall(people).await;
        let empty = seeding.rooms("empty", &[&people[0]]).await[0];
        let folder = seeding.done().await;
        let nodes = [start_node(&folder, &database, bus), start_node(&folder, &database, bus)];
        Self { nodes, people, room, empty, _folder: folder, _database: database }
    }

    /// A stream of each person on each node.
    pub async fn subscribers(&self) -> [Subscribers; 2] {
        let path = events_of(self.room);
        let open = async |node: &Server| {
            let subscriptions = self.people.iter().map(|person| person.follows(&path)).collect();
            Subscribers::open(node.address, subscriptions).await
        };
        [open(&self.nodes[0]).await, open(&self.nodes[1]).await]
    }

    /// Posts at a steady rate through one of the nodes.
    pub async fn post(&self, node: usize, room: RoomId, per_second: u32, posts: u64) {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
        let mut author = Client::connect(self.nodes[node].address, &self.people[0].token).await;
        for _ in 0..posts {
            ticks.tick().await;
            let body = json!({"body": stamp::text()}).to_string();
            author.exchange("POST", &messages_of(room), &body).await;
        }
    }

    /// Seconds that each node has used on the CPU.
    pub fn used(&self) -> [f64; 2] {
        self.nodes.each_ref().map(|node| node.processes().cpu_of_threads())
    }
}
