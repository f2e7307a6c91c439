//! Rooms that are deleted under open streams: the journal pays the same however many there are, and from the answer on nothing
//! is given of what was said in the room.

use std::time::{Duration, Instant};

use parlor::domain::clock::Clock;
use parlor::domain::event::{Event, EventType, Place};
use parlor::domain::ids::{Ids, Position, RoomId};
use parlor::domain::room::RoomRef;
use parlor::live::Start;
use parlor::storage::Committed;
use tokio::task::JoinSet;

use crate::support::Server;
use crate::support::log::{assert_dense, until_said};
use crate::support::pipe::Pipe;
use crate::support::store::{OpenStore, next_on, on_a_socket, reader};

/// How long the journal is busy with telling the node of a deletion: the median of many.
fn time_of_a_deletion(parlor: &OpenStore) -> Duration {
    let mut times: Vec<Duration> = (0..101)
        .map(|_| {
            let deleted = Event {
                position: Position(1),
                kind: EventType::RoomDeleted,
                place: Some(Place { room: Ids::SYSTEM.room(), seq: Some(1) }),
                subject: None,
                at: Clock::SYSTEM.now(),
                data: "{}".into(),
                text: None,
            };
            let committed = Committed { events: vec![deleted], ..Committed::default() };
            let began = Instant::now();
            parlor.live.registry().committed(&committed);
            began.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

#[tokio::test]
async fn a_deletion_costs_the_journal_the_same_however_many_streams_are_open() {
    const STREAMS: usize = 5_000;
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let alone = time_of_a_deletion(&parlor);
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        streams.push(parlor.live.open_person(reader(&ada), &Start::default()).await.unwrap());
    }
    let with_many = time_of_a_deletion(&parlor);
    println!("a deletion: {alone:?} with no stream, {with_many:?} with {STREAMS}");
    assert!(with_many < 20 * alone, "{alone:?} with no stream, {with_many:?} with {STREAMS}");
}

#[tokio::test]
async fn a_stream_that_waits_for_its_socket_gives_nothing_of_a_room_that_is_deleted_meanwhile() {
    let parlor = OpenStore::new().await;
    let (ada, bob) = (parlor.adds_user("ada").await, parlor.adds_user("bob").await);
    let room = OpenStore::room(ada.id, "room");
    let room: RoomId = parlor.store().create_room(room).await.unwrap().value.state.id;
    parlor.store().join_room(RoomRef::Id(room), bob.id, Clock::SYSTEM.now()).await.unwrap();
    let joined = parlor.store().head().await.unwrap();
    let posts = (0..20).map(|n| OpenStore::message(room, ada.id, &format!("post {n}"), None));
    parlor.post_together(posts.collect()).await.into_iter().for_each(|made| drop(made.unwrap()));
    // Every writer is busy with other streams, and hears of the deletion before it gets these.
    let mut others = Vec::new();
    for _ in 0..16 {
        others.push(Pipe::of(parlor.live.open_person(reader(&ada), &Start::default()).await.unwrap()));
    }
    let start = Start { after: Some(parlor.store().cursors().of_snapshot(joined)), ..Start::default() };
    let in_room = parlor.live.open_room(reader(&bob), &RoomRef::Id(room), &start).await.unwrap();
    let everywhere = parlor.live.open_person(reader(&bob), &start).await.unwrap();

    parlor.store().delete_room(RoomRef::Id(room), ada.id, Clock::SYSTEM.now()).await.unwrap();
    for other in &mut others {
        while !other.next().await.contains("room.deleted") {}
    }
    let mut in_room = on_a_socket(in_room).await;
    assert!(next_on(&mut in_room).await.unwrap().unwrap().starts_with("retry:"));
    assert!(next_on(&mut in_room).await.unwrap().unwrap().starts_with("event: hello"));
    let bye = next_on(&mut in_room).await.unwrap().unwrap();
    assert_eq!(bye, "event: bye\ndata: {\"type\":\"bye\",\"reason\":\"deleted\"}\n\n");
    let mut everywhere = on_a_socket(everywhere).await;
    assert!(next_on(&mut everywhere).await.unwrap().unwrap().starts_with("retry:"));
    assert!(next_on(&mut everywhere).await.unwrap().unwrap().starts_with("event: hello"));
    let deleted = next_on(&mut everywhere).await.unwrap().unwrap();
    assert!(deleted.contains("\"type\":\"room.deleted\""), "not the deletion but {deleted}");
}

#[tokio::test]
async fn what_a_slow_reader_has_not_been_given_is_withheld_once_the_room_is_deleted() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let (room, other) = (ada.creates_room("loud").await, ada.creates_room("other").await);
    bob.joins(&room).await;
    bob.joins(&other).await;
    let mut in_room =
        bob.opening(&format!("/v1/rooms/{}/events", room.id)).receive_buffer(4_096).open().await;
    let mut everywhere = bob.opening("/v1/events").receive_buffer(4_096).open().await;
    in_room.hello().await;
    everywhere.hello().await;
    let padding = "x".repeat(3_900);
    let mut posting = JoinSet::new();
    for _ in 0..16 {
        let (ada, room, padding) = (ada.clone(), room.clone(), padding.clone());
        posting.spawn(async move {
            for _ in 0..20 {
                ada.posts(&room, &padding).await;
            }
        });
    }
    posting.join_all().await;
    ada.delete(&format!("/v1/rooms/{}", room.id)).await.ok(204);
    ada.posts(&other, "the end").await;

    let frames = in_room.until(|frame| frame.event == "bye").await;
    assert_eq!(frames[frames.len() - 1].data["reason"], "deleted");
    assert!(frames.iter().all(|frame| frame.kind() != "room.deleted"), "it withheld something: only bye");
    assert!(frames.len() < 250, "{} frames were already in buffers", frames.len());
    let frames = until_said(&mut everywhere, "the end").await;
    let [said @ .., deleted, _] = frames.as_slice() else { panic!("{frames:?}") };
    assert_eq!(deleted.kind(), "room.deleted", "the deletion stands in its place");
    assert!(said.len() < 250, "{} frames were already in buffers", said.len());
    assert_dense(said, &bob);
}
