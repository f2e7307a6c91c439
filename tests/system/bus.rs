//! The bus by itself, each claim on both ways: what one node says, another of the same database hears, and what gets lost, doubled
//! or forged makes nobody believe anything untrue.

use std::sync::Arc;

use async_nats::ServerAddr;
use parlor::bus::{self, Bus, Cluster, Inbox, Meters, Nats, NatsServers, Whisper};
use parlor::domain::clock::Timestamp;
use parlor::domain::cursor::{Cursors, Epoch, EpochStart};
use parlor::domain::event::{Event, EventType, MessageText, Place};
use parlor::domain::ids::{Ids, Position, RoomId};
use parlor::domain::message::MessageBody;
use parlor::storage::{Location, Purpose, Server, Store};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::postgres::Database;
use crate::support::{DEADLINE, nats, wait_for};

/// The ways of the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Notify,
    Nats,
}

/// A database, and a NATS server where the bus goes by one.
struct House {
    way: Way,
    database: Database,
    nats: Option<nats::Nats>,
}

/// A node, as far as the bus knows one.
struct Node {
    store: Store,
    bus: Arc<dyn Bus>,
    inbox: Inbox,
    whispers: mpsc::Receiver<Whisper>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

macro_rules! on_both_ways {
    ($($claim:ident)+) => {
        mod by_notifications {
            $(#[tokio::test]
            async fn $claim() {
                super::$claim(super::House::build(super::Way::Notify).await).await;
            })+
        }
        mod by_nats {
            $(#[tokio::test]
            async fn $claim() {
                super::$claim(super::House::build(super::Way::Nats).await).await;
            })+
        }
    };
}

on_both_ways! {
    what_a_node_has_committed_is_heard_by_the_others_and_not_by_itself
    whispers_are_gathered_and_all_arrive
    what_is_foreign_or_of_another_epoch_is_counted_and_moves_nothing
    a_message_that_comes_twice_or_late_moves_nothing_back
    a_bus_that_was_lost_comes_back_by_itself_and_asks_for_a_look
}

impl House {
    async fn build(way: Way) -> Self {
        let database = Database::create().await;
        let nats = (way == Way::Nats).then(|| nats::Nats::start(&[]));
        Self { way, database, nats }
    }

    async fn node(&self) -> Node {
        let location = Location::Server(Arc::new(Server::parse(&self.database.url()).unwrap()));
        let store = Store::open(&location, Purpose::Command, Ids::SYSTEM, Box::new(|_| {})).await.unwrap();
        let meters = Arc::new(Meters::new("test"));
        let (ears, inbox, whispers) = bus::inbox(store.cluster().unwrap().clone(), meters.clone());
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let bus: Arc<dyn Bus> = match &self.nats {
            None => Arc::new(store.notify(ears, meters).expect("others write to it")),
            Some(nats) => {
                let servers = NatsServers::parse(&nats.url()).unwrap();
                let cluster = store.cluster().unwrap().clone();
                let nats = Nats::start(&servers, cluster, ears, meters, &tasks, stop.clone()).await;
                Arc::new(nats.unwrap())
            }
        };
        let node = Node { store, bus, inbox, whispers, tasks, stop };
        wait_for("the node listens", || async { node.figure("connected") > 0 }).await;
        node
    }

    /// Says a text to all nodes, as anybody can who reaches the bus.
    async fn says(&self, text: &str, cluster: &Cluster) {
        match &self.nats {
            None => {
                let text = text.replace('\'', "''");
                self.database.run(&format!("SELECT pg_notify('parlor_{}', '{text}')", cluster.id())).await;
            }
            Some(nats) => {
                let client = async_nats::connect(nats.url().parse::<ServerAddr>().unwrap()).await.unwrap();
                let subject = format!("parlor.{}", cluster.id());
                client.publish(subject, text.to_owned().into()).await.unwrap();
                client.flush().await.unwrap();
            }
        }
    }

