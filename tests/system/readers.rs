//! Slow reads: the requests that wait behind them for a connection are answered 503 after a bounded time.

use futures_util::future::join_all;

use crate::support::strace::Strace;
use crate::support::{Server, wait_for};

/// Every lock of the database takes eight seconds, which is longer than a read waits for a connection. A read takes a lock.
const SLOW_LOCKS: &str = "inject=fcntl:delay_enter=8000000";
/// More than there are connections.
const READS: usize = 12;

#[tokio::test]
async fn a_read_that_gets_no_connection_in_time_is_told_to_come_back() {
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
