//! Crowds: more connections than one address or the whole server may have, and descriptors that run out. Connections that are
//! served go on, those that wait are served later, and nothing has to be restarted.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::raw;
use crate::support::{DEADLINE, Figures, PASSWORD, Server, spread, wait_for};

const REQUEST: &[u8] = b"GET /livez HTTP/1.1\r\nHost: parlor\r\n\r\n";
const METRICS: (&str, &str) = ("PARLOR_METRICS__LISTEN", "127.0.0.1:0");

/// Sends a request and reads its answer. False if the server closed the connection instead.
async fn is_served(socket: &mut TcpStream) -> bool {
    let mut said = Vec::new();
    let asking = async {
        if socket.write_all(REQUEST).await.is_err() {
            return false;
        }
        while !said.ends_with(b"}") {
            if !socket.read_buf(&mut said).await.is_ok_and(|count| count > 0) {
                return false;
            }
        }
        said.starts_with(b"HTTP/1.1 200 ")
    };
    tokio::time::timeout(DEADLINE, asking).await.expect("served or closed in time")
}

async fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.address()).await.expect("the kernel takes it")
}

/// A connection from another address of this machine.
async fn connect_from(address: [u8; 4], server: &Server) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    socket.connect(server.address()).await.unwrap()
}

fn pid(server: &Server) -> Pid {
    Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap()
}

#[tokio::test]
async fn one_address_has_its_share_of_connections_and_others_have_theirs() {
    if spread::skips("caps hold for each node") {
        return;
    }
    let limits =
        [("PARLOR_LIMITS__ENABLED", "true"), ("PARLOR_LIMITS__CONNECTIONS_PER_ADDRESS", "5"), METRICS];
    let server = Server::start_with(&limits).await;
    let mut inside = Vec::new();
    for _ in 0..5 {
        let mut socket = connect(&server).await;
        assert!(is_served(&mut socket).await);
        inside.push(socket);
    }
    for _ in 0..3 {
        assert!(!is_served(&mut connect(&server).await).await, "a sixth of the same address");
    }
    assert!(is_served(&mut connect_from([127, 0, 0, 2], &server).await).await, "of another address");
    for socket in &mut inside {
        assert!(is_served(socket).await, "who is in stays in");
    }
    assert_eq!(Figures::of(&server).await.count("parlor_http_connections_refused_total", &[]), 3);
    inside.pop();
    wait_for("its place is free again", || async { is_served(&mut connect(&server).await).await }).await;
}

