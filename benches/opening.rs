//! Thousands of streams opened at once, as after a restart: how long until each has had its `hello`, what they cost in
//! memory, and that one post reaches all and each hears a heartbeat.

use std::time::Duration;

use super::client::Client;
use super::contender::anonymous;
use super::nchan::{self, Nchan};
use super::people::{Person, Seeding, events_of, messages_of};
use super::process::Processes;
use super::scale;
use super::server::Server;
use super::stamp;
use super::subscribers::Subscribers;
use super::table::{Row, Table, Target, median};

use parlor::domain::ids::RoomId;
use serde_json::json;
use tempfile::TempDir;

const STREAMS: usize = 9_000;
const ROUNDS: usize = 3;
/// Streams opened and closed before the measurement, so that memory which any work takes is not counted as that of streams.
const WARM_UP: usize = 100;

/// The figures of one opening.
struct Opening {
    took: Duration,
    /// KiB of the server's memory for each stream.
    memory: f64,
    /// Time until one post had reached all.
    reached: Duration,
}

pub async fn run(table: &mut Table) {
    let streams = scale::count(STREAMS);
    let hall = Hall::seed(streams).await;
    let (mut parlor, mut others) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // A fresh server each time: it has seen none of the sessions.
        parlor.push(hall.open(&hall.people, round + 1 == ROUNDS).await);
        if nchan::is_installed() {
            others.push(open_nchan(streams).await);
        }
    }
    let unseen = hall.open(&hall.strangers, false).await;
    let ms = |openings: &[Opening]| {
        median(&openings.iter().map(|o| o.took.as_secs_f64() * 1e3).collect::<Vec<_>>())
    };
    let kib = |openings: &[Opening]| median(&openings.iter().map(|o| o.memory).collect::<Vec<_>>());
    let reached = median(&parlor.iter().map(|o| o.reached.as_secs_f64() * 1e3).collect::<Vec<_>>());
    println!(
        "  opened after {:.0} ms, {:.0} ms where the first use of each token is written down; one post reached all after {reached:.0} ms",
        ms(&parlor),
        ms(&[unseen])
    );
    let name = format!("{streams} streams opened at once");
    if !others.is_empty() {
        let row = Row::ratio(&name, ms(&parlor) / ms(&others), Target::AtMost(3.0));
        let nchan = format!("nchan, no authentication: {:.0} ms", ms(&others));
        table.add(row.parlor(format!("{:.0} ms", ms(&parlor))).yardstick(nchan));
    }
    let row = Row::figure(name + ", memory of each", kib(&parlor), " KiB", Target::AtMost(4.0));
    let nchan = if others.is_empty() { "-".into() } else { format!("nchan: {:.1} KiB", kib(&others)) };
    table.add(row.parlor(format!("{:.1} KiB", kib(&parlor))).yardstick(nchan));
}

/// A data folder with one room that everybody is in.
struct Hall {
    folder: TempDir,
    room: RoomId,
    /// With tokens that have been used before.
    people: Vec<Person>,
    /// With tokens that have not.
    strangers: Vec<Person>,
}

impl Hall {
    async fn seed(members: usize) -> Self {
        let seeding = Seeding::begin().await;
        let (people, room) = seeding.hall(members).await;
        let strangers = seeding.strangers("stranger", members).await;
        seeding.join(strangers.iter().map(|person| (room, person.id))).await;
        let folder = seeding.done().await;
        Self { folder, room, people, strangers }
    }

    async fn open(&self, people: &[Person], until_heartbeat: bool) -> Opening {
        let server = Server::start(self.folder.path());
        let path = events_of(self.room);
        let subscriptions: Vec<_> = people.iter().map(|person| person.follows(&path)).collect();
        let warm_up = subscriptions.iter().rev().take(WARM_UP).cloned().collect();
        drop(Subscribers::open(server.address, warm_up).await);
        let before = settled(&server.processes()).await;
        let subscribers = Subscribers::open(server.address, subscriptions).await;
        let after = settled(&server.processes()).await;
        let mut poster = Client::connect(server.address, &people[0].token).await;
        let began = stamp::now();
        let body = json!({"body": stamp::text()}).to_string();
        poster.exchange("POST", &messages_of(self.room), &body).await;
        subscribers.wait_for(subscribers.streams()).await;
        let reached = Duration::from_nanos(subscribers.last_at() - began);
        if until_heartbeat {
            subscribers.wait("heartbeats", || subscribers.pinged() == subscribers.streams()).await;
            println!("  all of {} streams heard a heartbeat", subscribers.pinged());
        }
        let memory = (after - before) / subscribers.streams() as f64;
        Opening { took: subscribers.opened_after, memory, reached }
    }
}

async fn open_nchan(streams: usize) -> Opening {
    let server = Nchan::start("auto").await;
    let subscription = anonymous(nchan::SUBSCRIBE, false);
    drop(Subscribers::open(server.address, vec![subscription.clone(); WARM_UP]).await);
    let before = settled(&server.processes()).await;
    let subscribers = Subscribers::open(server.address, vec![subscription; streams]).await;
    let after = settled(&server.processes()).await;
    let memory = (after - before) / streams as f64;
    Opening { took: subscribers.opened_after, memory, reached: Duration::ZERO }
}

/// Memory once it has stopped changing, in KiB.
async fn settled(processes: &Processes) -> f64 {
    let mut last = processes.memory();
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = processes.memory();
        if (now - last).abs() < 64.0 {
            return now;
        }
        last = now;
    }
    last
}
