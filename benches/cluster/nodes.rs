//! Durable posts through one, two and four nodes on one PostgreSQL: where the one log ends. The yardstick is the same batches
//! written straight into the same tables by one connection, so that the row of the log is hardly ever free.

use std::time::Instant;

use parlor::domain::ids::RoomId;
use tempfile::TempDir;

use super::bus::Bus;
use super::postgres::{Database, Postgres};
use super::posts::{Batches, rate, seed};
use super::start_node;
use super::straight::{Straight, Way};
use crate::burst::Bursts;
use crate::client::Client;
use crate::people::{Person, messages_of};
use crate::scale;
use crate::server::Server;
use crate::table::{Row, Table, Target, median};

const NODES: [(usize, &str); 3] = [(1, "one node"), (2, "two nodes"), (4, "four nodes")];
const CLIENTS_OF_EACH: usize = 64;
/// Posts of one round, through all nodes together.
const POSTS: usize = 12_800;
const ROUNDS: usize = 3;
/// Posts of each client before the measurement: connections are opened and statements prepared then.
const WARM_UP: usize = 3;

/// The figures of so many nodes.
#[derive(Default)]
struct Outcome {
    bursts: Bursts,
    straight: Vec<f64>,
    /// Posts of a transaction.
    sizes: Vec<f64>,
    /// From one transaction to the next, in ms.
    turns: Vec<f64>,
    /// Milliseconds on the CPU for 1,000 posts: of the nodes together, and of PostgreSQL.
    of_nodes: Vec<f64>,
    of_postgres: Vec<f64>,
}

struct Site {
    postgres: Postgres,
    database: Database,
    folder: TempDir,
    room: RoomId,
    author: Person,
    batches: Batches,
    straight: Straight,
}

pub async fn run(table: &mut Table) {
    let postgres = Postgres::start().await;
    let database = postgres.create("parlor").await;
    let (folder, room, author) = seed(&database).await;
    let batches = Batches::watch(&database).await;
    let straight = Straight::open(&postgres.create("straight").await).await;
    let mut site = Site { postgres, database, folder, room, author, batches, straight };
    let mut outcomes: [Outcome; NODES.len()] = Default::default();
    for _ in 0..scale::rounds(ROUNDS) {
        for ((nodes, _), outcome) in NODES.iter().zip(&mut outcomes) {
            round(&mut site, *nodes, outcome).await;
        }
    }
    let one = outcomes[0].bursts.rate();
    for ((_, nodes), outcome) in NODES.iter().zip(&outcomes) {
        let [straight, batch, turn, of_nodes, of_postgres] =
            [&outcome.straight, &outcome.sizes, &outcome.turns, &outcome.of_nodes, &outcome.of_postgres]
                .map(|samples| median(samples));
        println!(
            "  {nodes}: {batch:.0} posts a transaction, one each {turn:.2} ms; CPU for 1,000 posts: nodes {of_nodes:.0} ms, PostgreSQL {of_postgres:.0} ms"
        );
        let name = format!("PostgreSQL: durable posts through {nodes}, {CLIENTS_OF_EACH} connections each");
        let row = Row::ratio(name, outcome.bursts.rate() / one, Target::None);
        let yardstick = format!("one node: {one:.0}/s; the same batches straight: {straight:.0}/s");
        table.add(row.parlor(outcome.bursts.text()).yardstick(yardstick));
    }
}

async fn round(site: &mut Site, nodes: usize, outcome: &mut Outcome) {
    // Started for the round: a node that is only there follows the log, and that costs.
    let nodes: Vec<_> = (0..nodes).map(|_| start_node(&site.folder, &site.database, &Bus::Notify)).collect();
    let path = messages_of(site.room);
    Bursts::default().send(connections(&nodes, &site.author).await, &path, WARM_UP).await;

    let clients = connections(&nodes, &site.author).await;
    let each = (scale::count(POSTS) / clients.len()).max(1);
    let posts = (each * clients.len()) as f64;
    let first = site.batches.end_of_log().await;
    let cpu = || nodes.iter().map(|node| node.processes().cpu_of_threads()).sum::<f64>();
    let (usage, used, began) = (site.postgres.usage(), cpu(), Instant::now());
    outcome.bursts.send(clients, &path, each).await;
    let took = began.elapsed().as_secs_f64();
    outcome.of_nodes.push((cpu() - used) * 1e6 / posts);
    outcome.of_postgres.push(site.postgres.usage().since(&usage) * 1e6 / posts);

    let batches = site.batches.after(first).await;
    drop(nodes);
    outcome.sizes.push(posts / batches.len() as f64);
    outcome.turns.push(took * 1e3 / batches.len() as f64);
    outcome.straight.push(rate(&mut site.straight, &batches, Way::Rows).await);
}

async fn connections(nodes: &[Server], author: &Person) -> Vec<Client> {
    let mut connections = Vec::new();
    for node in nodes {
        for _ in 0..CLIENTS_OF_EACH {
            connections.push(Client::connect(node.address, &author.token).await);
        }
    }
    connections
}
