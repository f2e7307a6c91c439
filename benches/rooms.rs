//! Many rooms: ten thousand with one stream each, and people who follow a hundred rooms in one stream each, beside as many
//! deliveries in one room. Only what delivering costs is compared: beside each write stands the same one in rooms that
//! nobody follows, as many and as full ones, and it is taken off. A write to a thousand rooms costs many times what its
//! deliveries do, and more the longer it goes on: pairs have that in common, and their median is not moved by checkpoints.
//!
//! The cases write in turn. So all caches are cold for all, and every stream was quiet for some hundred ms: a reader who hears
//! something after such a time acknowledges at once, and that is work for the sender. A room that is written to twenty times a
//! second has neither: a delivery costs less there, as the row of fan-out shows.

use std::time::Duration;

use parlor::domain::ids::RoomId;
use serde_json::json;
use tempfile::TempDir;

use super::client::Client;
use super::people::{Person, Seeding, events_of, messages_of};
use super::scale;
use super::server::Server;
use super::stamp;
use super::subscriber::Subscription;
use super::subscribers::Subscribers;
use super::table::{Row, Table, Target, median};

/// Streams of the one room, and rooms of one announcer: deliveries of one write.
const AT_ONCE: usize = 1_000;
const ROOMS: usize = 10_000;
const PEOPLE: usize = 500;
const ROOMS_OF_EACH: usize = 100;
/// Writes of each kind in each case.
const WRITES: usize = 400;
/// How long to wait after the last answer: the server still publishes then.
const SETTLE: Duration = Duration::from_millis(20);
/// How long a reading thread rests after it has received something.
const REST: Duration = Duration::from_millis(1);

/// A server with streams, and two kinds of the same write: one that streams get, one that nobody follows.
struct Case {
    name: String,
    subscribers: Subscribers,
    server: Server,
    followed: Writes,
    unfollowed: Writes,
    /// Deliveries of one write.
    deliveries: usize,
    /// KiB of memory that opening the streams has taken.
    memory: f64,
    _folder: TempDir,
}

enum Writes {
    /// Messages, to these rooms in turn.
    Posts(Client, Vec<RoomId>),
    /// New names for these people in turn: an event in each of their rooms, in one transaction.
    Renames(Vec<Client>),
}

pub async fn run(table: &mut Table) {
    let mut cases = [one_room().await, many_rooms().await, many_rooms_each().await];
    let mut costs: [Vec<f64>; 3] = Default::default();
    for case in &mut cases {
        case.warm_up().await;
    }
    for turn in 0..scale::count(WRITES) {
        for (case, costs) in cases.iter_mut().zip(&mut costs) {
            costs.push(case.pair(turn % 2 == 1).await);
        }
    }
    // The first write of a turn costs more, because caches are cold. In two turns each kind is first once.
    let mean = |turns: &[f64]| turns.iter().sum::<f64>() / turns.len() as f64;
    let costs = costs.map(|costs| costs.chunks(2).map(mean).collect::<Vec<_>>());
    let [one, ..] = costs.each_ref().map(|costs| median(costs));
    println!("  {}: {one:.2} us of CPU a delivery", cases[0].name);
    for (case, costs) in cases.iter().zip(&costs).skip(1) {
        let (cost, mib) = (median(costs), case.memory / 1024.0);
        let each = case.memory / case.subscribers.streams() as f64;
        let row = Row::ratio(case.name.clone() + ", CPU a delivery", cost / one, Target::AtMost(1.5));
        let parlor = format!("{cost:.2} us; {mib:.1} MiB, {each:.1} KiB a stream");
        table.add(row.parlor(parlor).yardstick(format!("one room: {one:.2} us")));
    }
}

async fn one_room() -> Case {
    let seeding = Seeding::begin().await;
    let (people, room) = seeding.hall(scale::count(AT_ONCE)).await;
    let empty = seeding.rooms("empty", &[&people[0]]).await;
    let folder = seeding.done().await;
    let server = Server::start(folder.path());
    let path = events_of(room);
    let subscriptions = people.iter().map(|person| person.follows(&path)).collect();
    let posts = |rooms| posts(&server, &people[0], rooms);
    let (followed, unfollowed) = (posts(vec![room]).await, posts(empty).await);
    let name = format!("one room, {} streams", people.len());
    let deliveries = people.len();
    Case::open(name, folder, server, subscriptions, [followed, unfollowed], deliveries).await
}

/// As one write a delivery would be all writing, some people are in a thousand rooms each and change their names.
async fn many_rooms() -> Case {
    let seeding = Seeding::begin().await;
    let (count, at_once) = (scale::count(ROOMS), scale::count(AT_ONCE));
    let residents = seeding.people("resident", count).await;
    let rooms = seeding.rooms("room", &residents.iter().collect::<Vec<_>>()).await;
    let landlords = seeding.people("landlord", count / at_once).await;
    let owners: Vec<_> = landlords.iter().flat_map(|landlord| vec![landlord; at_once]).collect();
    let empty = seeding.rooms("empty", &owners).await;
    let announcers = seeding.people("announcer", count / at_once).await;
    let strangers = seeding.people("stranger", count / at_once).await;
    for (people, rooms) in [(&announcers, &rooms), (&strangers, &empty)] {
        let joins = people.iter().zip(rooms.chunks_exact(at_once));
        seeding.join(joins.flat_map(|(person, rooms)| rooms.iter().map(|room| (*room, person.id)))).await;
    }
    let folder = seeding.done().await;
    let server = Server::start(folder.path());
    let subscriptions = residents.iter().zip(&rooms).map(|(person, room)| person.follows(&events_of(*room)));
    let (followed, unfollowed) = (renames(&server, &announcers).await, renames(&server, &strangers).await);
    let name = format!("{count} rooms, 1 stream each");
    let writes = [followed, unfollowed];
    Case::open(name, folder, server, subscriptions.collect(), writes, at_once).await
}

