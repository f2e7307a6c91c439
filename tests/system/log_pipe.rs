//! Standard error as a pipe that nobody reads, or on a full disk: nothing waits for it, and what was lost is counted and told.

use std::time::{Duration, Instant};

use crate::support::port::free_address;
use crate::support::{Figures, Server, Wire, wait_for};

/// More lines than the pipe and the server's own buffer hold: each is over a hundred bytes long, and they hold a little more
/// than a mebibyte.
const REQUESTS: usize = 16_000;
/// Requests that are sent in one go.
const BURST: usize = 500;
/// From the signal to the end of the process, where nothing but the log is in the way.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Asks until more was logged than anybody keeps.
async fn floods_the_log(server: &Server) {
    let mut wire = Wire::to(server.address()).await;
    let burst = "GET /livez HTTP/1.1\r\nHost: parlor\r\n\r\n".repeat(BURST);
    for _ in 0..REQUESTS / BURST {
        wire.seen.clear();
        wire.sends(burst.as_bytes()).await;
        wire.until_times(BURST, "HTTP/1.1 200 OK").await;
    }
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_nobody_and_what_was_lost_is_told_and_counted() {
    let metrics = free_address().to_string();
    let mut server = Server::start_unheard(&[("PARLOR_METRICS__LISTEN", &metrics)]).await;
    let metrics = metrics.parse().unwrap();
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    let mut stream = ada.streams(&room).await;
    stream.hello().await;
    assert_eq!(Figures::at(metrics).await.count("parlor_log_lines_dropped_total", &[]), 0);

    floods_the_log(&server).await;

    ada.posts(&room, "still here").await;
    stream.until(|frame| frame.kind() == "message.posted").await;
    let dropped = Figures::at(metrics).await.count("parlor_log_lines_dropped_total", &[]);
    assert!(dropped > 0, "the log held everything: send more");

    server.is_heard_again();
    let told = || {
        let log = server.log();
        let lines =
            log.lines().filter_map(|line| line.split_once(" log lines were dropped")?.0.parse::<u64>().ok());
        lines.sum::<u64>()
    };
    wait_for("it says how many lines are missing", || async { told() >= dropped }).await;
    let kept = server.log().matches("\"getLivez\"").count();
    ada.get("/v1/users/nobody").await.problem(404, "user_not_found");
    wait_for("the next line is there", || async { server.log().contains("\"getUser\"") }).await;
    assert!(kept > 1_000, "what fitted was kept: {kept}");
}

#[tokio::test]
async fn a_log_that_nobody_reads_does_not_hold_up_the_end() {
    let mut server = Server::start_unheard(&[]).await;
    floods_the_log(&server).await;
    let signalled = Instant::now();
    let status = server.stop().await;
    assert!(status.success(), "{status}");
    assert!(signalled.elapsed() < GONE_WITHIN, "{:?}", signalled.elapsed());
}

#[tokio::test]
async fn log_lines_that_cannot_be_written_are_counted() {
    let metrics = free_address().to_string();
    let server = Server::start_with_full_stderr(&[("PARLOR_METRICS__LISTEN", &metrics)]).await;
    let metrics = metrics.parse().unwrap();
    let ada = server.register("ada").await;
    let lost = async || Figures::at(metrics).await.count("parlor_log_lines_dropped_total", &[]);
    wait_for("the first lines are counted", || async { lost().await > 0 }).await;
    let before = lost().await;
    for _ in 0..20 {
        ada.get("/v1/users/me").await.ok(200);
    }
    wait_for("each further line is counted", || async { lost().await >= before + 20 }).await;
}
