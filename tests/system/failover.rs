//! PostgreSQL with a standby that takes over while nodes work: nothing that was acknowledged is lost if the standby is synchronous.
//! If it is not, everybody who has seen what is lost is told so.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpListener;

use crate::support::log::{assert_dense, event, history, messages, now, sorted_bodies, until_said};
use crate::support::postgres::{Database, Standby};
use crate::support::writing::{Writing, posts_until_acknowledged};
use crate::support::{Detour, Followed, Follower, Frame, Person, Room, Server, wait_for};

/// Two nodes, and a room that Ada made with its member Bob.
struct Cast {
    one: Server,
    two: Server,
    /// At both nodes.
    ada: [Person; 2],
    bob: Person,
    room: Room,
}

impl Cast {
    async fn on(url: &str) -> Self {
        let one = Server::start_with(&[("PARLOR_STORAGE__URL", url)]).await;
        let two = one.starts_another_node().await;
        let (ada, bob) = (one.register("ada").await, two.register("bob").await);
        let room = ada.creates_room("room").await;
        bob.joins(&room).await;
        let ada = [ada.through(one.address()), ada.through(two.address())];
        Self { one, two, ada, bob, room }
    }

    fn nodes(&self) -> [SocketAddr; 2] {
        [self.one.address(), self.two.address()]
    }

    /// Bob follows the room and everything else, at each node, until "the end" is said.
    fn followers(&self, cursor: &str) -> Vec<Follower> {
        let [one, two] = self.nodes();
        let of_room = format!("/v1/rooms/{}/events", self.room.id);
        let mut followers = Vec::new();
        for nodes in [[one, two], [two, one]] {
            for path in [&*of_room, "/v1/events"] {
                followers.push(Follower::begins(&self.bob, &nodes, path, cursor, "the end"));
            }
        }
        followers
    }

    /// Several people post at both nodes.
    fn writing(&self) -> Writing {
        Writing::begins(&[&self.ada[..], &self.ada[..]].concat(), &self.room)
    }

    async fn says(&self, body: &str) {
        posts_until_acknowledged(&self.ada, &self.room, body).await;
    }

    /// The whole log after a cursor, as a node has it now.
    async fn log(&self, at: &Server, cursor: &str) -> Vec<Frame> {
        let mut log = self.bob.through(at.address()).streams_from(&self.room, cursor).await;
        assert_eq!(log.hello().await["resumed"], true);
        until_said(&mut log, "the end").await
    }
}

/// Checks that two lists have the same events. Their cursors are of different epochs.
#[track_caller]
fn assert_same_events(expected: &[Frame], got: &[Frame]) {
    for (expected, got) in expected.iter().zip(got) {
        assert_eq!(event(expected), event(got));
    }
    assert_eq!(expected.len(), got.len(), "one of them goes on");
}

#[tokio::test]
async fn when_a_synchronous_standby_takes_over_nothing_acknowledged_is_lost_and_streams_have_no_gap_or_repeat()
 {
    let database = Database::create_alone().await;
    let standby = database.gets_standby().await;
    database.waits_for_its_standby().await;
    let cast = Cast::on(&database.url_through(&[database.address(), standby.address()])).await;
    let before = now(&cast.bob).await;
    let followers = cast.followers(&before);
    let mut seen = cast.bob.streams(&cast.room).await;
    seen.hello().await;
    let writing = cast.writing();
    for _ in 0..100 {
        seen.next().await;
    }
    let stopped = Instant::now();
    database.stops().await;
    standby.is_promoted().await;
    let promoted = stopped.elapsed();
    cast.says("it goes on").await;
    println!("promoted after {promoted:?}, the first message after {:?}", stopped.elapsed());
    until_said(&mut seen, "it goes on").await;
    for _ in 0..100 {
        seen.next().await;
    }
    let mut acknowledged = writing.stops().await;
    cast.says("the end").await;
    acknowledged.extend(["it goes on", "the end"].map(str::to_owned));
    acknowledged.sort_unstable();

    let log = cast.log(&cast.one, &before).await;
    assert_dense(&log, &cast.bob);
    assert_eq!(sorted_bodies(&messages(&log)), acknowledged, "each message is there once");
    for person in &cast.ada {
        assert_eq!(history(person, &cast.room).await, messages(&log));
    }
    for follower in followers {
        let Followed { frames, ends, resets, longest_away } = follower.has_followed().await;
        assert_same_events(&log, &frames);
        assert_eq!(resets, [0; 0], "nothing is lost, so no cursor is");
        assert!(ends.keys().all(|reason| reason == "shutdown"), "{ends:?} {longest_away:?}");
    }
    println!("{} messages, each there once", acknowledged.len());
}

/// Nodes that reach PostgreSQL at an address which leads to its standby later. The standby is cut off: it gets nothing of what is
/// written from now on.
struct Lossy {
    database: Database,
    standby: Standby,
    detour: Detour,
    cast: Cast,
    /// The cursor before the first message that it has, and after the last.
    before: String,
    kept: String,
    /// The bodies of the messages that the standby has.
    has: Vec<String>,
}

impl Lossy {
    async fn begins() -> Self {
        let database = Database::create_alone().await;
        let detour = Detour::to(database.address()).await;
        let cast = Cast::on(&database.url_through(&[detour.address()])).await;
        let standby = database.gets_standby().await;
        let before = now(&cast.bob).await;
        let has: Vec<_> = (0..10).map(|number| format!("kept {number}")).collect();
        for body in &has {
            cast.says(body).await;
        }
        let kept = now(&cast.bob).await;
        let head = "SELECT head FROM log";
        wait_for("the standby has it", || async { standby.reads(head).await == database.run(head).await })
            .await;
        standby.is_cut_off().await;
        Self { database, standby, detour, cast, before, kept, has }
    }

