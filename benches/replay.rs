//! Replay: a reader who has missed a million events, and thousands who have each missed some, at once, while others post;
//! beside reading the same rows straight from SQLite.

use std::path::Path;
use std::time::Instant;

use parlor::domain::ids::RoomId;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::client::Client;
use super::fill;
use super::load::{Load, Request};
use super::people::{Person, Seeding, events_of, messages_of};
use super::scale;
use super::server::Server;
use super::stamp;
use super::subscriber::Subscription;
use super::subscribers::Subscribers;
use super::table::{Row, Table, Target, median, quantile};

const EVENTS: usize = 1_000_000;
const READERS: usize = 2_000;
/// Events that each of the thousands has missed.
const BEHIND: u64 = 500;
const POSTS_PER_SECOND: u32 = 100;
const QUIET_SECONDS: f64 = 4.0;
const ROUNDS: usize = 3;
/// The name of the room that `Seeding::hall` makes.
const HALL: &str = "hall-0";

pub async fn run(table: &mut Table) {
    let mut past = Past::seed(scale::count(READERS)).await;
    let events = scale::count(EVENTS);
    past.grow(events).await;
    let server = Server::start(past.folder.path());
    one(table, &past, &server, events).await;
    many(table, &past, &server).await;
}

/// A room with a long past, its members, and another room.
struct Past {
    folder: TempDir,
    people: Vec<Person>,
    hall: RoomId,
    other: RoomId,
    /// Where the long past begins: the cursor, the log's position, and the room's count.
    beginning: Moment,
}

#[derive(Clone, Default)]
struct Moment {
    cursor: String,
    position: i64,
    seq: i64,
}

impl Past {
    async fn seed(members: usize) -> Self {
        let seeding = Seeding::begin().await;
        let (people, hall) = seeding.hall(members).await;
        let other = seeding.rooms("other", &[&people[0]]).await[0];
        let folder = seeding.done().await;
        Self { folder, people, hall, other, beginning: Moment::default() }
    }

    async fn grow(&mut self, events: usize) {
        {
            let server = Server::start(self.folder.path());
            let mut owner = Client::connect(server.address, &self.people[0].token).await;
            // The events that `fill` adds are copies of this one.
            owner.request("POST", &messages_of(self.hall), &json!({"body": stamp::text()})).await;
            self.beginning = self.now(&mut owner).await;
        }
        fill::events(self.folder.path(), HALL, events as i64);
    }

    /// The room's present end.
    async fn now(&self, owner: &mut Client) -> Moment {
        let room = owner.request("GET", &format!("/v1/rooms/{}", self.hall), &Value::Null).await;
        let head = fill::reader(self.folder.path()).query_row("SELECT head FROM log", [], |row| row.get(0));
        Moment {
            cursor: room["cursor"].as_str().expect("a cursor").to_owned(),
            position: head.expect("a head"),
            seq: room["last_seq"].as_i64().expect("a count"),
        }
    }

    fn resume(&self, person: &Person, from: &Moment) -> Subscription {
        let path = format!("{}?after={}", events_of(self.hall), from.cursor);
        Subscription { last: Some(from.seq), ..person.follows(&path) }
    }
}

async fn one(table: &mut Table, past: &Past, server: &Server, events: usize) {
    let (mut rates, mut straight) = (Vec::new(), Vec::new());
    for _ in 0..scale::rounds(ROUNDS) {
        let began = stamp::now();
        let resume = past.resume(&past.people[0], &past.beginning);
        let reader = Subscribers::open(server.address, vec![resume]).await;
        reader.wait_for(events as u64).await;
        rates.push(events as f64 * 1e9 / (reader.last_at() - began) as f64);
        drop(reader);
        let began = Instant::now();
        read_straight(past.folder.path(), 1, 1, past.beginning.position, events);
        straight.push(events as f64 / began.elapsed().as_secs_f64());
    }
    let (rate, straight) = (median(&rates), median(&straight));
    let row = Row::ratio(format!("replay of {events} events to one"), rate / straight, Target::AtLeast(0.5));
    table.add(row.parlor(format!("{rate:.0}/s")).yardstick(format!("straight from SQLite: {straight:.0}/s")));
}

async fn many(table: &mut Table, past: &Past, server: &Server) {
    let mut owner = Client::connect(server.address, &past.people[0].token).await;
    let from = past.now(&mut owner).await;
    let clients = [owner];
    let missed = messages_of(past.hall);
    Load::send(&clients, 2_000, BEHIND, move |_| post(&missed)).await;
    let elsewhere = messages_of(past.other);
    let readers = past.people.len();
    let all = readers as u64 * BEHIND;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (mut rates, mut straight) = (Vec::new(), Vec::new());
    let (mut quiet, mut during) = (Vec::new(), Vec::new());
    for _ in 0..scale::rounds(ROUNDS) {
        let path = elsewhere.clone();
        let posts = (scale::seconds(QUIET_SECONDS).as_secs_f64() * f64::from(POSTS_PER_SECOND)) as u64;
        quiet.push(p99(Load::send(&clients, POSTS_PER_SECOND, posts, move |_| post(&path)).await));

        let path = elsewhere.clone();
        let load = Load::start(&clients, POSTS_PER_SECOND, move |_| post(&path)).await;
        let resumed = past.people.iter().map(|person| past.resume(person, &from)).collect();
        let began = stamp::now();
        let subscribers = Subscribers::open(server.address, resumed).await;
        subscribers.wait_for(all).await;
        rates.push(all as f64 * 1e9 / (subscribers.last_at() - began) as f64);
        during.push(p99(load.stop().await));
        drop(subscribers);

        let began = Instant::now();
        read_straight(past.folder.path(), cores, readers, from.position, BEHIND as usize);
        straight.push(all as f64 / began.elapsed().as_secs_f64());
    }
    let name = format!("{readers} readers {BEHIND} events behind, {POSTS_PER_SECOND} posts/s");
    let (rate, straight) = (median(&rates), median(&straight));
    let row = Row::ratio(&name, rate / straight, Target::AtLeast(0.5));
    let yardstick = format!("straight from SQLite, {cores} connections: {straight:.0}/s");
    table.add(row.parlor(format!("{rate:.0}/s")).yardstick(yardstick));
    let (quiet, during) = (median(&quiet), median(&during));
    let row = Row::ratio(name + ": posts' p99", during / quiet, Target::AtMost(2.0));
    table.add(row.parlor(format!("{during:.1} ms")).yardstick(format!("before: {quiet:.1} ms")));
}

fn p99(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    quantile(&times, 0.99)
}

fn post(path: &str) -> Request {
    Request { method: "POST", path: path.to_owned(), body: json!({"body": stamp::text()}).to_string() }
}

/// Reads the same rows again and again, on several connections at once.
fn read_straight(folder: &Path, connections: usize, times: usize, after: i64, events: usize) {
    std::thread::scope(|scope| {
        for n in 0..connections {
            let mine = times / connections + usize::from(n < times % connections);
            scope.spawn(move || {
                let connection = fill::reader(folder);
                for _ in 0..mine {
                    assert_eq!(fill::read_events(&connection, HALL, after, events as i64), events);
                }
            });
        }
    });
}
