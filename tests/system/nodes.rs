//! Two nodes on one PostgreSQL database, whatever store the other tests run on: every promise holds across them while nodes end
//! and pause, while PostgreSQL ends, and when it has lost a part of the log.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::log::{
    assert_dense, assert_same, history, messages, now, says, sorted_bodies, until_said,
};
use crate::support::nats::Nats;
use crate::support::postgres::Database;
use crate::support::writing::{Writing, posts_until_acknowledged, tries_to_post};
use crate::support::{DEADLINE, EventStream, Figures, Frame, PASSWORD, Person, Room, Server, wait_for};

/// Longer than a node may go without the end of the log before it ends its streams (15 s).
const LONG_PAUSE: Duration = Duration::from_secs(20);

pub(super) struct Nodes {
    pub one: Server,
    pub two: Server,
    database: Database,
}

/// How they tell each other what they have written.
#[derive(Clone, Copy)]
pub(super) enum Way {
    Notifications,
    Nats,
}

/// A room that Ada made at the first node, and its member Bob, who is at the second.
pub(super) struct Cast {
    pub ada: Person,
    pub bob: Person,
    pub room: Room,
}

impl Nodes {
    async fn start(way: Way) -> Self {
        let bus = match way {
            Way::Notifications => String::new(),
            Way::Nats => Nats::shared(),
        };
        Self::by(Database::create().await, &bus).await
    }

    /// Those that tell each other by PostgreSQL.
    async fn on(database: Database) -> Self {
        Self::by(database, "").await
    }

    /// `bus` is what `cluster.bus` is set to.
    pub async fn by(database: Database, bus: &str) -> Self {
        let env = [("PARLOR_STORAGE__URL", &*database.url()), ("PARLOR_CLUSTER__BUS", bus)];
        let one =
            Server::start_with(&[&env[..], &[("PARLOR_METRICS__LISTEN", "127.0.0.1:0")]].concat()).await;
        let two = one.starts_another_node().await;
        Self { one, two, database }
    }

    pub async fn cast(&self) -> Cast {
        let (ada, bob) = (self.one.register("ada").await, self.two.register("bob").await);
        let room = ada.creates_room("room").await;
        bob.joins(&room).await;
        Cast { ada, bob, room }
    }

    pub fn both(&self) -> [&Server; 2] {
        [&self.one, &self.two]
    }
}

impl Cast {
    /// Streams of the room at each node, which have said hello.
    pub async fn streams(&self, nodes: &Nodes) -> [EventStream; 2] {
        let mut streams = [
            self.bob.through(nodes.one.address()).streams(&self.room).await,
            self.bob.through(nodes.two.address()).streams(&self.room).await,
        ];
        for stream in &mut streams {
            stream.hello().await;
        }
        streams
    }
}

macro_rules! on_both_ways {
    ($($claim:ident)+) => {
        mod by_notifications {
            $(#[tokio::test]
            async fn $claim() {
                super::$claim(super::Way::Notifications).await;
            })+
        }
        mod by_nats {
            $(#[tokio::test]
            async fn $claim() {
                super::$claim(super::Way::Nats).await;
            })+
        }
    };
}

on_both_ways! {
    posts_on_either_node_reach_the_streams_of_both_in_one_order_with_the_same_cursors
    a_stream_goes_on_at_the_other_node_without_gap_or_repeat_after_its_own_was_killed
    nothing_of_a_room_reaches_streams_at_the_other_node_after_its_reader_has_left_at_the_first
    a_session_that_ends_at_one_node_ends_its_streams_and_its_token_at_the_other
    a_session_that_is_refreshed_at_one_node_keeps_its_streams_at_the_other
}

/// Everything that comes until the stream ends, in whatever way.
async fn until_it_ends(stream: &mut EventStream) -> Vec<Frame> {
    let ends = async {
        let mut frames = Vec::new();
        while let Some(frame) = stream.try_next().await {
            frames.extend((frame.event != "ping").then_some(frame));
        }
        frames
    };
    tokio::time::timeout(DEADLINE, ends).await.expect("the stream ends in time")
}

/// A stream that resumes there after a cursor.
async fn resumed(person: &Person, at: &Server, room: &Room, cursor: &str) -> EventStream {
    let mut stream = person.through(at.address()).streams_from(room, cursor).await;
    assert_eq!(stream.hello().await["resumed"], true);
    stream
}

