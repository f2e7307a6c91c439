//! An old copy of the database is put back: cursors of the lost time are refused, and older cursors resume.

use std::fs;
use std::path::Path;

use crate::support::log::{now, says};
use crate::support::{Person, Room, Server, postgres};

/// Copies the database as an operator does while the server is stopped.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in ["parlor.db", "parlor.db-wal", "parlor.db-shm"] {
        match fs::copy(from.join(file), to.join(file)) {
            Ok(_) => {}
            Err(_) => drop(fs::remove_file(to.join(file))),
        }
    }
}

async fn resumes(ada: &Person, room: &Room, cursor: &str, marker: &str) -> bool {
    let mut answers = Vec::new();
    for path in [format!("/v1/rooms/{}/events", room.id), "/v1/events".to_owned()] {
        let mut stream = ada.opening(&format!("{path}?after={cursor}")).open().await;
        let first = stream.next().await;
        match first.kind() {
            "hello" => assert!(says(&stream.next().await, marker), "the first after the cursor"),
            "reset" => assert_eq!(first.data["reason"], "unknown_cursor"),
            other => panic!("{other} as the first frame"),
        }
        answers.push(first.kind() == "hello");
    }
    assert_eq!(answers[0], answers[1]);
    answers[0]
}

#[tokio::test]
async fn cursors_newer_than_a_copied_back_database_get_a_reset_and_older_ones_resume() {
    if postgres::skips("the copy is made of SQLite's files") {
        return;
    }
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    let older = now(&ada).await;
    ada.posts(&room, "kept").await;
    let latest = now(&ada).await;
    let copied = server.folder().join("copy");
    server.stop().await;
    copy(&server.data(), &copied);
    server.restart().await;

    let unlived = now(&ada).await;
    for turn in 0..5 {
        ada.posts(&room, &format!("lost {turn}")).await;
    }
    let lost = now(&ada).await;
    assert!(resumes(&ada, &room, &older, "kept").await, "before the copy is put back all cursors are good");
    assert!(resumes(&ada, &room, &latest, "lost 0").await);
    assert!(resumes(&ada, &room, &unlived, "lost 0").await);
    server.stop().await;
    copy(&copied, &server.data());
    server.restart().await;

    // More events than were lost: other events have the lost positions now.
    for turn in 0..8 {
        ada.posts(&room, &format!("instead {turn}")).await;
    }
    assert!(resumes(&ada, &room, &older, "kept").await);
    assert!(resumes(&ada, &room, &latest, "instead 0").await);
    assert!(!resumes(&ada, &room, &lost, "").await, "it would skip events that its reader never saw");
    assert!(
        !resumes(&ada, &room, &unlived, "").await,
        "a start of the server that this database does not know"
    );
    ada.get(&format!("/v1/rooms/{}/messages?after={lost}", room.id)).await.problem(400, "bad_cursor");
    let page = ada.reads_page(&room, &format!("after={older}")).await;
    assert_eq!(page["items"][1]["body"], "instead 0");
}
