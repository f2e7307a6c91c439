//! Clocks of nodes that differ: the log's times go forwards all the same, tokens of one node are good at another, and a node
//! whose clock is wrong says so and is not ready.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::log::{history, now};
use crate::support::postgres::Database;
use crate::support::{Server, wait_for, wait_for_within};

/// The lines of a log that have these words.
fn lines(log: &str, words: &str) -> usize {
    log.lines().filter(|line| line.contains(words)).count()
}

#[tokio::test]
async fn times_of_entries_never_go_back_in_the_log_although_the_clocks_of_two_nodes_differ_by_seconds() {
    let database = Database::create().await;
    let one = Server::start_with(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    let two = one.starts_another_node_with_clock().await;
    two.moves_clock(-4);
    let (ada, bob) = (one.register("ada").await, two.register("bob").await);
    let room = ada.creates_room("room").await;
    let other = bob.creates_room("other").await;
    for turn in 0..4 {
        bob.joins(&room).await;
        let posts = (0..8).map(|post| {
            let person = if post % 2 == 0 { &ada } else { &bob };
            let (room, body) = (&room, format!("{turn}.{post}"));
            async move { person.posts(room, &body).await }
        });
        join_all(posts).await;
        bob.patch("/v1/users/me", json!({ "display_name": format!("Bob {turn}") })).await.ok(200);
        ada.post_nothing(&format!("/v1/rooms/{}/join", other.id)).await.ok(201);
        bob.patch(&format!("/v1/rooms/{}", other.id), json!({ "topic": format!("{turn}") })).await.ok(200);
        ada.leaves(&other).await;
        bob.leaves(&room).await;
    }
    bob.delete(&format!("/v1/rooms/{}", other.id)).await.ok(204);
    let times = database.run("SELECT at FROM events ORDER BY position").await;
    let times: Vec<i64> = times.lines().map(|at| at.parse().unwrap()).collect();
    assert!(times.len() > 60 && times.is_sorted(), "{times:?}");
    let written: Vec<_> = history(&ada, &room)
        .await
        .iter()
        .map(|post| post["created_at"].as_str().unwrap().to_owned())
        .collect();
    assert!(written.is_sorted(), "{written:?}");
    // What an entry says and what the tables keep is one time.
    let differing =
        "SELECT count(*) FROM messages m JOIN events e ON e.position = m.position WHERE e.at <> m.created_at";
    assert_eq!(database.run(differing).await.trim(), "0");
}

#[tokio::test]
async fn a_node_whose_clock_is_minutes_off_writes_no_time_that_is_minutes_off() {
    let database = Database::create().await;
    let one = Server::start_with(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    let two = one.starts_another_node_with_clock().await;
    let ada = one.register("ada").await;
    let room = ada.creates_room("room").await;
    two.moves_clock(600);
    for turn in 0..4 {
        ada.through(two.address()).posts(&room, &format!("{turn} by the wrong clock")).await;
        ada.posts(&room, &format!("{turn} by the right one")).await;
    }
    let times = database.run("SELECT at FROM events ORDER BY position").await;
    let times: Vec<i64> = times.lines().map(|at| at.parse().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let ahead = "SELECT max(at) / 1000000 - extract(epoch FROM clock_timestamp())::BIGINT FROM events";
    let ahead: i64 = database.run(ahead).await.trim().parse().unwrap();
    assert!(ahead <= 6, "{ahead} s ahead");
}

#[tokio::test]
async fn a_token_is_good_at_a_node_whose_clock_is_a_few_seconds_behind() {
    let database = Database::create().await;
    let one = Server::start_with(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    let two = one.starts_another_node_with_clock().await;
    for (behind, is_good) in [(4, true), (60, false)] {
        two.moves_clock(-behind);
        let ada = if is_good { one.register("ada").await } else { one.sign_in("ada").await };
        let answer = ada.through(two.address()).get("/v1/users/me").await;
        assert_eq!(answer.status, if is_good { 200 } else { 401 }, "{behind} s behind");
    }
}

#[tokio::test]
async fn a_node_whose_clock_is_wrong_says_so_and_is_not_ready_until_it_is_right_again() {
    let database = Database::create().await;
    let server = Server::start_with_clock(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    let ready = |wanted: u16| {
        let ada = ada.clone();
        move || {
            let ada = ada.clone();
            async move { ada.get("/readyz").await.status == wanted }
        }
    };
    wait_for("it is ready", ready(200)).await;
    for (turn, apart) in [8, -8, 3_600].into_iter().enumerate() {
        server.moves_clock(apart);
        wait_for("it is not ready", ready(503)).await;
        server.moves_clock(apart.signum() * 8);
        // The token was made by a clock that was ahead.
        wait_for("the token is good", || async { ada.get("/v1/users/me").await.status == 200 }).await;
        // Each of these looks at the end of the log, and at the database's clock with it.
        for _ in 0..3 {
            let cursor = now(&ada).await;
            ada.streams_from(&room, &cursor).await.hello().await;
        }
        assert_eq!(ada.get("/readyz").await.status, 503);
        server.moves_clock(0);
        wait_for("it is ready again by itself", ready(200)).await;
        let said = |words| lines(&server.log(), words);
        wait_for("it says so", || async { said("the clocks agree again") == turn + 1 }).await;
        assert_eq!(said("is not ready until both are right"), turn + 1, "{}", server.log());
    }
}

#[tokio::test]
async fn a_node_whose_clock_is_wrong_clears_nothing_away_for_its_age() {
    let database = Database::create().await;
    let server = Server::start_with_clock(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    ada.posts(&room, "a post").await;
    server.moves_clock(20 * 365 * 24 * 3_600);
    // It clears away each minute.
    let what = || "it has come to it".to_owned();
    let words = "nothing is cleared away for its age";
    wait_for_within(Duration::from_secs(90), what, || async { server.log().contains(words) }).await;
    let kept = database.run("SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM sessions)").await;
    assert_eq!(kept.trim(), "3|1");
    server.moves_clock(0);
    ada.get("/v1/users/me").await.ok(200);
}
