//! Slow reads: the requests that wait behind them for a connection are answered 503 after a bounded time, and streams go on
//! when there is one again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::support::strace::Strace;
use crate::support::{Server, postgres, wait_for};

/// Taking a lock of the database lasts three seconds, and giving it back, too. A read does both, which is longer than the next one
/// waits for a connection. SQLite may let the reads with a connection take the lock one after the other.
const SLOW_LOCKS: &str = "inject=fcntl:delay_enter=3000000";
/// So many more than there are connections that some wait for too long, however slowly the requests arrive on a busy machine.
const READS: usize = 40;
/// How often the log is looked at while a stream gives nothing.
const LOOK: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_read_that_gets_no_connection_in_time_is_told_to_come_back() {
    if postgres::skips("SQLite is held up at its file") {
        return;
    }
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    let path = format!("/v1/rooms/{}", room.id);
    ada.get(&path).await.ok(200);

    let trace = server.folder().join("trace");
    let args = ["-e", "trace=fcntl", "-e", SLOW_LOCKS];
    let Some(strace) = Strace::attach(&server, &args, &trace).await else { return };
    let answers = join_all((0..READS).map(|_| ada.get(&path))).await;
    strace.stop();

    let (read, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert!(!read.is_empty(), "the reads with a connection succeed, however slowly");
    assert!(!refused.is_empty(), "nobody had to wait");
    for answer in refused {
        assert_eq!(answer.header("retry-after"), "1");
        answer.problem(503, "overloaded");
    }
    wait_for("all are served again", || async { ada.get(&path).await.status == 200 }).await;
    assert!(!server.log().contains("ERROR"), "being busy is no fault: {}", server.log());
}

#[tokio::test]
async fn a_stream_that_is_behind_waits_while_no_connection_is_free_for_it() {
    /// Together more than a connection and a stream's queue hold.
    const POSTS: usize = 1_600;
    const HANDS: usize = 16;
    if postgres::skips("SQLite is held up at its file") {
        return;
    }
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    let mut stream = ada.opening(&format!("/v1/rooms/{}/events", room.id)).receive_buffer(4_096).open().await;
    stream.hello().await;
    join_all((0..HANDS).map(|_| async {
        for _ in 0..POSTS / HANDS {
            ada.posts(&room, &"x".repeat(3_900)).await;
        }
    }))
    .await;

    let trace = server.folder().join("trace");
    let args = ["-e", "trace=fcntl", "-e", SLOW_LOCKS];
    let Some(strace) = Strace::attach(&server, &args, &trace).await else { return };
    let path = format!("/v1/rooms/{}", room.id);
    let (refused, has_waited) = (AtomicBool::new(false), AtomicBool::new(false));
    let reads = join_all((0..READS).map(|_| async {
        while !has_waited.load(Ordering::Relaxed) {
            refused.fetch_or(ada.get(&path).await.status == 503, Ordering::Relaxed);
        }
    }));
    let streams = async {
        wait_for("all connections are taken", || async { refused.load(Ordering::Relaxed) }).await;
        // From here on it takes more than waits for it, and needs the log.
        let mut posts = 0;
        let waits = || server.log().contains("the log is read later");
        while !waits() {
            match timeout(LOOK, stream.try_next()).await {
                Ok(Some(frame)) => posts += usize::from(frame.kind() == "message.posted"),
                Ok(None) => panic!("cut off: {}", server.log()),
                Err(_) => {}
            }
        }
        has_waited.store(true, Ordering::Relaxed);
        strace.stop();
        posts
    };
    let (_, mut posts) = tokio::join!(reads, streams);
    while posts < POSTS {
        posts += usize::from(stream.next().await.kind() == "message.posted");
    }
    assert!(!server.log().contains("ERROR"), "being busy is no fault: {}", server.log());
}