#[tokio::test]
async fn a_trusted_proxy_has_as_many_as_it_wants_and_says_who_asks() {
    if spread::skips("rates hold for each node") {
        return;
    }
    let limits = [
        ("PARLOR_LIMITS__ENABLED", "true"),
        ("PARLOR_LIMITS__CONNECTIONS_PER_ADDRESS", "5"),
        ("PARLOR_LIMITS__REGISTER_PER_ADDRESS", "2, 1/h"),
        ("PARLOR_SERVER__TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8"),
    ];
    let server = Server::start_with(&limits).await;
    let mut inside = Vec::new();
    for _ in 0..20 {
        let mut socket = connect(&server).await;
        assert!(is_served(&mut socket).await);
        inside.push(socket);
    }
    let mut people = 0;
    let mut register = |forwarded: &'static str| {
        people += 1;
        let body = json!({ "username": format!("user-{people}"), "password": PASSWORD }).to_string();
        let client = server.anonymous();
        async move {
            let headers = format!("Content-Type: application/json\r\n{forwarded}");
            raw::request(&client, "POST /v1/users", &headers, body.as_bytes()).await.status
        }
    };
    assert_eq!(register("X-Forwarded-For: 192.0.2.1\r\n").await, 201);
    assert_eq!(register("X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.1.2.3\r\n").await, 201);
    assert_eq!(register("X-Forwarded-For: 7.7.7.7\r\nX-Forwarded-For: 192.0.2.1\r\n").await, 429, "the same");
    assert_eq!(register("X-Forwarded-For: 192.0.2.2\r\n").await, 201, "another");
    assert_eq!(register("X-Forwarded-For: 2001:db8::1\r\n").await, 201);
    assert_eq!(register("X-Forwarded-For: 2001:db8::2\r\n").await, 201);
    assert_eq!(register("X-Forwarded-For: 2001:db8::3\r\n").await, 429, "the same household");
    assert_eq!(register("X-Real-IP: 8.8.8.8\r\nForwarded: for=8.8.4.4\r\n").await, 201, "the peer");
    assert_eq!(register("X-Forwarded-For: nonsense\r\n").await, 201, "the peer");
    assert_eq!(register("X-Forwarded-For: 9.9.9.9:80\r\n").await, 429, "the peer");

    // The header of a client that is not a trusted proxy is ignored.
    let forged = |n: u32| {
        let body = json!({ "username": format!("forger-{n}"), "password": PASSWORD }).to_string();
        format!(
            "POST /v1/users HTTP/1.1\r\nHost: parlor\r\nConnection: close\r\nContent-Type: application/json\r\nX-Forwarded-For: 9.9.9.{n}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let mut statuses = Vec::new();
    for n in 0..3 {
        let mut socket = connect_from([127, 0, 0, 2], &server).await;
        socket.write_all(forged(n).as_bytes()).await.unwrap();
        let mut said = String::new();
        socket.read_to_string(&mut said).await.unwrap();
        statuses.push(said[9..12].to_owned());
    }
    assert_eq!(statuses, ["201", "201", "429"]);
}

#[tokio::test]
async fn a_full_house_serves_those_inside_and_lets_the_next_in_as_soon_as_there_is_room() {
    if spread::skips("caps hold for each node") {
        return;
    }
    // The server keeps 256 descriptors for everything that is not a client.
    let (descriptors, places) = (300, 44);
    let server =
        Server::start_with_descriptors(descriptors, &[("PARLOR_LIMITS__HEAD_SECONDS", "3"), METRICS]).await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    let mut inside = connect(&server).await;
    assert!(is_served(&mut inside).await);

    let silent: Vec<TcpStream> = futures_util::future::join_all((0..64).map(|_| connect(&server))).await;
    wait_for("the house is full", || async {
        Figures::of(&server).await.count("parlor_http_connections_full_total", &[]) > 0
    })
    .await;
    let figures = Figures::of(&server).await;
    assert_eq!(figures.count("parlor_http_connections", &[]), places);
    assert!(figures.get("process_open_fds", &[]) < f64::from(descriptors), "there is some to spare");
    assert!(is_served(&mut inside).await, "who is in is served");

    // This connection waits until the silent ones are closed.
    let begun = Instant::now();
    assert!(is_served(&mut connect(&server).await).await);
    assert!(begun.elapsed() > Duration::from_millis(500), "it had to wait");
    ada.posts(&room, "hello").await;
    drop(silent);
}

#[tokio::test]
async fn out_of_descriptors_it_waits_without_spinning_and_goes_on() {
    if spread::skips("one server's connections and process are looked at") {
        return;
    }
    let server = Server::start_with(&[METRICS]).await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    let mut inside = connect(&server).await;
    assert!(is_served(&mut inside).await);
    let before = Figures::of(&server).await;
    let cpu = |figures: &Figures| figures.get("process_cpu_seconds_total", &[]);

    // The kernel gives the process no more descriptors than this.
    let all =
        prlimit(Some(pid(&server)), Resource::Nofile, Rlimit { current: Some(8), maximum: Some(20_000) });
    let all = all.expect("the limit of a child can be set");
    let mut waiting = connect(&server).await;
    waiting.write_all(REQUEST).await.unwrap();
    wait_for("accepting fails", || async { server.log().contains("cannot accept a connection") }).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1) {
        assert!(is_served(&mut inside).await, "who is in is served");
    }
    let failures = server.log().matches("cannot accept a connection").count();
    assert!(failures < 15, "{failures} attempts in about a second");

    prlimit(Some(pid(&server)), Resource::Nofile, all).expect("the limit can be raised again");
    let mut answer = [0; 12];
    tokio::time::timeout(DEADLINE, waiting.read_exact(&mut answer)).await.expect("it gets in").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    ada.posts(&room, "hello").await;
    let after = Figures::of(&server).await;
    assert!(after.count("parlor_http_accept_failures_total", &[]) >= 1);
    assert!(cpu(&after) > cpu(&before));
}

#[tokio::test]
async fn a_thousand_half_sent_heads_cost_a_few_kib_each_and_are_gone_after_their_deadline() {
    if spread::skips("one server's connections and process are looked at") {
        return;
    }
    let server = Server::start_with(&[("PARLOR_LIMITS__HEAD_SECONDS", "5"), METRICS]).await;
    let half = b"GET /v1/server HTTP/1.1\r\nHost: parlor\r\nUser-Agent: slow\r\nX-Padding: ";
    let mut slow = Vec::new();
    let mut memory_with = async |count| {
        while slow.len() < count {
            let mut socket = connect(&server).await;
            socket.write_all(half).await.unwrap();
            slow.push(socket);
        }
        wait_for("all are in", || async {
            Figures::of(&server).await.count("parlor_http_connections", &[]) >= count as u64
        })
        .await;
        Figures::of(&server).await.get("process_resident_memory_bytes", &[])
    };
    // What is allocated once is allocated with the first ones.
    let before = memory_with(200).await;
    let each = (memory_with(1_000).await - before) / 800.0 / 1024.0;
    println!("{each:.1} KiB for each half-sent head");
    assert!(each < 20.0, "{each:.1} KiB for each");
    server.anonymous().get("/v1/server").await.ok(200);
    let overdue = [("waited_for", "head")];
    wait_for("all are sent away for that reason", || async {
        let figures = Figures::of(&server).await;
        figures.count("parlor_http_connections_overdue_total", &overdue) == 1_000
            && figures.count("parlor_http_connections", &[]) < 10
    })
    .await;
}