/// As many rooms as people, so that each room has as many people as each has rooms.
async fn many_rooms_each() -> Case {
    let seeding = Seeding::begin().await;
    let (count, each) = (scale::count(PEOPLE), ROOMS_OF_EACH.min(scale::count(PEOPLE)));
    let people = seeding.people("person", count).await;
    let poster = seeding.people("poster", 1).await;
    // The owner of all of them follows none.
    let rooms = seeding.rooms("room", &vec![&poster[0]; count]).await;
    let empty = seeding.rooms("empty", &vec![&poster[0]; count]).await;
    let joins = people.iter().enumerate().flat_map(|(n, person)| {
        let rooms = rooms.iter().cycle().skip(n).take(each);
        rooms.map(|room| (*room, person.id))
    });
    seeding.join(joins).await;
    let folder = seeding.done().await;
    let server = Server::start(folder.path());
    let subscriptions = people.iter().map(|person| person.follows("/v1/events")).collect();
    let posts = |rooms| posts(&server, &poster[0], rooms);
    let writes = [posts(rooms).await, posts(empty).await];
    let name = format!("{count} people in {each} rooms each, 1 stream each");
    Case::open(name, folder, server, subscriptions, writes, each).await
}

async fn posts(server: &Server, poster: &Person, rooms: Vec<RoomId>) -> Writes {
    Writes::Posts(Client::connect(server.address, &poster.token).await, rooms)
}

async fn renames(server: &Server, people: &[Person]) -> Writes {
    let mut clients = Vec::new();
    for person in people {
        clients.push(Client::connect(server.address, &person.token).await);
    }
    Writes::Renames(clients)
}

impl Case {
    async fn open(
        name: String,
        folder: TempDir,
        server: Server,
        subscriptions: Vec<Subscription>,
        [followed, unfollowed]: [Writes; 2],
        deliveries: usize,
    ) -> Self {
        let before = server.processes().memory();
        let subscribers = Subscribers::open_resting(server.address, subscriptions, REST).await;
        let memory = server.processes().memory() - before;
        Self { name, subscribers, server, followed, unfollowed, deliveries, memory, _folder: folder }
    }

    /// Sends a request on every connection: one that never sent any is soon closed.
    async fn warm_up(&mut self) {
        for kind in [&mut self.followed, &mut self.unfollowed] {
            kind.connect().await;
        }
        for _ in 0..self.followed.connections() {
            self.pair(false).await;
        }
    }

    /// Microseconds on the CPU for one delivery of a write, without the write.
    async fn pair(&mut self, is_followed_first: bool) -> f64 {
        let (followed, unfollowed) = if is_followed_first {
            (self.write_followed().await, self.write_unfollowed().await)
        } else {
            let unfollowed = self.write_unfollowed().await;
            (self.write_followed().await, unfollowed)
        };
        (followed - unfollowed) * 1e6 / self.deliveries as f64
    }

    /// Seconds on the CPU.
    async fn write_followed(&mut self) -> f64 {
        let (before, delivered) = (self.server.processes().cpu_of_threads(), self.subscribers.deliveries());
        self.followed.send().await;
        self.subscribers.wait_for(delivered + self.deliveries as u64).await;
        tokio::time::sleep(SETTLE).await;
        self.server.processes().cpu_of_threads() - before
    }

    /// Seconds on the CPU.
    async fn write_unfollowed(&mut self) -> f64 {
        let before = self.server.processes().cpu_of_threads();
        self.unfollowed.send().await;
        tokio::time::sleep(SETTLE).await;
        self.server.processes().cpu_of_threads() - before
    }
}

impl Writes {
    fn connections(&self) -> usize {
        match self {
            Self::Posts(..) => 1,
            Self::Renames(clients) => clients.len(),
        }
    }

    /// Opens the connections anew: those that were idle while the other cases were set up have been closed.
    async fn connect(&mut self) {
        let clients = match self {
            Self::Posts(client, _) => std::slice::from_mut(client),
            Self::Renames(clients) => clients,
        };
        for client in clients {
            *client = client.again().await;
        }
    }

    /// The next one.
    async fn send(&mut self) {
        match self {
            Self::Posts(client, rooms) => {
                rooms.rotate_left(1);
                let body = json!({"body": stamp::text()}).to_string();
                client.exchange("POST", &messages_of(rooms[0]), &body).await;
            }
            Self::Renames(clients) => {
                clients.rotate_left(1);
                let body = json!({"display_name": format!("name {}", stamp::now())}).to_string();
                clients[0].exchange("PATCH", "/v1/users/me", &body).await;
            }
        }
    }
}
