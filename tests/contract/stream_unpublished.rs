//! Streams that are opened between a commit and its publishing: the snapshot knows already what no channel has brought yet.
//! The hub of these tests publishes only when the test says so.

use std::sync::Arc;

use parlor::domain::clock::Clock;
use parlor::domain::ids::{Position, RoomId};
use parlor::domain::room::RoomRef;
use parlor::domain::user::User;
use parlor::live::{CommitQueue, Hub, Live, LiveNode, Start, feeder};

use crate::support::pipe::Pipe;
use crate::support::store::{OpenStore, reader};

/// More than there are writers: each of them has a stream.
const STREAMS: usize = 16;

/// A node that learns of commits only by `catches_up`.
struct Slow<'p> {
    parlor: &'p OpenStore,
    live: Live,
    commits: CommitQueue,
    published: Position,
}

impl<'p> Slow<'p> {
    async fn begins(parlor: &'p OpenStore) -> Self {
        let (commits, feeder) = feeder();
        let hub = Arc::new(Hub::default());
        let published = parlor.store().head().await.unwrap();
        let live = Live::new(LiveNode { hub, ..parlor.live.node().clone() });
        tokio::spawn(feeder.start(live.node().clone()).await.unwrap());
        Self { parlor, live, commits, published }
    }

    async fn catches_up(&mut self) {
        self.catches_up_to(Position(i64::MAX)).await;
    }

    async fn catches_up_to(&mut self, last: Position) {
        let mut events = self.parlor.store().log_events(self.published, 10_000).await.unwrap().1;
        events.retain(|event| event.position <= last);
        self.published = events.last().map_or(self.published, |event| event.position);
        self.commits.committed(None, events);
    }

    /// The own streams of a person, on every writer, each past its hello.
    async fn opens(&self, person: &User, after: Position) -> Vec<Pipe> {
        let after = Some(self.parlor.store().cursors().of_snapshot(after));
        let mut streams = Vec::new();
        for _ in 0..STREAMS {
            let start = Start { after: after.clone(), ..Start::default() };
            let mut stream = Pipe::of(self.live.open_person(reader(person), &start).await.unwrap());
            while !stream.next().await.starts_with("event: hello") {}
            streams.push(stream);
        }
        streams
    }
}

async fn creates(parlor: &OpenStore, owner: &User, name: &str) -> RoomId {
    parlor.store().create_room(OpenStore::room(owner.id, name)).await.unwrap().value.state.id
}

async fn posts(parlor: &OpenStore, room: RoomId, author: &User, body: &str) {
    parlor.store().post_message(OpenStore::message(room, author.id, body, None), None).await.unwrap();
}

#[tokio::test]
async fn a_room_that_was_deleted_a_moment_before_is_told_of_all_the_same() {
    let parlor = OpenStore::new().await;
    let (ada, bob) = (parlor.adds_user("ada").await, parlor.adds_user("bob").await);
    let (doomed, other) = (creates(&parlor, &ada, "doomed").await, creates(&parlor, &ada, "other").await);
    for room in [doomed, other] {
        parlor.store().join_room(RoomRef::Id(room), bob.id, Clock::SYSTEM.now()).await.unwrap();
    }
    let before = parlor.store().head().await.unwrap();
    for has_streams_already in [false, true] {
        let mut slow = Slow::begins(&parlor).await;
        let _open = if has_streams_already { slow.opens(&bob, before).await } else { Vec::new() };
        let place = creates(&parlor, &ada, &format!("place-{has_streams_already}")).await;
        parlor.store().join_room(RoomRef::Id(place), bob.id, Clock::SYSTEM.now()).await.unwrap();
        slow.catches_up().await;
        let joined = parlor.store().head().await.unwrap();
        parlor.store().delete_room(RoomRef::Id(place), ada.id, Clock::SYSTEM.now()).await.unwrap();
        let streams = slow.opens(&bob, joined).await;
        posts(&parlor, other, &ada, "afterwards").await;
        slow.catches_up().await;
        for mut stream in streams {
            let told = stream.next().await;
            assert!(
                told.contains("room.deleted"),
                "already: {has_streams_already}, not the deletion but {told}"
            );
            assert!(stream.next().await.contains("afterwards"));
        }
    }
}

#[tokio::test]
async fn what_was_said_before_an_own_join_of_a_moment_ago_is_not_shown() {
    let parlor = OpenStore::new().await;
    let (ada, bob) = (parlor.adds_user("ada").await, parlor.adds_user("bob").await);
    let room = creates(&parlor, &ada, "room").await;
    let mut slow = Slow::begins(&parlor).await;
    let before = parlor.store().head().await.unwrap();
    // With these, every writer has the room's channel already.
    let _open = slow.opens(&ada, before).await;
    posts(&parlor, room, &ada, "before he came").await;
    parlor.store().join_room(RoomRef::Id(room), bob.id, Clock::SYSTEM.now()).await.unwrap();
    let streams = slow.opens(&bob, before).await;
    posts(&parlor, room, &ada, "afterwards").await;
    slow.catches_up().await;
    for mut stream in streams {
        let joined = stream.next().await;
        assert!(joined.contains("member.joined"), "not the join but {joined}");
        assert!(stream.next().await.contains("afterwards"));
    }
}

#[tokio::test]
async fn a_removal_that_the_node_knows_of_withholds_what_was_said_since_a_join_that_is_only_now_told() {
    let parlor = OpenStore::new().await;
    let (ada, bob) = (parlor.adds_user("ada").await, parlor.adds_user("bob").await);
    for is_deleted in [false, true] {
        let room = creates(&parlor, &ada, &format!("room-{is_deleted}")).await;
        let mut slow = Slow::begins(&parlor).await;
        let streams = slow.opens(&bob, parlor.store().head().await.unwrap()).await;
        parlor.store().join_room(RoomRef::Id(room), bob.id, Clock::SYSTEM.now()).await.unwrap();
        let joined = parlor.store().head().await.unwrap();
        posts(&parlor, room, &ada, "a secret").await;
        if is_deleted {
            parlor.store().delete_room(RoomRef::Id(room), ada.id, Clock::SYSTEM.now()).await.unwrap();
        } else {
            parlor.store().leave_room(RoomRef::Id(room), bob.id, Clock::SYSTEM.now()).await.unwrap();
        }
        // The node knows. What it has not published yet comes in two steps.
        slow.catches_up_to(joined).await;
        let mut told = Vec::new();
        for mut stream in streams {
            assert!(stream.next().await.contains("member.joined"));
            told.push(stream);
        }
        slow.catches_up().await;
        for mut stream in told {
            let last = stream.next().await;
            let end = if is_deleted { "room.deleted" } else { "member.left" };
            assert!(last.contains(end), "not {end}, but {last}");
        }
    }
}