    /// A node tells of its commit. The way by notifications has the transaction say it.
    async fn announces(&self, node: &Node, events: &[Event]) {
        node.bus.announce(node.epoch(), events);
        if self.way == Way::Notify {
            let cluster = node.store.cluster().unwrap();
            self.says(&cluster.reaches(node.epoch(), events.last().unwrap().position), cluster).await;
        }
    }
}

impl Node {
    fn figure(&self, name: &str) -> u64 {
        let (mut registry, mut text) = (Registry::default(), String::new());
        self.inbox.meters.register(&mut registry);
        encode(&mut text, &registry).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("parlor_bus_{name}_total{{")));
        line.unwrap().rsplit_once(' ').unwrap().1.parse().unwrap()
    }

    fn epoch(&self) -> Epoch {
        self.store.cursors().epoch()
    }

    fn head(&self) -> Position {
        self.inbox.reach.borrow().head
    }

    async fn reaches(&self, head: i64) {
        wait_for("the log is told to reach that far", || async { self.head() == Position(head) }).await;
    }

    async fn whispered(&mut self) -> Whisper {
        tokio::time::timeout(DEADLINE, self.whispers.recv()).await.expect("it is whispered in time").unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Events of a room at consecutive positions.
fn posts(room: RoomId, positions: std::ops::RangeInclusive<i64>) -> Vec<Event> {
    let post = |position| Event {
        position: Position(position),
        kind: EventType::MessagePosted,
        place: Some(Place { room, seq: Some(position) }),
        subject: None,
        at: Timestamp::from_micros(1_700_000_000_000_000 + position),
        data: "{}".into(),
        text: Some(MessageText {
            message: Position(position),
            body: MessageBody::stored(format!("it's number {position}")),
        }),
    };
    positions.map(post).collect()
}

async fn what_a_node_has_committed_is_heard_by_the_others_and_not_by_itself(house: House) {
    let (one, mut two, three) = (house.node().await, house.node().await, house.node().await);
    let room = Ids::SYSTEM.room();
    house.announces(&one, &posts(room, 1..=3)).await;
    house.announces(&one, &posts(room, 4..=4)).await;
    for other in [&two, &three] {
        other.reaches(4).await;
    }
    assert_eq!(one.head(), Position(0), "a node does not hear itself");
    if house.way == Way::Nats {
        for committed in [posts(room, 1..=3), posts(room, 4..=4)] {
            let heard = two.inbox.batches.try_recv().expect("the bus carries the events of each commit");
            assert_eq!(format!("{heard:?}"), format!("{:?}", (one.epoch(), committed)));
        }
    }
    assert!(two.inbox.batches.try_recv().is_err());
    house.announces(&two, &posts(room, 5..=6)).await;
    one.reaches(6).await;
    three.reaches(6).await;
}

async fn whispers_are_gathered_and_all_arrive(house: House) {
    let (one, mut two) = (house.node().await, house.node().await);
    let room = Ids::SYSTEM.room();
    // Far more than one message holds.
    let frame = |n: usize| Whisper::Frame { room, data: format!("{{\"type\":\"typing\",\"n\":{n}}}") };
    for n in 0..1_000 {
        one.bus.whisper(frame(n));
    }
    let session = Ids::SYSTEM.session();
    let extended = Whisper::Extended { session, expires_at: Timestamp::from_micros(1) };
    one.bus.whisper(extended.clone());
    for n in 0..1_000 {
        assert_eq!(two.whispered().await, frame(n));
    }
    assert_eq!(two.whispered().await, extended);
    let messages = two.figure("heard");
    assert!((1..=40).contains(&messages), "they came in {messages} messages");
    // One that no message can hold is left out, and the others arrive.
    one.bus.whisper(Whisper::Frame { room, data: "x".repeat(100_000) });
    one.bus.whisper(frame(1));
    assert_eq!(two.whispered().await, frame(1));
    assert_eq!(one.figure("unsent"), 1);
}

async fn what_is_foreign_or_of_another_epoch_is_counted_and_moves_nothing(house: House) {
    let (one, two) = (house.node().await, house.node().await);
    let cluster = one.store.cluster().unwrap();
    let looks = two.inbox.reach.borrow().looks;
    let forged = cluster.reaches(one.epoch(), Position(7)).replace(":7", ":9");
    for foreign in ["", "hello", &forged, "{\"reaches\":9}", "22 characters and more: it's no code"] {
        house.says(foreign, cluster).await;
    }
    wait_for("they are counted", || async { two.figure("foreign") == 5 }).await;
    assert_eq!((two.head(), two.inbox.reach.borrow().looks), (Position(0), looks));

    // Of this cluster, but of an epoch that the node does not know: the store is asked.
    let key = house.database.run("SELECT encode(cursor_key, 'hex') FROM log").await;
    let key: Vec<u8> = (0..16).map(|i| u8::from_str_radix(&key[2 * i..2 * i + 2], 16).unwrap()).collect();
    let key: [u8; 16] = key.try_into().unwrap();
    let elsewhere = vec![EpochStart { epoch: Epoch(12_345), first: Position(1) }];
    let elsewhere = Cluster::new(&key, 1, Cursors::new(&key, elsewhere, 1));
    house.says(&elsewhere.reaches(Epoch(12_345), Position(9)), cluster).await;
    wait_for("it is counted", || async { two.figure("not_understood") == 1 }).await;
    assert_eq!((two.head(), two.inbox.reach.borrow().looks), (Position(0), looks + 1));
}

async fn a_message_that_comes_twice_or_late_moves_nothing_back(house: House) {
    let (one, two) = (house.node().await, house.node().await);
    let cluster = one.store.cluster().unwrap();
    let (early, late) =
        (cluster.reaches(one.epoch(), Position(5)), cluster.reaches(one.epoch(), Position(8)));
    for message in [&late, &early, &late, &early] {
        house.says(message, cluster).await;
    }
    wait_for("all are heard", || async { two.figure("heard") == 4 }).await;
    assert_eq!(two.head(), Position(8));
}

async fn a_bus_that_was_lost_comes_back_by_itself_and_asks_for_a_look(mut house: House) {
    let (one, two) = (house.node().await, house.node().await);
    let looks = two.inbox.reach.borrow().looks;
    match &mut house.nats {
        None => {
            let others = "datname = current_database() AND pid <> pg_backend_pid()";
            let end = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}");
            house.database.run(&end).await;
        }
        Some(nats) => nats.stops(),
    }
    if let Some(nats) = &mut house.nats {
        let is_lost = async || {
            one.bus.announce(one.epoch(), &posts(Ids::SYSTEM.room(), 1..=2));
            one.figure("unsent") > 0
        };
        wait_for("what is said now is left out", is_lost).await;
        nats.starts();
    }
    for node in [&one, &two] {
        wait_for("the node listens again", || async { node.figure("connected") == 2 }).await;
    }
    assert_eq!(two.inbox.reach.borrow().looks, looks + 1);
    house.announces(&one, &posts(Ids::SYSTEM.room(), 3..=3)).await;
    two.reaches(3).await;
}

#[tokio::test]
async fn a_nats_server_that_stands_still_keeps_no_node_from_ending() {
    let house = House::build(Way::Nats).await;
    let node = house.node().await;
    house.nats.as_ref().expect("the bus goes by it").stands_still();
    let mut long = posts(Ids::SYSTEM.room(), 1..=1);
    long[0].data = "x".repeat(8_000);
    let nothing_more_is_taken = async || {
        let before = node.figure("unsent");
        (0..300).for_each(|_| node.bus.announce(node.epoch(), &long));
        node.figure("unsent") == before + 300
    };
    wait_for("all that is on the way to the server is full", nothing_more_is_taken).await;
    node.stop.cancel();
    node.tasks.close();
    tokio::time::timeout(DEADLINE, node.tasks.wait()).await.expect("what works for the bus ends");
}
