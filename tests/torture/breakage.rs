//! What is broken where there are several nodes: one node, its way to PostgreSQL or NATS, or one of these. Each breakage mends what it has
//! broken. What nodes and people make of it is not known here.

use std::time::Duration;

use tokio::time::Instant;

use super::chance::Chance;
use super::link::Held;
use super::machine::{Node, Nodes};
use super::world::World;
use crate::support::wait_for;

/// Attempts that people may make while a node sleeps for long.
const MEANWHILE: usize = 300;

/// Something that breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// A node ends by SIGKILL and is started again.
    Kill,
    /// The same by SIGTERM.
    Stop,
    /// A node stands still for a moment.
    Pause,
    /// A node stands still for longer than it may go without the end of the log.
    LongPause,
    /// All connections between a node and PostgreSQL are lost.
    CutLink,
    /// What a node and PostgreSQL say to each other comes late, in one direction or in both.
    HoldLink,
    /// The same for longer than a node waits for an answer, and then the connections are lost.
    LoseLink,
    /// The connection on which a node commits next is lost.
    CutCommit,
    /// The same as for PostgreSQL between a node and NATS.
    CutBus,
    HoldBus,
    /// NATS ends at once and is started again.
    RestartBus,
    /// PostgreSQL ends as by a power cut and is started again.
    RestartDatabase,
    /// The same while a node is started.
    StartWithoutDatabase,
    /// All nodes end by SIGKILL and are started again.
    KillAll,
}

/// How often each thing was broken.
#[derive(Debug, Default)]
#[allow(dead_code, reason = "printed as a whole")]
pub struct Broken {
    /// Nodes that were killed, asked to end, or made to stand still.
    pub kills: usize,
    pub stops: usize,
    pub pauses: usize,
    /// Longer than a node may go without the end of the log.
    pub long_pauses: usize,
    pub database_restarts: usize,
    /// Ways between a node and PostgreSQL that were cut, or held up in one direction or in both.
    pub links_cut: usize,
    pub links_held: usize,
    /// The same for NATS.
    pub bus_restarts: usize,
    pub bus_links_cut: usize,
    pub bus_links_held: usize,
    /// Connections to PostgreSQL that were cut in a COMMIT.
    pub commits_cut: usize,
    /// Connections of people that were cut.
    pub people_cut: usize,
}

impl Broken {
    pub fn add(&mut self, more: &Self) {
        self.kills += more.kills;
        self.stops += more.stops;
        self.pauses += more.pauses;
        self.long_pauses += more.long_pauses;
        self.database_restarts += more.database_restarts;
        self.links_cut += more.links_cut;
        self.links_held += more.links_held;
        self.bus_restarts += more.bus_restarts;
        self.bus_links_cut += more.bus_links_cut;
        self.bus_links_held += more.bus_links_held;
        self.commits_cut += more.commits_cut;
        self.people_cut += more.people_cut;
    }
}

impl Breakage {
    /// Breakages of one node are drawn more often than those of all.
    pub fn draw(chance: &mut Chance, has_nats: bool) -> Self {
        match chance.below(if has_nats { 38 } else { 32 }) {
            0..=6 => Self::Kill,
            7 => Self::Stop,
            8..=12 => Self::Pause,
            13..=16 => Self::CutLink,
            17..=20 => Self::HoldLink,
            21..=26 => Self::CutCommit,
            27..=29 => Self::RestartDatabase,
            30 => Self::StartWithoutDatabase,
            31 => Self::KillAll,
            32 | 33 => Self::CutBus,
            34 | 35 => Self::HoldBus,
            _ => Self::RestartBus,
        }
    }

    /// Whether it is one that another node can suffer at the same time.
    pub const fn is_of_one_node(self) -> bool {
        match self {
            Self::Kill
            | Self::Stop
            | Self::Pause
            | Self::LongPause
            | Self::CutLink
            | Self::HoldLink
            | Self::LoseLink
            | Self::CutCommit
            | Self::CutBus
            | Self::HoldBus => true,
            Self::RestartBus | Self::RestartDatabase | Self::StartWithoutDatabase | Self::KillAll => false,
        }
    }
}

