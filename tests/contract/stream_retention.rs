//! What the log keeps no longer: the stream says `reset`, and the history is still there.

use std::sync::Arc;
use std::time::Duration;

use parlor::domain::clock::Clock;
use parlor::domain::ids::{Position, RoomId};
use parlor::domain::room::RoomRef;
use parlor::domain::user::User;
use parlor::live::{Live, LiveNode, Registry, Start};

use crate::support::log::{history, now, says, until_said};
use crate::support::pipe::Pipe;
use crate::support::store::{OpenStore, reader};
use crate::support::{Server, cursor, place, wait_for};

const TWO_DAYS: i64 = 2 * 86_400 * 1_000_000;

#[tokio::test]
async fn a_cursor_older_than_the_log_gets_a_reset_and_the_history_stays() {
    let mut server = Server::start_with(&[("PARLOR_LOG__RETENTION_DAYS", "1")]).await;
    let ada = server.register("ada").await;
    let before = now(&ada).await;
    let room = ada.creates_room("old").await;
    for turn in 0..1_100 {
        // More than one piece of purging takes away.
        ada.posts(&room, &format!("old {turn}")).await;
    }
    let page = ada.reads_page(&room, "limit=10").await;
    let old = now(&ada).await;
    for turn in 0..5 {
        ada.posts(&room, &format!("young {turn}")).await;
    }
    let all = history(&ada, &room).await;
    server.stop().await;
    let aged = "position <= (SELECT max(position) - 5 FROM events)";
    server.runs_sql(&format!("UPDATE events SET at = at - {TWO_DAYS} WHERE {aged}")).await;
    server.restart().await;

    let path = format!("/v1/rooms/{}/events", room.id);
    for path in [path.as_str(), "/v1/events"] {
        // The purge begins at the start and goes on beside the first requests.
        wait_for("the oldest cursor is out of the log", || async {
            let mut stream = ada.opening(&format!("{path}?after={before}")).open().await;
            stream.next().await.data["reason"] == "retention"
        })
        .await;
        wait_for("all that is old is gone", || async {
            server.queries("SELECT floor FROM log").await[0].parse::<i64>().unwrap() >= 1_102
        })
        .await;
        let mut stream = ada.opening(&format!("{path}?after={before}")).open().await;
        let reset = stream.reset().await;
        assert_eq!(place(&server, &reset).await, cursor::of_event(&server, &now(&ada).await).await);
        // The cursor of the newest purged event misses nothing: what comes after it is there.
        let mut young = ada.opening(&format!("{path}?after={old}")).open().await;
        assert_eq!(young.hello().await["resumed"], true);
        assert!(says(&young.next().await, "young 0"));
        let marker = format!("now on {path}");
        ada.posts(&room, &marker).await;
        assert!(says(&stream.next().await, &marker), "after a reset the stream goes on");
        until_said(&mut young, &marker).await;
    }
    let older = ada.reads_page(&room, &format!("limit=10&before={before}")).await;
    assert_eq!(older["items"].as_array().map(Vec::len), Some(0));
    let older = ada.reads_page(&room, &format!("limit=10&after={before}")).await;
    assert_eq!(older["items"][0]["body"], "old 0");
    let prev = page["prev_cursor"].as_str().unwrap();
    let older = ada.reads_page(&room, &format!("limit=10&before={prev}")).await;
    assert_eq!(older["items"][9]["body"], "old 1089");
    assert_eq!(history(&ada, &room).await[..all.len()], all);
}

/// A room with more in it than a stream reads of the log at once.
async fn long_room(parlor: &OpenStore, owner: &User) -> RoomId {
    let room = parlor.store().create_room(OpenStore::room(owner.id, "old")).await.unwrap().value.state.id;
    for _ in 0..4 {
        let posts = (0..200).map(|turn| OpenStore::message(room, owner.id, &format!("old {turn}"), None));
        parlor.post_together(posts.collect()).await.into_iter().for_each(|made| drop(made.unwrap()));
    }
    room
}

fn from_the_beginning(parlor: &OpenStore) -> Start {
    Start { after: Some(parlor.store().cursors().of_snapshot(Position(0))), ..Start::default() }
}

/// Reads the first few events of a replay, which the rest is read behind.
async fn begins(stream: &mut Pipe) {
    let mut events = 0;
    while events < 3 {
        events += usize::from(stream.next().await.starts_with("id: "));
    }
}

async fn purges_all(parlor: &OpenStore) {
    while parlor.store().purge_events(Clock::SYSTEM.now().plus(Duration::from_secs(1))).await.unwrap() {}
}

#[tokio::test]
async fn a_replay_that_the_purge_overtakes_says_why_the_room_is_not_the_readers_any_more() {
    for reason in ["deleted", "removed"] {
        let parlor = OpenStore::new().await;
        let (ada, bob) = (parlor.adds_user("ada").await, parlor.adds_user("bob").await);
        let room = long_room(&parlor, &ada).await;
        parlor.store().join_room(RoomRef::Id(room), bob.id, Clock::SYSTEM.now()).await.unwrap();
        // The store knows of the removal before the node does.
        let registry = Arc::new(Registry::new(Clock::SYSTEM, Duration::from_mins(15), None));
        let live = Live::new(LiveNode { registry, hub: Arc::default(), ..parlor.live.node().clone() });
        let opened = live.open_room(reader(&bob), &RoomRef::Id(room), &from_the_beginning(&parlor)).await;
        let mut stream = Pipe::of(opened.unwrap());
        begins(&mut stream).await;
        purges_all(&parlor).await;
        if reason == "deleted" {
            parlor.store().delete_room(RoomRef::Id(room), ada.id, Clock::SYSTEM.now()).await.unwrap();
        } else {
            parlor.store().leave_room(RoomRef::Id(room), bob.id, Clock::SYSTEM.now()).await.unwrap();
        }
        let mut last = stream.next().await;
        while last.starts_with("id: ") {
            last = stream.next().await;
        }
        assert!(last.starts_with("event: bye\n") && last.contains(&format!("\"{reason}\"")), "{last}");
    }
}

#[tokio::test]
async fn a_replay_that_the_purge_overtakes_says_reset_and_goes_on() {
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let room = long_room(&parlor, &ada).await;
    let start = from_the_beginning(&parlor);
    let streams = [
        parlor.live.open_room(reader(&ada), &RoomRef::Id(room), &start).await,
        parlor.live.open_person(reader(&ada), &start).await,
    ];
    let mut streams = streams.map(|opened| Pipe::of(opened.unwrap()));
    for stream in &mut streams {
        begins(stream).await;
    }
    purges_all(&parlor).await;
    for stream in &mut streams {
        let mut replayed = 0;
        while !stream.next().await.starts_with("event: reset\n") {
            replayed += 1;
        }
        assert!(replayed < 300, "{replayed} events came, though they were gone from the log");
    }
    let posts = vec![OpenStore::message(room, ada.id, "young", None)];
    parlor.post_together(posts).await.into_iter().for_each(|made| drop(made.unwrap()));
    for stream in &mut streams {
        assert!(stream.next().await.contains("\"young\""), "after the reset comes what is new");
    }
}