    /// The standby takes over, at the same address.
    async fn fails_over(&self) -> Duration {
        let began = Instant::now();
        self.database.stops().await;
        self.standby.is_promoted().await;
        self.detour.moves_to(self.standby.address());
        began.elapsed()
    }
}

#[tokio::test]
async fn when_an_asynchronous_standby_takes_over_without_the_last_messages_those_who_saw_them_are_told() {
    let lossy = Lossy::begins().await;
    let cast = &lossy.cast;
    let mut streams = Vec::new();
    for node in cast.nodes() {
        let bob = cast.bob.through(node);
        streams.push(bob.streams_from(&cast.room, &lossy.before).await);
        streams.push(bob.streams_after(&lossy.before).await);
    }
    for number in 0..5 {
        cast.says(&format!("lost {number}")).await;
    }
    let beyond = now(&cast.bob).await;
    for stream in &mut streams {
        until_said(stream, "lost 4").await;
    }
    lossy.fails_over().await;
    for mut stream in streams {
        assert_eq!(stream.bye().await, "shutdown", "a stream is never silent about it");
        let mut back = cast.bob.streams_from(&cast.room, stream.last_event_id()).await;
        assert_eq!(back.reset().await["reason"], "unknown_cursor");
    }
    for node in cast.nodes() {
        let kept = history(&cast.bob.through(node), &cast.room).await;
        assert_eq!(sorted_bodies(&kept), lossy.has, "what is lost is shown to nobody");
    }
    for node in cast.nodes() {
        let bob = cast.bob.through(node);
        let mut back = bob.streams_after(&beyond).await;
        assert_eq!(back.reset().await["reason"], "unknown_cursor");
        let mut resumed = bob.streams_after(&lossy.kept).await;
        assert_eq!(resumed.hello().await["resumed"], true);
        let body = format!("new at {}", node.port());
        cast.says(&body).await;
        for stream in [&mut back, &mut resumed] {
            let frames = until_said(stream, &body).await;
            assert_dense(&frames, &bob);
            assert!(frames.len() <= 2, "{frames:?}");
        }
    }
}

#[tokio::test]
async fn when_an_asynchronous_standby_takes_over_under_load_no_stream_shows_a_wrong_event_or_is_silent() {
    let lossy = Lossy::begins().await;
    let cast = &lossy.cast;
    let followers = cast.followers(&lossy.before);
    let mut seen = cast.bob.streams_after(&lossy.kept).await;
    assert_eq!(seen.hello().await["resumed"], true);
    let writing = cast.writing();
    for _ in 0..50 {
        seen.next().await;
    }
    let took = lossy.fails_over().await;
    cast.says("it goes on").await;
    let mut back = cast.bob.streams_after(seen.last_event_id()).await;
    assert_eq!(back.reset().await["reason"], "unknown_cursor");
    wait_for("everybody is told", || async {
        followers.iter().all(|follower| !follower.follows().resets.is_empty())
    })
    .await;
    writing.stops().await;
    cast.says("the end").await;

    for node in [&cast.one, &cast.two] {
        let log = cast.log(node, &lossy.before).await;
        assert_dense(&log, &cast.bob);
        assert_eq!(history(&cast.bob, &cast.room).await, messages(&log));
    }
    let log = cast.log(&cast.one, &lossy.before).await;
    let (kept, _) = log.split_at(lossy.has.len());
    for follower in followers {
        let Followed { frames, ends, resets, longest_away } = follower.has_followed().await;
        println!("took over in {took:?}: {ends:?}, away for {longest_away:?}");
        let [reset] = resets[..] else { panic!("the reader is told once: {resets:?}") };
        let (old, new) = frames.split_at(reset);
        assert!(old.len() > kept.len(), "it had seen what is lost");
        assert_same_events(kept, &old[..kept.len()]);
        assert_dense(old, &cast.bob);
        // From where it began anew it has everything.
        assert_same_events(&log[log.len() - new.len()..], new);
        assert!(ends.keys().all(|reason| reason == "shutdown"), "{ends:?}");
    }
}

#[tokio::test]
async fn a_host_of_the_url_that_accepts_connections_and_says_nothing_keeps_no_node_from_the_next_host() {
    let database = Database::create().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = database.url_through(&[silent.local_addr().unwrap(), database.address()]);
    let mut node = Server::start_with(&[("PARLOR_STORAGE__URL", &url)]).await;
    let ada = node.register("ada").await;
    let room = ada.creates_room("room").await;
    let mut stream = ada.streams(&room).await;
    stream.hello().await;
    ada.posts(&room, "hello").await;
    until_said(&mut stream, "hello").await;
    assert!(node.stop().await.success());
}

#[tokio::test]
async fn a_commit_whose_wait_for_the_standby_is_cancelled_is_not_acknowledged() {
    let database = Database::create_alone().await;
    let standby = database.gets_standby().await;
    database.waits_for_its_standby().await;
    let server = Server::start_with(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    standby.is_cut_off().await;
    let path = format!("/v1/rooms/{}/messages", room.id);
    let posted = json!({ "body": "on the primary alone", "client_id": "1" });
    let posting = ada.post(&path, posted);
    let cancelling = wait_for("its commit waits, and that is cancelled", async || {
        let waits = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        database.run_as_superuser(waits).await.contains('t')
    });
    let (answer, ()) = tokio::join!(posting, cancelling);
    answer.problem(503, "outcome_unknown");
}