impl Nodes {
    /// Breaks something and mends it, for the node of that number if it is about one.
    pub async fn suffer(
        &mut self,
        breakage: Breakage,
        number: usize,
        (world, chance, broken): (&World, &mut Chance, &mut Broken),
    ) {
        let database = self.database.as_ref().expect("several nodes have a database");
        match breakage {
            Breakage::RestartDatabase => {
                database.stops().await;
                World::passes(chance.micros(0..1_500_000)).await;
                database.starts().await;
                broken.database_restarts += 1;
            }
            Breakage::RestartBus => {
                let nats = self.nats.as_mut().expect("it is drawn only where it is");
                nats.stops();
                World::passes(chance.micros(0..1_500_000)).await;
                nats.starts();
                broken.bus_restarts += 1;
            }
            Breakage::StartWithoutDatabase => {
                let server = &mut self.all[number].server;
                server.kill().await;
                database.stops().await;
                let (later, starts) = (chance.micros(0..1_000_000), server.restart());
                let starts_database = async {
                    World::passes(later).await;
                    database.starts().await;
                };
                tokio::join!(starts, starts_database);
                broken.kills += 1;
                broken.database_restarts += 1;
            }
            Breakage::KillAll => {
                for node in &mut self.all {
                    node.server.kill().await;
                    broken.kills += 1;
                }
                for node in &mut self.all {
                    node.server.restart().await;
                }
            }
            of_one => self.all[number].suffers(of_one, number, (world, chance, broken)).await,
        }
    }
}

impl Node {
    /// Breaks something of this node and mends it.
    pub async fn suffers(
        &mut self,
        breakage: Breakage,
        number: usize,
        (world, chance, broken): (&World, &mut Chance, &mut Broken),
    ) {
        let Self { server, link, bus, .. } = self;
        let link = link.as_ref().expect("its database is elsewhere");
        let bus = || bus.as_ref().expect("it is drawn only where it is");
        match breakage {
            Breakage::Kill => {
                server.restart().await;
                broken.kills += 1;
            }
            Breakage::Stop => {
                assert!(server.stop().await.success());
                server.restart().await;
                broken.stops += 1;
            }
            Breakage::Pause => {
                server.pause();
                World::passes(a_while(chance)).await;
                server.go_on();
                broken.pauses += 1;
            }
            Breakage::LongPause => {
                world.dozes_off(number).await;
                server.pause();
                world.permits.add_permits(MEANWHILE);
                World::passes(chance.micros(15_500_000..18_000_000)).await;
                server.go_on();
                let anybody = server.anonymous();
                wait_for("it has woken up", || async { anybody.get("/readyz").await.status == 200 }).await;
                world.wakes_up();
                broken.long_pauses += 1;
            }
            Breakage::CutLink => {
                for _ in 0..=chance.below(3) {
                    link.cuts();
                    World::passes(chance.micros(0..100_000)).await;
                    broken.links_cut += 1;
                }
            }
            Breakage::HoldLink => {
                link.holds(directions(chance));
                World::passes(a_while(chance)).await;
                link.is_mended();
                broken.links_held += 1;
            }
            Breakage::LoseLink => {
                link.holds(directions(chance));
                World::passes(chance.micros(3_000_000..13_000_000)).await;
                link.cuts();
                link.is_mended();
                broken.links_held += 1;
                broken.links_cut += 1;
            }
            Breakage::CutCommit => {
                let (before, began) = (link.commits_cut(), Instant::now());
                link.cuts_at_commit();
                // Nobody may be writing at this node.
                while link.commits_cut() == before && began.elapsed() < Duration::from_millis(500) {
                    world.a_moment().await;
                }
                link.is_mended();
            }
            Breakage::CutBus => {
                bus().cuts();
                broken.bus_links_cut += 1;
            }
            Breakage::HoldBus => {
                bus().holds(directions(chance));
                World::passes(a_while(chance)).await;
                bus().is_mended();
                broken.bus_links_held += 1;
            }
            Breakage::RestartBus
            | Breakage::RestartDatabase
            | Breakage::StartWithoutDatabase
            | Breakage::KillAll => {
                unreachable!("{breakage:?} is of all nodes")
            }
        }
    }
}

/// Mostly short, as such things are.
fn a_while(chance: &mut Chance) -> Duration {
    if chance.one_in(5) { chance.micros(600_000..3_000_000) } else { chance.micros(200_000..600_000) }
}

fn directions(chance: &mut Chance) -> Held {
    let way = chance.below(3);
    Held { up: way != 0, down: way != 1 }
}
