//! What is tortured: one node on SQLite, or several on one PostgreSQL, half of the times with NATS between them. Before each stands
//! a proxy that people come through, and between it and what it needs a link that can be broken.

use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use parlor::storage;
use parlor::storage::Location;

use super::badge::Door;
use super::chance::Chance;
use super::link::Link;
use super::proxy::Proxy;
use super::world::World;
use crate::support::nats::Nats;
use crate::support::postgres::Database;
use crate::support::{Server, wait_for_within};

/// How long a node may take to be ready after everything was mended, on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// One node.
pub struct Node {
    pub server: Server,
    pub proxy: Proxy,
    /// Its way to PostgreSQL; none on SQLite.
    pub link: Option<Link>,
    /// Its way to NATS, if nodes hear of each other by that.
    pub bus: Option<Link>,
}

pub struct Nodes {
    pub all: Vec<Node>,
    /// Dropped after the nodes, as NATS is.
    pub database: Option<Database>,
    pub nats: Option<Nats>,
}

/// How people reach a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Straight,
    ThroughProxy,
}

impl Nodes {
    /// One node on SQLite.
    pub async fn one(env: &[(&str, &str)], world: &Arc<World>, chance: &mut Chance) -> Self {
        let server = Server::start_with(env).await;
        let proxy = Proxy::before(server.address(), world, chance.fork()).await;
        Self { all: vec![Node { server, proxy, link: None, bus: None }], database: None, nats: None }
    }

    /// Several on a PostgreSQL of their own.
    pub async fn many(count: usize, env: &[(&str, &str)], world: &Arc<World>, chance: &mut Chance) -> Self {
        let database = Database::create_alone().await;
        let nats = chance.one_in(2).then(|| Nats::start(&[]));
        println!("nodes hear of each other by {}", if nats.is_some() { "NATS" } else { "PostgreSQL" });
        let mut all: Vec<Node> = Vec::new();
        for _ in 0..count {
            let link = Link::before(database.address(), chance.fork()).await;
            let url = database.url_through(&[link.address]);
            let bus = match &nats {
                Some(nats) => Some(Link::before(nats.address(), chance.fork()).await),
                None => None,
            };
            let bus_url = bus.as_ref().map_or_else(String::new, |link| format!("nats://{}", link.address));
            let own = [("PARLOR_STORAGE__URL", url.as_str()), ("PARLOR_CLUSTER__BUS", &bus_url)];
            let server = match all.first() {
                None => Server::start_with(&[env, &own].concat()).await,
                Some(first) => first.server.starts_another_node_with(&own).await,
            };
            let proxy = Proxy::before(server.address(), world, chance.fork()).await;
            all.push(Node { server, proxy, link: Some(link), bus });
        }
        Self { all, database: Some(database), nats }
    }

    pub fn first(&self) -> &Server {
        &self.all[0].server
    }

    /// Ways to all nodes.
    pub fn doors(&self, way: Way) -> Vec<Door> {
        let address = |node: &Node| match way {
            Way::Straight => node.server.address(),
            Way::ThroughProxy => node.proxy.address,
        };
        self.all.iter().map(address).enumerate().map(|(node, address)| Door { node, address }).collect()
    }

    /// Every node gets ready by itself once nothing is broken any more.
    pub async fn are_ready(&self, what: &str) {
        for (number, node) in self.all.iter().enumerate() {
            let anybody = node.server.anonymous();
            let is_ready = || async { anybody.get("/readyz").await.status == 200 };
            wait_for_within(READY_WITHIN, || format!("{what}: node {number} is ready again"), is_ready).await;
        }
    }

    /// Stops all of them, and gives where the log is.
    pub async fn stop(&mut self) -> Location {
        let ended = join_all(self.all.iter_mut().map(|node| node.server.stop())).await;
        assert!(ended.iter().all(ExitStatus::success), "{ended:?}");
        for node in &self.all {
            let log = node.server.log();
            assert!(!log.contains("panicked at"), "something panicked in a node:\n{log}");
            assert!(!Database::is_betrayed_by(&log), "the password of the database is in a log:\n{log}");
        }
        match &self.database {
            None => Location::Folder(self.first().data()),
            Some(database) => {
                let server = storage::Server::parse(&database.url()).expect("nodes have used the same");
                Location::Server(Arc::new(server))
            }
        }
    }

    /// Connections to PostgreSQL that were cut in a COMMIT.
    pub fn commits_cut(&self) -> usize {
        self.all.iter().filter_map(|node| node.link.as_ref()).map(Link::commits_cut).sum()
    }

    /// Connections of people that were cut.
    pub fn cuts(&self) -> usize {
        self.all.iter().map(|node| node.proxy.cuts.load(Ordering::Relaxed)).sum()
    }
}
