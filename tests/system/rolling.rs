//! Three nodes that are restarted one after the other while people post and read, as docs/cluster.md tells how to upgrade.

use std::net::SocketAddr;
use std::time::Instant;

use crate::support::log::{assert_dense, event, history, messages, now, sorted_bodies, until_said};
use crate::support::postgres::Database;
use crate::support::writing::{Writing, posts_until_acknowledged};
use crate::support::{Followed, Follower, Person, Server, wait_for};

#[tokio::test]
async fn a_restart_of_one_node_after_the_other_loses_and_doubles_nothing_and_streams_go_on_elsewhere() {
    let database = Database::create().await;
    let one = Server::start_with(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    let (two, three) = (one.starts_another_node().await, one.starts_another_node().await);
    let mut nodes = [one, two, three];
    let (ada, bob) = (nodes[0].register("ada").await, nodes[1].register("bob").await);
    let room = ada.creates_room("room").await;
    bob.joins(&room).await;
    let before = now(&bob).await;
    let mut at: Vec<SocketAddr> = nodes.iter().map(Server::address).collect();
    let everywhere: Vec<Person> = at.iter().map(|node| ada.through(*node)).collect();
    let mut followers = Vec::new();
    for _ in 0..nodes.len() {
        for path in [&*format!("/v1/rooms/{}/events", room.id), "/v1/events"] {
            followers.push(Follower::begins(&bob, &at, path, &before, "the end"));
        }
        at.rotate_left(1);
    }
    let writing = Writing::begins(&everywhere, &room);
    let mut seen = bob.through(at[0]).streams(&room).await;
    seen.hello().await;
    for node in &mut nodes {
        seen.until(|frame| frame.kind() == "message.posted" || frame.kind() == "bye").await;
        let began = Instant::now();
        assert!(node.stop().await.success());
        let stopped = began.elapsed();
        node.restart().await;
        let client = node.anonymous();
        wait_for("the node is ready", || async { client.get("/readyz").await.status == 200 }).await;
        println!("stopped within {stopped:?}, ready after {:?}", began.elapsed());
        seen = bob.through(node.address()).streams(&room).await;
        seen.hello().await;
    }
    let mut acknowledged = writing.stops().await;
    posts_until_acknowledged(&everywhere, &room, "the end").await;
    acknowledged.push("the end".to_owned());
    acknowledged.sort_unstable();

    let mut log = bob.through(nodes[2].address()).streams_from(&room, &before).await;
    assert_eq!(log.hello().await["resumed"], true);
    let log = until_said(&mut log, "the end").await;
    assert_dense(&log, &bob);
    assert_eq!(sorted_bodies(&messages(&log)), acknowledged, "each message is there once");
    for person in &everywhere {
        assert_eq!(history(person, &room).await, messages(&log));
    }
    for follower in followers {
        let Followed { frames, ends, resets, longest_away } = follower.has_followed().await;
        assert_eq!(frames.iter().map(event).collect::<Vec<_>>(), log.iter().map(event).collect::<Vec<_>>());
        assert_eq!(resets, [0; 0], "its cursors are good everywhere");
        assert!(ends.keys().eq(["shutdown"]), "{ends:?}");
        println!("{ends:?}, away for {longest_away:?} at most");
    }
    println!("{} messages, each there once", acknowledged.len());
}
