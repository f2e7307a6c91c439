//! The system calls of the server show that the write-ahead log is synced between a post and its 201.

use crate::support::strace::Strace;
use crate::support::{Server, postgres, wait_for};

const CALLS: &str = "trace=fdatasync,fsync,read,recvfrom,pwrite64,write,sendto,writev,sendmsg";

#[tokio::test]
async fn a_post_is_answered_after_the_sync_of_the_write_ahead_log() {
    if postgres::skips("the server does not sync the database's files itself") {
        return;
    }
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    // The first use of a session writes, too. It must not be in the trace.
    ada.posts(&room, "before the trace").await;

    let trace = server.folder().join("trace");
    let args = ["-y", "-s", "200", "-e", CALLS];
    let Some(strace) = Strace::attach(&server, &args, &trace).await else { return };
    let read = || std::fs::read_to_string(&trace).unwrap_or_default();
    ada.posts(&room, "the traced one").await;
    wait_for("the answer is in the trace", || async { read().contains("201 Created") }).await;
    strace.stop();

    let text = read();
    let lines: Vec<&str> = text.lines().collect();
    let find = |from: usize, what: &str, is: &dyn Fn(&str) -> bool| {
        let found = lines[from..].iter().position(|line| is(line));
        from + found.unwrap_or_else(|| panic!("{what} is not in the trace:\n{text}"))
    };
    let request =
        find(0, "the request", &|line| line.contains("the traced one") || line.contains("\"POST /v1/rooms"));
    let is_wal = |line: &str| line.contains("parlor.db-wal>");
    let written = find(request, "the write to the log", &|line| line.contains("pwrite64(") && is_wal(line));
    let begun = find(written, "the sync of the log", &|line| {
        (line.contains("fdatasync(") || line.contains("fsync(")) && is_wal(line)
    });
    // When a call of another thread comes between, the end of this call is on a line of its own.
    let thread = lines[begun].split_whitespace().next().unwrap();
    let synced = if lines[begun].contains("<unfinished ...>") {
        find(begun + 1, "the end of the sync", &|line| {
            line.starts_with(thread) && line.contains("sync resumed>")
        })
    } else {
        begun
    };
    let answered = find(0, "the answer", &|line| line.contains("HTTP/1.1 201 Created"));
    let shown = [request, written, begun, synced, answered];
    for line in shown {
        println!("{}", lines[line]);
    }
    assert!(lines[synced].contains("= 0"), "the sync failed: {}", lines[synced]);
    assert!(shown.is_sorted(), "answered before it was safe: {shown:?}\n{text}");
}