async fn posts_on_either_node_reach_the_streams_of_both_in_one_order_with_the_same_cursors(way: Way) {
    let nodes = Nodes::start(way).await;
    let Cast { ada, bob, room } = &nodes.cast().await;
    let before = now(ada).await;
    let mut streams = Vec::new();
    for node in nodes.both() {
        streams.push(bob.through(node.address()).streams_from(room, &before).await);
        streams.push(bob.through(node.address()).streams_after(&before).await);
    }
    for stream in &mut streams {
        stream.hello().await;
    }
    for turn in 0..10 {
        let posts = (0..8).map(|post| {
            let person = if post % 2 == 0 { ada } else { bob };
            async move { person.posts(room, &format!("{turn}.{post}")).await }
        });
        join_all(posts).await;
    }
    ada.posts(room, "the end").await;
    let mut whole: Option<Vec<Frame>> = None;
    for stream in &mut streams {
        let frames = until_said(stream, "the end").await;
        assert_dense(&frames, bob);
        assert_eq!(frames.len(), 81);
        assert_same(whole.get_or_insert_with(|| frames.clone()), &frames);
    }
    let posted = messages(&whole.unwrap());
    for person in [ada, bob] {
        assert_eq!(history(person, room).await, posted);
    }
}

async fn a_stream_goes_on_at_the_other_node_without_gap_or_repeat_after_its_own_was_killed(way: Way) {
    let mut nodes = Nodes::start(way).await;
    let Cast { bob, room, .. } = nodes.cast().await;
    let before = now(&bob).await;
    let at = [bob.through(nodes.one.address()), bob.through(nodes.two.address())];
    let mut got = Vec::new();
    let mut acknowledged = Vec::new();
    let mut cursor = before.clone();
    for turn in 0..4 {
        let written = Writing::begins(&at, &room);
        // Each node is killed in its turn, and the stream comes from the other one.
        let (killed, other) =
            if turn % 2 == 0 { (&mut nodes.one, &nodes.two) } else { (&mut nodes.two, &nodes.one) };
        let mut stream = resumed(&bob, killed, &room, &cursor).await;
        for _ in 0..20 {
            got.push(stream.next().await);
        }
        killed.kill().await;
        got.extend(until_it_ends(&mut stream).await);
        assert!(stream.end().unwrap().is_err(), "it ended without a word");
        let mut stream = resumed(&bob, other, &room, got.last().unwrap().cursor()).await;
        for _ in 0..20 {
            got.push(stream.next().await);
        }
        acknowledged.extend(written.stops().await);
        let marker = format!("end of turn {turn}");
        bob.through(other.address()).posts(&room, &marker).await;
        got.extend(until_said(&mut stream, &marker).await);
        stream.last_event_id().clone_into(&mut cursor);
        acknowledged.push(marker);
        killed.restart().await;
    }
    let mut log = resumed(&bob, &nodes.one, &room, &before).await;
    assert_same(&until_said(&mut log, acknowledged.last().unwrap()).await, &got);
    assert_dense(&got, &bob);
    let posted = messages(&got);
    assert_eq!(history(&at[1], &room).await, posted);
    acknowledged.sort_unstable();
    assert_eq!(sorted_bodies(&posted), acknowledged);
}

#[tokio::test]
async fn one_client_id_posted_on_both_nodes_at_once_makes_one_message() {
    let nodes = Nodes::start(Way::Notifications).await;
    let Cast { bob, room, .. } = &nodes.cast().await;
    let at = nodes.both().map(|node| bob.through(node.address()));
    let mut ids = Vec::new();
    for turn in 0..30 {
        let body = format!("turn {turn}");
        let (one, two) = tokio::join!(tries_to_post(&at[0], room, &body), tries_to_post(&at[1], room, &body));
        let (one, two) = (one.unwrap(), two.unwrap());
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 201], "{} {}", one.text, two.text);
        assert_eq!(one.json, two.json);
        ids.push(one.json["id"].clone());
    }
    let kept: Vec<_> = history(bob, room).await.iter().map(|message| message["id"].clone()).collect();
    assert_eq!(kept, ids);
}

