//! Moments that a socket blurs, seen at the stream itself: frames that wait to be handed out when their reader is removed,
//! and channels that are being filled while they are read.

use parlor::domain::clock::Clock;
use parlor::domain::ids::{Ids, Position, RoomId};
use parlor::domain::room::RoomRef;
use parlor::domain::user::User;
use parlor::live::{EventStream, Start};
use tokio::task::JoinSet;

use crate::support::store::{OpenStore, next, reader};

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
async fn streams_in_the_middle(parlor: &OpenStore, bob: &User, room: RoomId, live: bool) -> [EventStream; 2] {
    let after = (!live).then(|| parlor.store().cursors().encode(Position(4)));
    let start = Start { after, ..Start::default() };
    let reader = reader(bob);
    let mut streams = [
        parlor.live.open_room(reader, &RoomRef::Id(room), &start).await.unwrap(),
        parlor.live.open_person(reader, &start).await.unwrap(),
    ];
    if live {
        posts(parlor, room, bob, 40).await;
    }
    for stream in &mut streams {
        while !next(stream).await.contains("post 2\"") {}
    }
    streams
}

/// A room of ada's with bob in it: four events.
async fn ada_and_bob(parlor: &OpenStore) -> (User, User, RoomId) {
    let (ada, bob) = (parlor.adds_user("ada").await, parlor.adds_user("bob").await);
    let room = room(parlor, &ada, "room").await;
    parlor.store().join_room(RoomRef::Id(room), bob.id, Clock.now()).await.unwrap();
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
        parlor.store().leave_room(RoomRef::Id(place), bob.id, Clock.now()).await.unwrap();
        posts(&parlor, place, &ada, 3).await;
        let bye = next(&mut in_room).await;
        assert_eq!(bye, "event: bye\ndata: {\"type\":\"bye\",\"reason\":\"removed\"}\n\n", "live: {live}");
        assert!(in_room.next().await.is_none());
        let left = next(&mut everywhere).await;
        assert!(left.contains("\"type\":\"member.left\""), "live: {live}, not the removal but {left}");
        // After it there is nothing of this room, and the stream goes on with others.
        let other = room(&parlor, &bob, "other").await;
        let joined = next(&mut everywhere).await;
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
        parlor.store().delete_room(RoomRef::Id(place), ada.id, Clock.now()).await.unwrap();
        let bye = next(&mut in_room).await;
        assert_eq!(bye, "event: bye\ndata: {\"type\":\"bye\",\"reason\":\"deleted\"}\n\n", "live: {live}");
        let deleted = next(&mut everywhere).await;
        assert!(
            deleted.contains("\"type\":\"room.deleted\""),
            "live: {live}, not the deletion but {deleted}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_rooms_keep_one_global_order_while_their_channels_are_being_filled() {
    const ROOMS: usize = 20;
    const BATCHES: usize = 150;
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let mut rooms = Vec::new();
    for number in 0..ROOMS {
        rooms.push(room(&parlor, &ada, &format!("room-{number}")).await);
    }
    let begin = parlor.store().head().await.unwrap();
    let mut reading = JoinSet::new();
    for _ in 0..6 {
        let mut stream = parlor.live.open_person(reader(&ada), &Start::default()).await.unwrap();
        let store = parlor.live.store.clone();
        reading.spawn(async move {
            let mut positions = Vec::new();
            loop {
                let frame = next(&mut stream).await;
                let Some(id) = frame.strip_prefix("id: ").and_then(|frame| frame.lines().next()) else {
                    continue;
                };
                positions.push(store.cursors().decode(id, Position(i64::MAX)).unwrap().0);
                if frame.contains("the end") {
                    return positions;
                }
            }
        });
    }
    for _ in 0..BATCHES {
        // Few to each room, so that no channel runs over: a stream that reads the log anew is in order by itself.
        let posts = (0..2 * ROOMS).map(|_| {
            let room = rooms[usize::try_from(Ids.random_below(ROOMS as u64)).unwrap()];
            OpenStore::message(room, ada.id, "a post", None)
        });
        parlor.post_together(posts.collect()).await.into_iter().for_each(|made| drop(made.unwrap()));
    }
    parlor
        .post_together(vec![OpenStore::message(rooms[0], ada.id, "the end", None)])
        .await
        .remove(0)
        .unwrap();
    let expected: Vec<i64> = (begin.0 + 1..=parlor.store().head().await.unwrap().0).collect();
    for positions in reading.join_all().await {
        let wrong = positions.iter().zip(&expected).position(|(got, expected)| got != expected);
        assert_eq!(
            wrong.map(|at| &positions[at..positions.len().min(at + 5)]),
            None,
            "expected {:?}",
            wrong.map(|at| expected[at])
        );
        assert_eq!(positions.len(), expected.len());
    }
}
