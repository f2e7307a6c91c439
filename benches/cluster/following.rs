//! What it costs that another node follows the log while nobody reads from it: on the node itself, and at PostgreSQL. Entries come
//! one by one or in the batches of many clients, through a node that is alone or has the other one beside it in turn.

use std::time::{Duration, Instant};

use parlor::domain::ids::RoomId;
use serde_json::json;
use tempfile::TempDir;

use super::bus::Bus;
use super::postgres::{Database, Postgres};
use super::posts::seed;
use super::start_node;
use crate::burst::Bursts;
use crate::client::Client;
use crate::people::{Person, messages_of};
use crate::scale;
use crate::server::Server;
use crate::stamp;
use crate::table::{Row, Table, Target, median};

const POSTS_PER_SECOND: u32 = 100;
const SECONDS: f64 = 5.0;
const CLIENTS: usize = 64;
/// Posts of the many clients in one round.
const POSTS: usize = 6_400;
const ROUNDS: usize = 3;
/// How long to wait after the last answer: the other node still reads then.
const SETTLE: Duration = Duration::from_millis(200);
/// How long a node is looked at that has nothing to do.
const IDLE: Duration = Duration::from_secs(2);

#[derive(Clone, Copy)]
enum Load {
    OneByOne,
    Batches,
}

/// The room that is posted to, through the node that is always there.
struct Site<'s> {
    postgres: &'s Postgres,
    bus: &'s Bus,
    database: Database,
    folder: TempDir,
    node: Server,
    room: RoomId,
    author: Person,
}

/// Milliseconds on the CPU for 1,000 entries.
struct Cost {
    writer: f64,
    /// None without one.
    follower: Option<f64>,
    postgres: f64,
}

pub async fn run(table: &mut Table) {
    let postgres = Postgres::start().await;
    for bus in Bus::all().await {
        by(table, &postgres, &bus).await;
    }
}

async fn by(table: &mut Table, postgres: &Postgres, bus: &Bus) {
    let database = postgres.create(&format!("by_{}", bus.name())).await;
    let (folder, room, author) = seed(&database).await;
    let node = start_node(&folder, &database, bus);
    let site = Site { postgres, bus, database, folder, node, room, author };
    for load in [Load::OneByOne, Load::Batches] {
        // The first one of a kind is not counted: statements are prepared then.
        site.write(load).await;
        let (mut alone, mut with) = (Vec::new(), Vec::new());
        for _ in 0..scale::rounds(ROUNDS) {
            alone.push(site.cost(load, None).await);
            let follower = start_node(&site.folder, &site.database, bus);
            with.push(site.cost(load, Some(&follower)).await);
        }
        let of = |costs: &[Cost], part: fn(&Cost) -> f64| median(&costs.iter().map(part).collect::<Vec<_>>());
        let follower = of(&with, |cost| cost.follower.unwrap_or(0.0));
        let more = of(&with, |cost| cost.postgres) - of(&alone, |cost| cost.postgres);
        let what = match load {
            Load::OneByOne => format!("{POSTS_PER_SECOND} posts/s"),
            Load::Batches => format!("{CLIENTS} clients post"),
        };
        let name = format!("PostgreSQL: following 1,000 entries by {}, {what}, CPU", bus.name());
        let row = Row::figure(name, follower, " ms", Target::None);
        let writer = of(&with, |cost| cost.writer);
        let parlor = format!("{follower:.1} ms, and {more:.1} ms more at PostgreSQL");
        table.add(row.parlor(parlor).yardstick(format!("the node that writes them: {writer:.1} ms")));
    }
}

impl Site<'_> {
    async fn cost(&self, load: Load, follower: Option<&Server>) -> Cost {
        let used = |node: &Server| node.processes().cpu_of_threads();
        tokio::time::sleep(SETTLE).await;
        let (before, began) = (follower.map(used), Instant::now());
        tokio::time::sleep(IDLE).await;
        let idle = follower.map(used).zip(before).map_or(0.0, |(after, before)| after - before);
        let idle = idle / began.elapsed().as_secs_f64();

        let (before, began) = ((self.postgres.usage(), used(&self.node), follower.map(used)), Instant::now());
        let delivered = self.bus.delivered().await;
        let entries = self.write(load).await;
        tokio::time::sleep(SETTLE).await;
        let is_used = follower.is_some() && delivered.is_some();
        assert!(!is_used || delivered < self.bus.delivered().await, "nodes do not use the bus");
        let each = |seconds: f64| seconds * 1e6 / entries as f64;
        let follower = follower.map(used).zip(before.2).map(|(after, before)| after - before);
        Cost {
            writer: each(used(&self.node) - before.1),
            follower: follower.map(|used| each(used - idle * began.elapsed().as_secs_f64())),
            postgres: each(self.postgres.usage().since(&before.0)),
        }
    }

    /// Gives how many entries it has written.
    async fn write(&self, load: Load) -> usize {
        let path = messages_of(self.room);
        let connect = async || Client::connect(self.node.address, &self.author.token).await;
        match load {
            Load::OneByOne => {
                let posts = scale::seconds(SECONDS).as_secs_f64() * f64::from(POSTS_PER_SECOND);
                let mut ticks = tokio::time::interval(Duration::from_secs(1) / POSTS_PER_SECOND);
                let mut author = connect().await;
                for _ in 0..posts as usize {
                    ticks.tick().await;
                    author.exchange("POST", &path, &json!({"body": stamp::text()}).to_string()).await;
                }
                posts as usize
            }
            Load::Batches => {
                let each = (scale::count(POSTS) / CLIENTS).max(1);
                let mut clients = Vec::new();
                for _ in 0..CLIENTS {
                    clients.push(connect().await);
                }
                Bursts::default().send(clients, &path, each).await;
                each * CLIENTS
            }
        }
    }
}