async fn nothing_of_a_room_reaches_streams_at_the_other_node_after_its_reader_has_left_at_the_first(
    way: Way,
) {
    let nodes = Nodes::start(way).await;
    let Cast { ada, bob, room } = &nodes.cast().await;
    let other = ada.creates_room("other").await;
    bob.joins(&other).await;
    let here = bob.through(nodes.one.address());
    for turn in 0..8 {
        let mut in_room = bob.streams(room).await;
        let mut everywhere = bob.streams_all().await;
        in_room.hello().await;
        everywhere.hello().await;
        let written = Writing::begins(&[ada.clone(), ada.clone()], room);
        for stream in [&mut in_room, &mut everywhere] {
            for _ in 0..5 {
                assert_eq!(stream.next().await.data["room"], *room.id, "members hear it");
            }
        }
        here.leaves(room).await;
        written.stops().await;
        let marker = format!("marker {turn}");
        ada.posts(&other, &marker).await;

        let is_own_leaving =
            |frame: &Frame| frame.kind() == "member.left" && frame.data["member"]["user"]["id"] == *bob.id;
        let frames = until_said(&mut everywhere, &marker).await;
        let of_room: Vec<_> = frames.iter().filter(|frame| frame.data["room"] == *room.id).collect();
        let left = *of_room.last().expect("the leaving is told");
        assert!(is_own_leaving(left), "after it came {left:?}");
        let mut frames = until_it_ends(&mut in_room).await;
        let bye = frames.pop().expect("it says bye");
        assert_eq!((bye.kind(), &bye.data["reason"]), ("bye", &json!("removed")));
        // Where something before the leaving was withheld, that is withheld, too.
        assert!(frames.iter().all(|frame| frame.data["seq"].as_i64() <= left.data["seq"].as_i64()));
        bob.joins(room).await;
    }
}

async fn a_session_that_ends_at_one_node_ends_its_streams_and_its_token_at_the_other(way: Way) {
    let nodes = Nodes::start(way).await;
    let Cast { bob, .. } = nodes.cast().await;
    let new = "another battery staple horse";
    let change = json!({ "current_password": PASSWORD, "new_password": new });
    let third = nodes.one.sign_in("bob").await;
    let at_two = third.through(nodes.two.address());
    let mut out = at_two.streams_all().await;
    let mut stays = bob.streams_all().await;
    out.hello().await;
    stays.hello().await;
    at_two.get("/v1/users/me").await.ok(200);

    third.post_nothing("/v1/logout").await.ok(204);
    at_two.get("/v1/users/me").await.problem(401, "unauthenticated");
    assert_eq!(out.bye().await, "signed_out");
    bob.get("/v1/users/me").await.ok(200);

    // A new password ends all sessions but the one that has set it.
    let changes = nodes.one.sign_in("bob").await;
    changes.put("/v1/users/me/password", change).await.ok(204);
    bob.get("/v1/users/me").await.problem(401, "unauthenticated");
    assert_eq!(stays.bye().await, "signed_out");
    changes.through(nodes.two.address()).get("/v1/users/me").await.ok(200);
}

async fn a_session_that_is_refreshed_at_one_node_keeps_its_streams_at_the_other(way: Way) {
    let nodes = Nodes::start(way).await;
    let Cast { ada, mut bob, room } = nodes.cast().await;
    let before = bob.through(nodes.one.address());
    let mut stream = before.streams(&room).await;
    let expires_at = stream.hello().await["expires_at"].clone();
    // Long enough that the newer token expires a whole second later.
    let began = Instant::now();
    wait_for("a second is over", async || began.elapsed() > Duration::from_millis(1_100)).await;
    bob.refreshes().await;
    // All streams of a session have one deadline. It is told to those that open later, with the older token, too.
    let expires_later =
        async || before.streams(&room).await.hello().await["expires_at"].as_str() > expires_at.as_str();
    wait_for("the first node has heard of the newer token", expires_later).await;
    ada.posts(&room, "after it").await;
    until_said(&mut stream, "after it").await;
}

#[tokio::test]
async fn what_a_node_has_not_heard_of_a_session_lets_nobody_post() {
    let nodes = Nodes::start(Way::Notifications).await;
    let Cast { bob, room, .. } = nodes.cast().await;
    bob.posts(&room, "before").await;
    // No entry of the log tells of it.
    nodes
        .database
        .run("UPDATE sessions SET ended_at = 1 WHERE user_id = (SELECT id FROM users WHERE username = 'bob')")
        .await;
    let post = json!({ "body": "after", "client_id": "one" });
    for place in [room.id.as_str(), "no-such-room"] {
        let refused = bob.post(&format!("/v1/rooms/{place}/messages"), post.clone()).await;
        refused.problem(401, "unauthenticated");
    }
    let again = nodes.two.sign_in("bob").await;
    again.post("/v1/rooms/no-such-room/messages", post).await.problem(404, "room_not_found");
    assert_eq!(sorted_bodies(&history(&again, &room).await), ["before"]);
}

