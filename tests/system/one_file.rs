//! The database file alone is complete: at once when the server has stopped, and soon after the last write while it runs.

use std::fs;
use std::path::Path;

use crate::support::log::history;
use crate::support::strace::Strace;
use crate::support::{Server, Sql, postgres, wait_for};

const MIB: u64 = 1024 * 1024;

fn size(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |file| file.len())
}

/// How many messages there are in a copy of the database file alone.
fn messages_in_copy(server: &Server) -> i64 {
    let copy = tempfile::tempdir().unwrap();
    fs::copy(server.data().join("parlor.db"), copy.path().join("parlor.db")).unwrap();
    // A copy that was taken in the middle of a checkpoint may be broken.
    Sql::open(&copy).try_value("SELECT count(*) FROM messages").unwrap_or(0)
}

#[tokio::test]
async fn after_a_clean_end_the_database_file_alone_has_everything() {
    if postgres::skips("the database is no file of the server's") {
        return;
    }
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    for n in 0..10 {
        ada.posts(&room, &format!("{n}")).await;
    }
    let before = history(&ada, &room).await;
    assert!(server.stop().await.success());
    assert_eq!(size(&server.data().join("parlor.db-wal")), 0);

    let alone = server.folder().join("alone");
    fs::create_dir(&alone).unwrap();
    for file in ["parlor.db", "secrets.toml"] {
        fs::copy(server.data().join(file), alone.join(file)).unwrap();
    }
    fs::remove_dir_all(server.data()).unwrap();
    fs::rename(alone, server.data()).unwrap();
    server.restart().await;
    assert_eq!(history(&ada, &room).await, before);
}

/// Makes each sync take a second, so that a checkpoint is surely under way when the test has seen it begin.
const SLOW_SYNCS: &str = "inject=fdatasync,fsync:delay_enter=1000000";

#[tokio::test]
async fn a_clean_end_in_the_middle_of_a_checkpoint_leaves_one_file_too() {
    if postgres::skips("the database is no file of the server's") {
        return;
    }
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    let trace = server.folder().join("trace");
    let args = ["-y", "-e", "trace=fdatasync,fsync", "-e", SLOW_SYNCS];
    let Some(strace) = Strace::attach(&server, &args, &trace).await else { return };
    ada.posts(&room, "hello").await;
    // Posts sync the log alone; only a checkpoint syncs the database.
    let is_under_way =
        || async { fs::read_to_string(&trace).is_ok_and(|trace| trace.contains("/parlor.db>")) };
    wait_for("a checkpoint is under way", is_under_way).await;
    let status = server.stop().await;
    strace.stop();
    assert!(status.success(), "{status}");
    assert!(!server.log().contains("could not be folded back"), "{}", server.log());
    assert_eq!(size(&server.data().join("parlor.db-wal")), 0);
}

#[tokio::test]
async fn once_it_is_quiet_the_database_file_alone_has_everything() {
    if postgres::skips("the database is no file of the server's") {
        return;
    }
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    ada.posts(&room, "hello").await;
    wait_for("the post is in the database file", || async { messages_in_copy(&server) == 1 }).await;
    ada.posts(&room, "hello again").await;
    wait_for("and so is the next one", || async { messages_in_copy(&server) == 2 }).await;
}

#[tokio::test]
async fn once_it_is_quiet_a_log_that_has_grown_gives_its_room_back() {
    if postgres::skips("the database is no file of the server's") {
        return;
    }
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    let log = server.data().join("parlor.db-wal");
    let body = "x".repeat(4_000);
    while size(&log) < 6 * MIB {
        ada.posts(&room, &body).await;
    }
    wait_for("the log's file is cut", || async { size(&log) < MIB }).await;
    let written = history(&ada, &room).await.len();
    ada.posts(&room, "and on it goes").await;
    assert_eq!(history(&ada, &room).await.len(), written + 1);
}

#[tokio::test]
async fn a_log_that_grows_by_large_writes_is_folded_back_before_it_is_quiet() {
    if postgres::skips("the database is no file of the server's") {
        return;
    }
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    let body = "\u{1f980}".repeat(4_000);
    let mut posts = 0;
    while size(&server.data().join("parlor.db")) < 8 * MIB {
        ada.posts(&room, &body).await;
        posts += 1;
        let log = size(&server.data().join("parlor.db-wal")) / MIB;
        assert!(posts < 900, "{posts} posts, the log has {log} MiB, and nothing was folded back");
    }
    println!("folded back: {posts} posts, log {} MiB", size(&server.data().join("parlor.db-wal")) / MIB);
}
