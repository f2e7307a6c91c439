//! The publisher at both ends of its life: it misses nothing that is written while it starts, and ends with the journal.

use std::sync::Arc;

use parlor::domain::clock::Clock;
use parlor::domain::cursor::Epoch;
use parlor::domain::event::{Event, EventType, Place};
use parlor::domain::ids::{Ids, Position};
use parlor::live::{Hub, Live, LiveNode, Start, feeder};

use crate::support::DEADLINE;
use crate::support::pipe::Pipe;
use crate::support::store::{OpenStore, reader};

#[tokio::test]
async fn what_is_written_before_the_feeder_first_runs_reaches_a_stream_that_was_open_by_then() {
    // One thread: the feeder's task does not run before this one waits for something.
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let hub = Arc::new(Hub::default());
    let live = Live::new(LiveNode { hub: hub.clone(), ..parlor.live.node().clone() });
    let (commits, feeder) = feeder();
    let following = feeder.start(live.node().clone()).await.unwrap();
    let mut stream = Pipe::of(live.open_person(reader(&ada), &Start::default()).await.unwrap());
    parlor.store().create_room(OpenStore::room(ada.id, "room")).await.unwrap();
    let room = parlor.store().log_events(Position(0), 10).await.unwrap().1;
    commits.committed(None, room);
    tokio::spawn(following);
    let mut frames = String::new();
    while !frames.contains("member.joined") {
        frames.push_str(&stream.next().await);
    }
}

#[tokio::test]
async fn a_batch_of_an_epoch_that_is_over_is_not_believed_and_the_store_is_read_instead() {
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let live = Live::new(LiveNode { hub: Arc::default(), ..parlor.live.node().clone() });
    let (commits, feeder) = feeder();
    let following = feeder.start(live.node().clone()).await.unwrap();
    let mut stream = Pipe::of(live.open_person(reader(&ada), &Start::default()).await.unwrap());
    parlor.store().create_room(OpenStore::room(ada.id, "kept")).await.unwrap();
    let mut lost = parlor.store().log_events(Position(0), 10).await.unwrap().1;
    for event in &mut lost {
        event.data = event.data.replace("kept", "lost");
    }
    let Epoch(now) = parlor.store().cursors().epoch();
    commits.committed(Some(Epoch(now.wrapping_add(1))), lost);
    tokio::spawn(following);
    let mut frames = String::new();
    while !frames.contains("member.joined") {
        frames.push_str(&stream.next().await);
    }
    assert!(frames.contains("kept") && !frames.contains("lost"), "{frames}");
}

#[tokio::test]
async fn the_feeder_ends_with_the_journal_even_when_it_is_behind() {
    let parlor = OpenStore::new().await;
    let (commits, feeder) = feeder();
    let following =
        feeder.start(LiveNode { hub: Arc::default(), ..parlor.live.node().clone() }).await.unwrap();
    let far_ahead = Event {
        position: Position(7),
        kind: EventType::RoomCreated,
        place: Some(Place { room: Ids::SYSTEM.room(), seq: Some(1) }),
        subject: None,
        at: Clock::SYSTEM.now(),
        data: "{}".into(),
        text: None,
    };
    commits.committed(None, vec![far_ahead]);
    parlor.store().close().await;
    drop(commits);
    tokio::time::timeout(DEADLINE, tokio::spawn(following)).await.expect("it ends").unwrap();
}