#[tokio::test]
async fn sessions_that_are_known_and_new_ones_post_in_one_batch() {
    let nodes = Nodes::start(Way::Notifications).await;
    let Cast { ada, bob, room } = nodes.cast().await;
    ada.posts(&room, "before").await;
    let new = nodes.one.sign_in("ada").await;
    let lock = nodes.database.holds("LOCK TABLE log IN EXCLUSIVE MODE").await;
    let posts = |author: &Person| {
        let (author, path) = (author.clone(), format!("/v1/rooms/{}/messages", room.id));
        tokio::spawn(async move { author.post(&path, json!({ "body": "at once" })).await.status })
    };
    let mut posted = vec![posts(&ada)];
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    wait_for("the first is being written", async || nodes.database.run(waiting).await.trim() == "1").await;
    // The last is asked for beside the journal, as another one waits.
    for (author, count) in [(&ada, 1), (&new, 2)] {
        posted.push(posts(author));
        let wait = async || Figures::of(&nodes.one).await.count("parlor_journal_queue", &[]) == count;
        wait_for("it waits", wait).await;
    }
    drop(lock);
    for post in posted {
        assert_eq!(post.await.unwrap(), 201);
    }
    assert_eq!(history(&bob, &room).await.len(), 4);
}

#[tokio::test]
async fn a_room_that_is_deleted_at_one_node_ends_its_streams_at_the_other() {
    let nodes = Nodes::start(Way::Notifications).await;
    let Cast { ada, bob, room } = nodes.cast().await;
    let mut in_room = bob.streams(&room).await;
    let mut everywhere = bob.streams_all().await;
    in_room.hello().await;
    everywhere.hello().await;
    ada.delete(&format!("/v1/rooms/{}", room.id)).await.ok(204);
    assert_eq!(in_room.next().await.kind(), "room.deleted");
    assert_eq!(in_room.bye().await, "deleted");
    assert_eq!(everywhere.next().await.kind(), "room.deleted");
    bob.get(&format!("/v1/rooms/{}", room.id)).await.problem(404, "room_not_found");
}

#[tokio::test]
async fn the_first_write_after_postgresql_was_started_again_has_a_cursor_that_is_good() {
    let nodes = Nodes::on(Database::create_alone().await).await;
    let Cast { ada, room, .. } = nodes.cast().await;
    nodes.database.stops().await;
    nodes.database.starts().await;
    let path = format!("/v1/rooms/{}", room.id);
    let changed = async || ada.patch(&path, json!({ "topic": "after it" })).await;
    let mut answer = changed().await;
    while answer.status != 200 {
        answer = changed().await;
    }
    let cursor = answer.json["cursor"].as_str().unwrap();
    assert_eq!(ada.streams_from(&room, cursor).await.hello().await["resumed"], true);
}

#[tokio::test]
async fn while_postgresql_is_down_writes_are_refused_and_streams_stay_and_nothing_acknowledged_is_lost() {
    let nodes = Nodes::on(Database::create_alone().await).await;
    let cast = nodes.cast().await;
    let Cast { ada, bob, room } = &cast;
    let before = now(ada).await;
    let [mut one, mut two] = cast.streams(&nodes).await;
    let mut written = Vec::new();
    for _ in 0..2 {
        // One author at both nodes: a client id is each author's own, and a post whose outcome was unknown is sent again.
        let writing = Writing::begins(&[ada.clone(), ada.through(nodes.two.address())], room);
        one.until(|frame| frame.kind() == "message.posted").await;
        nodes.database.stops().await;
        for person in [ada, bob] {
            let refused = tries_to_post(person, room, "while it is down").await.unwrap();
            assert!(!refused.header("retry-after").is_empty(), "{refused:?}");
            refused.problem(503, "overloaded");
            let node = person.address();
            wait_for("it is not ready", || async { person.get("/readyz").await.status == 503 }).await;
            assert_eq!(person.get("/livez").await.status, 200, "{node}");
        }
        nodes.database.starts().await;
        for person in [ada, bob] {
            wait_for("it is ready again", || async { person.get("/readyz").await.status == 200 }).await;
        }
        written.extend(writing.stops().await);
    }
    let [mut one_whole, mut two_whole] = [Vec::new(), Vec::new()];
    posts_until_acknowledged(std::slice::from_ref(ada), room, "the end").await;
    one_whole.extend(until_said(&mut one, "the end").await);
    two_whole.extend(until_said(&mut two, "the end").await);
    assert_dense(&one_whole, bob);
    assert_dense(&two_whole, bob);
    let mut log = resumed(bob, &nodes.two, room, &before).await;
    let log = messages(&until_said(&mut log, "the end").await);
    assert_eq!(messages(&two_whole), log);
    assert_eq!(history(ada, room).await, log);
    written.push("the end".to_owned());
    written.sort_unstable();
    assert_eq!(sorted_bodies(&log), written);
}

