//! Nodes of one database that disagree: two writes that lock the same rows in another order, a node that is older than an
//! entry of the log, and a node that knows of what the database has lost.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::log::{Watched, assert_same, until_said};
use crate::support::postgres::Database;
use crate::support::{DEADLINE, PASSWORD, Server, wait_for};

#[tokio::test]
async fn a_write_that_postgresql_breaks_off_as_a_deadlock_is_tried_again() {
    let database = Database::create_alone().await;
    let server = Server::start_with(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    let ada = server.register("ada").await;
    for _ in 0..3 {
        server.sign_in("ada").await;
    }
    let sessions = database.run("SELECT id FROM sessions ORDER BY created_at").await;
    let sessions: Vec<_> = sessions.lines().collect();
    let touches = |session: &str| format!("UPDATE sessions SET user_agent = 'x' WHERE id = '{session}'");
    // Another program locks the last of them, and then wants one that the server has locked by then.
    let mut other = database.holds(&touches(sessions[3])).await;
    let change = json!({ "current_password": PASSWORD, "new_password": "another battery staple horse" });
    let changes = {
        let ada = ada.clone();
        tokio::spawn(async move { ada.put("/v1/users/me/password", change).await })
    };
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    wait_for("the server waits", || async { database.run(waits).await.trim() == "1" }).await;
    other.goes_on(&format!("{}; COMMIT", touches(sessions[1])));
    changes.await.unwrap().ok(204);
    let deadlocks = "SELECT count(*) FROM sessions WHERE user_agent = 'x'";
    assert_eq!(
        database.run(deadlocks).await.trim(),
        "2",
        "the other program was not the one that was broken off"
    );
    let ended = database.run("SELECT count(*) FROM events WHERE type = 'session.ended'").await;
    assert_eq!(ended.trim(), "3", "each session has ended once");
}

#[tokio::test]
async fn a_node_that_is_older_than_an_entry_of_the_log_says_so_once_and_sends_its_readers_away() {
    let database = Database::create().await;
    let server = Server::start_with(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    let Watched { ada, bob, room, before, mut stream } = Watched::begins(&server).await;
    let id = &room.id;
    // As a newer node writes an event of a type that this one does not know.
    database
        .run(&format!(
            "BEGIN;
             UPDATE log SET head = head + 1;
             UPDATE rooms SET head = head + 1 WHERE id = '{id}';
             INSERT INTO events (position, audience, room_id, seq, type, data, at)
             SELECT l.head, 'room', r.id, r.head, 'room.enchanted', \
             json_build_object('type', 'room.enchanted', 'room', r.id, 'seq', r.head, 'at', '2026-01-01T00:00:00.000000Z'), 1 \
             FROM log l, rooms r WHERE r.id = '{id}';
             COMMIT;"
        ))
        .await;
    let ends = async {
        loop {
            match stream.try_next().await {
                Some(frame) if frame.event == "ping" => {}
                frame => return frame,
            }
        }
    };
    let bye = tokio::time::timeout(DEADLINE, ends).await.expect("it ends in time").expect("it says bye");
    assert_eq!((bye.kind(), &bye.data["reason"]), ("bye", &json!("shutdown")), "nothing is skipped");
    assert_eq!(ada.get("/readyz").await.status, 503);
    assert_eq!(ada.get("/v1/users/me").await.status, 503);
    let log = server.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("room.enchanted")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains("a newer parlor"), "{}", lines[0]);

    // The node becomes one that knows the type: here the type becomes one that the node knows.
    database.run("UPDATE events SET type = 'room.updated' WHERE type = 'room.enchanted'").await;
    wait_for("it is ready", || async { ada.get("/readyz").await.status == 200 }).await;
    ada.posts(&room, "after").await;
    let mut back = bob.streams_from(&room, stream.last_event_id()).await;
    assert_eq!(back.hello().await["resumed"], true);
    let rest = until_said(&mut back, "after").await;
    assert_eq!(rest.len(), 2, "the entry and the post after it: {rest:?}");
    let mut whole = bob.streams_from(&room, &before).await;
    whole.hello().await;
    assert_same(&until_said(&mut whole, "after").await[1..], &rest);
}

#[tokio::test]
async fn a_session_of_the_lost_end_of_the_log_is_asked_for_in_the_store_again() {
    let database = Database::create().await;
    let server = Server::start_with(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    let Watched { ada, bob, room, mut stream, .. } = Watched::begins(&server).await;
    let lost = server.sign_in("ada").await;
    for person in [&lost, &ada] {
        person.get("/v1/users/me").await.ok(200);
    }
    ada.posts(&room, "lost").await;
    until_said(&mut stream, "lost").await;
    let (id, session) = (&room.id, &lost.session);
    // As a standby shows it that took over before it had the end.
    database
        .run(&format!(
            "BEGIN;
             UPDATE log SET head = head - 1;
             UPDATE rooms SET head = head - 1 WHERE id = '{id}';
             DELETE FROM messages WHERE position > (SELECT head FROM log);
             DELETE FROM events WHERE position > (SELECT head FROM log);
             DELETE FROM sessions WHERE id = '{session}';
             COMMIT;"
        ))
        .await;
    assert_eq!(stream.bye().await, "shutdown");
    lost.get("/v1/users/me").await.problem(401, "unauthenticated");
    for person in [&ada, &bob] {
        person.get("/v1/users/me").await.ok(200);
    }
}

#[tokio::test]
async fn streams_of_other_nodes_hear_of_posts_at_once_after_the_log_has_lost_its_end() {
    let database = Database::create().await;
    let one = Server::start_with(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    let two = one.starts_another_node().await;
    let Watched { ada, bob, room, .. } = Watched::begins(&one).await;
    let bob = bob.through(two.address());
    let mut stream = bob.streams(&room).await;
    stream.hello().await;
    for post in 0..40 {
        ada.posts(&room, &format!("lost {post}")).await;
    }
    until_said(&mut stream, "lost 39").await;
    let id = &room.id;
    database
        .run(&format!(
            "BEGIN;
             UPDATE log SET head = head - 40;
             UPDATE rooms SET head = head - 40 WHERE id = '{id}';
             DELETE FROM messages WHERE position > (SELECT head FROM log);
             DELETE FROM events WHERE position > (SELECT head FROM log);
             COMMIT;"
        ))
        .await;
    assert_eq!(stream.bye().await, "shutdown");
    let mut stream = bob.streams(&room).await;
    stream.hello().await;
    // Each is posted right after the one before was heard. By the look every second alone that would take a second each.
    let began = Instant::now();
    for post in 0..10 {
        let body = format!("new {post}");
        ada.posts(&room, &body).await;
        until_said(&mut stream, &body).await;
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
