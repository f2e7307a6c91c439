//! What a supervisor and a load balancer are told: that the process lives, and whether it can take writes right now.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{DEADLINE, Server, check_exchange, wait_for};

#[tokio::test]
async fn a_file_that_another_program_holds_is_not_ready_and_recovers_by_itself() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    let anybody = server.anonymous();
    anybody.get("/readyz").await.ok(200);

    let lock = server.is_locked_by_another().await;
    wait_for("it is not ready", || async { anybody.get("/readyz").await.status == 503 }).await;
    let refused = anybody.get("/readyz").await;
    assert_eq!(refused.header("retry-after"), "1");
    refused.problem(503, "not_ready");
    anybody.get("/livez").await.ok(200);
    ada.reads(&room).await;

    drop(lock);
    wait_for("it is ready again", || async { anybody.get("/readyz").await.status == 200 }).await;
    ada.posts(&room, "hello").await;
}

#[tokio::test]
async fn a_server_that_stops_is_not_ready() {
    let mut server = Server::start().await;
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    socket.write_all(b"GET /readyz HTTP/1.1\r\nHost: parlor\r\n").await.unwrap();
    // The server has seen the beginning once it answers another one that came later.
    server.anonymous().get("/readyz").await.ok(200);
    let pid = rustix::process::Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    wait_for("it is stopping", || async { server.log().contains("stopping") }).await;
    let asking = async {
        let mut answer = String::new();
        socket.write_all(b"\r\n").await.unwrap();
        socket.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let answer = tokio::time::timeout(DEADLINE, asking).await.expect("it answers and closes");
    check_exchange(b"GET /readyz HTTP/1.1", &answer);
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("not_ready"), "{answer}");
    assert_eq!(server.stop().await.code(), Some(0));
}