#[tokio::test]
async fn a_node_that_was_paused_for_long_sends_its_readers_away_and_they_miss_nothing() {
    let nodes = Nodes::start(Way::Notifications).await;
    let Cast { ada, bob, room } = &nodes.cast().await;
    let before = now(ada).await;
    let mut stream = resumed(bob, &nodes.two, room, &before).await;
    ada.posts(room, "before").await;
    let mut got = until_said(&mut stream, "before").await;
    nodes.two.pause();
    for post in 0..20 {
        ada.posts(room, &format!("meanwhile {post}")).await;
    }
    let heard = tokio::time::timeout(LONG_PAUSE, stream.try_next()).await;
    assert!(heard.is_err(), "a node that stands still says nothing, but {heard:?}");
    nodes.two.go_on();
    let mut rest = until_it_ends(&mut stream).await;
    let bye = rest.pop().expect("it says bye");
    assert_eq!((bye.kind(), &bye.data["reason"]), ("bye", &json!("shutdown")));
    got.extend(rest);
    let mut stream = resumed(bob, &nodes.one, room, got.last().unwrap().cursor()).await;
    ada.posts(room, "after").await;
    got.extend(until_said(&mut stream, "after").await);
    let mut log = resumed(bob, &nodes.one, room, &before).await;
    assert_same(&until_said(&mut log, "after").await, &got);
    assert_eq!(got.len(), 22);

    // It has caught up and serves again.
    wait_for("it is ready", || async { bob.get("/readyz").await.status == 200 }).await;
    let mut back = resumed(bob, &nodes.two, room, got[0].cursor()).await;
    assert_same(&got[1..], &until_said(&mut back, "after").await);
}

/// Takes the last events of the log away, as a standby does that took over before it had them.
async fn loses_the_end(database: &Database, room: &Room, events: usize) {
    let id = &room.id;
    database
        .run(&format!(
            "BEGIN;
             UPDATE log SET head = head - {events};
             UPDATE rooms SET head = head - {events} WHERE id = '{id}';
             DELETE FROM messages WHERE position > (SELECT head FROM log);
             DELETE FROM events WHERE position > (SELECT head FROM log);
             COMMIT;"
        ))
        .await;
}

/// What streams show when the log has lost three events and has this many new ones at once.
async fn streams_are_told_of_a_lost_end(new_posts: usize) {
    let nodes = Nodes::start(Way::Notifications).await;
    let cast = nodes.cast().await;
    let Cast { ada, bob, room } = &cast;
    let [mut one, mut two] = cast.streams(&nodes).await;
    for post in 0..10 {
        ada.posts(room, &format!("post {post}")).await;
    }
    for stream in [&mut one, &mut two] {
        until_said(stream, "post 9").await;
    }
    loses_the_end(&nodes.database, room, 3).await;
    for post in 0..new_posts {
        ada.posts(room, &format!("new {post}")).await;
    }
    for (at, mut stream) in [one, two].into_iter().enumerate() {
        let node = nodes.both()[at];
        assert_eq!(stream.bye().await, "shutdown", "a stream is never silent about it");
        let bob = bob.through(node.address());
        let mut back = bob.streams_from(room, stream.last_event_id()).await;
        assert_eq!(back.reset().await["reason"], "unknown_cursor");
        assert_eq!(history(&bob, room).await.len(), 7 + new_posts + at);
        let marker = format!("after {}", node.address());
        ada.posts(room, &marker).await;
        assert!(says(&back.next().await, &marker), "and it goes on from the reset");
    }
}

#[tokio::test]
async fn streams_and_cursors_beyond_a_lost_end_of_the_log_say_so() {
    streams_are_told_of_a_lost_end(0).await;
}

#[tokio::test]
async fn streams_and_cursors_beyond_a_lost_end_say_so_even_if_the_log_has_grown_past_it_at_once() {
    for new_posts in [3, 6] {
        streams_are_told_of_a_lost_end(new_posts).await;
    }
}
