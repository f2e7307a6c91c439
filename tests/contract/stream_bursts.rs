//! Bursts: more at once than one write takes, and more than one reader takes. What that means for a stream is decided by what
//! its own reader has missed, and by nothing else.

use std::time::Duration;

use parlor::domain::clock::Clock;
use parlor::domain::ids::RoomId;
use parlor::domain::room::RoomRef;
use parlor::domain::user::User;
use parlor::live::Start;

use crate::support::pipe::Pipe;
use crate::support::store::{OpenStore, next_on, on_a_socket, reader};
use crate::support::wait_for;

async fn creates(parlor: &OpenStore, owner: &User, name: &str) -> RoomId {
    parlor.store().create_room(OpenStore::room(owner.id, name)).await.unwrap().value.state.id
}

async fn posts(parlor: &OpenStore, room: RoomId, user: &User, bodies: impl Iterator<Item = String>) {
    let posts = bodies.map(|body| OpenStore::message(room, user.id, &body, None)).collect();
    parlor.post_together(posts).await.into_iter().for_each(|made| drop(made.unwrap()));
}

#[tokio::test]
async fn a_reader_who_was_quiet_while_the_log_was_purged_gets_the_burst_that_follows() {
    /// More than wait for one reader.
    const BURST: usize = 600;
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let (quiet, lively) = (creates(&parlor, &ada, "quiet").await, creates(&parlor, &ada, "lively").await);
    let opened = parlor.live.open_room(reader(&ada), &RoomRef::Id(quiet), &Start::default()).await;
    let mut stream = Pipe::of(opened.unwrap());
    while !stream.next().await.starts_with("event: hello") {}
    // The last thing that this stream gave is older than the log then.
    posts(&parlor, lively, &ada, (0..300).map(|n| format!("elsewhere {n}"))).await;
    while parlor.store().purge_events(Clock::SYSTEM.now().plus(Duration::from_secs(1))).await.unwrap() {}
    let rereads = &parlor.live.meters().rereads;
    assert_eq!(rereads.get(), 0);
    for begin in (0..BURST).step_by(200) {
        posts(&parlor, quiet, &ada, (begin..begin + 200).map(|n| format!("burst {n}"))).await;
    }
    wait_for("more has come than may wait for a reader", || async { rereads.get() > 0 }).await;
    for n in 0..BURST {
        let frame = stream.next().await;
        assert!(frame.contains(&format!("\"burst {n}\"")), "not burst {n}, but {frame}");
    }
}

#[tokio::test]
async fn a_batch_of_many_writes_goes_out_without_a_look_at_the_log() {
    /// With these a batch is more than waits for one reader, and less than that and the socket's buffers.
    const POSTS: usize = 100;
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let room = creates(&parlor, &ada, "room").await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let opened = parlor.live.open_room(reader(&ada), &RoomRef::Id(room), &Start::default()).await;
        let mut client = on_a_socket(opened.unwrap()).await;
        while !next_on(&mut client).await.unwrap().unwrap().starts_with("event: hello") {}
        clients.push(client);
    }
    posts(&parlor, room, &ada, (0..POSTS).map(|n| format!("{n} {}", "x".repeat(3_900)))).await;
    let batch = parlor.batches.lock().unwrap().last().unwrap().len();
    assert_eq!(batch, POSTS, "they were written together");
    for client in &mut clients {
        for n in 0..POSTS {
            let frame = next_on(client).await.unwrap().unwrap();
            assert!(frame.contains(&format!("\"{n} xxx")), "not post {n}, but {frame}");
        }
    }
    assert_eq!(parlor.live.meters().rereads.get(), 0);
}
