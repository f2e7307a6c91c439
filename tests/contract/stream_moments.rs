//! Moments that a socket blurs, seen at the stream itself: frames that wait to be handed out when their reader is removed,
//! and channels that are being filled while they are read.

use std::sync::Arc;

use parlor::domain::clock::Clock;
use parlor::domain::ids::{Position, RoomId};
use parlor::domain::room::RoomRef;
use parlor::domain::user::User;
use parlor::live::{Hub, Live, LiveNode, Start, feeder};
use tokio::task::JoinSet;

use crate::support::pipe::Pipe;
use crate::support::store::{OpenStore, reader};

async fn room(parlor: &OpenStore, owner: &User, name: &str) -> RoomId {
    let room = OpenStore::room(owner.id, name);
    parlor.store().create_room(room).await.expect("the name is free").value.state.id
}

async fn posts(parlor: &OpenStore, room: RoomId, author: &User, count: usize) {
    let posts = (0..count).map(|number| OpenStore::message(room, author.id, &format!("post {number}"), None));
    for answer in parlor.post_together(posts.collect()).await {
        answer.expect("it is posted");
    }
}

/// A stream of the room and one of all rooms, each with the first of some posts handed out and the others waiting.
async fn streams_in_the_middle(parlor: &OpenStore, bob: &User, room: RoomId, live: bool) -> [Pipe; 2] {
    let after = (!live).then(|| parlor.store().cursors().of_snapshot(Position(4)));
    let start = Start { after, ..Start::default() };
    let reader = reader(bob);
    let mut streams = [
        Pipe::of(parlor.live.open_room(reader, &RoomRef::Id(room), &start).await.unwrap()),
        Pipe::of(parlor.live.open_person(reader, &start).await.unwrap()),
    ];
    if live {
        posts(parlor, room, bob, 40).await;
    }
    for stream in &mut streams {
        while !stream.next().await.contains("post 2\"") {}
    }
    streams
}

/// A room of ada's with bob in it: four events.
async fn ada_and_bob(parlor: &OpenStore) -> (User, User, RoomId) {
    let (ada, bob) = (parlor.adds_user("ada").await, parlor.adds_user("bob").await);
    let room = room(parlor, &ada, "room").await;
    parlor.store().join_room(RoomRef::Id(room), bob.id, Clock::SYSTEM.now()).await.unwrap();
    posts(parlor, room, &ada, 1).await;
    (ada, bob, room)
}

#[tokio::test]
async fn what_waits_to_be_handed_out_when_the_reader_leaves_is_withheld() {
    for live in [true, false] {
        let parlor = OpenStore::new().await;
        let (ada, bob, place) = ada_and_bob(&parlor).await;
        if !live {
            posts(&parlor, place, &ada, 40).await;
        }
        let [mut in_room, mut everywhere] = streams_in_the_middle(&parlor, &bob, place, live).await;
        parlor.store().leave_room(RoomRef::Id(place), bob.id, Clock::SYSTEM.now()).await.unwrap();
        posts(&parlor, place, &ada, 3).await;
        let bye = in_room.next().await;
        assert_eq!(bye, "event: bye\ndata: {\"type\":\"bye\",\"reason\":\"removed\"}\n\n", "live: {live}");
        assert!(in_room.try_next().await.is_none());
        let left = everywhere.next().await;
        assert!(left.contains("\"type\":\"member.left\""), "live: {live}, not the removal but {left}");
        // After it there is nothing of this room, and the stream goes on with others.
        let other = room(&parlor, &bob, "other").await;
        let joined = everywhere.next().await;
        assert!(joined.contains("member.joined") && joined.contains(&other.to_string()), "{joined}");
    }
}

#[tokio::test]
async fn what_waits_to_be_handed_out_when_the_room_is_deleted_is_withheld() {
    for live in [true, false] {
        let parlor = OpenStore::new().await;
        let (ada, bob, place) = ada_and_bob(&parlor).await;
        if !live {
            posts(&parlor, place, &ada, 40).await;
        }
        let [mut in_room, mut everywhere] = streams_in_the_middle(&parlor, &bob, place, live).await;
        parlor.store().delete_room(RoomRef::Id(place), ada.id, Clock::SYSTEM.now()).await.unwrap();
        let bye = in_room.next().await;
        assert_eq!(bye, "event: bye\ndata: {\"type\":\"bye\",\"reason\":\"deleted\"}\n\n", "live: {live}");
        let deleted = everywhere.next().await;
        assert!(
            deleted.contains("\"type\":\"room.deleted\""),
            "live: {live}, not the deletion but {deleted}"
        );
    }
}

/// The channels of a second hub are filled from the log as fast as possible, while streams empty them. A writer that read one
/// channel after the other and ignored the mark would give newer events of one room before older ones of another.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn many_rooms_keep_one_global_order_while_their_channels_are_being_filled() {
    const ROOMS: usize = 20;
    const ROUNDS: usize = 40;
    /// To each room in one round: fewer than its channel holds, as a stream that runs over reads the log, which is in order.
    const POSTS: usize = 50;
    /// Events in one step of the mark.
    const STEP: usize = 40;
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let mut rooms = Vec::new();
    for number in 0..ROOMS {
        rooms.push(room(&parlor, &ada, &format!("room-{number}")).await);
    }
    let (commits, feeder) = feeder();
    let hub = Arc::new(Hub::default());
    let live = Live::new(LiveNode { hub, ..parlor.live.node().clone() });
    tokio::spawn(feeder.start(live.node().clone()).await.unwrap());
    let begin = parlor.store().head().await.unwrap();
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = Pipe::of(live.open_person(reader(&ada), &Start::default()).await.unwrap());
        while !stream.next().await.starts_with("event: hello") {}
        streams.push(stream);
    }
    let mut last = begin;
    for _ in 0..ROUNDS {
        let posts =
            (0..POSTS * ROOMS).map(|number| OpenStore::message(rooms[number % ROOMS], ada.id, "post", None));
        parlor.post_together(posts.collect()).await.into_iter().for_each(|made| drop(made.unwrap()));
        let events = parlor.store().log_events(last, 10_000).await.unwrap().1;
        let mut reading = JoinSet::new();
        for mut stream in streams.drain(..) {
            reading.spawn(async move {
                let mut frames = Vec::with_capacity(POSTS * ROOMS);
                while frames.len() < POSTS * ROOMS {
                    frames.push(stream.next().await);
                }
                (stream, frames)
            });
        }
        for step in events.chunks(STEP) {
            commits.committed(None, step.to_vec());
        }
        let expected: Vec<_> = events.iter().map(|event| event.position).collect();
        for (stream, frames) in reading.join_all().await {
            let positions = frames.iter().map(|frame| position(&parlor, frame));
            let wrong = positions.zip(&expected).find(|(got, expected)| got != *expected);
            assert_eq!(wrong, None, "not in the order of the log");
            streams.push(stream);
        }
        last = *expected.last().unwrap();
    }
}

fn position(parlor: &OpenStore, frame: &str) -> Position {
    let cursor = frame.strip_prefix("id: ").and_then(|text| text.lines().next());
    parlor.store().cursors().decode(cursor.expect("an event"), Position(i64::MAX)).expect("a good cursor")
}
