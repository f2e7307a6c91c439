//! SIGTERM: every stream is told, requests under way are finished, new ones are refused, and readers who come back have missed
//! nothing.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

use crate::support::{Comeback, Crowd, End, Person, Room, Server, Wire, wait_for_within};

const STREAMS: usize = 2_000;
/// From the signal to the end of the process.
const GONE_WITHIN: Duration = Duration::from_secs(15);
/// From the next start until all readers are back, who wait as long as `retry:` says.
const BACK_WITHIN: Duration = Duration::from_secs(30);
/// The least time from the first `bye` to the last; the server spreads them over up to 5 s.
const TOLD_OVER: Duration = Duration::from_secs(1);
/// The bounds of `retry:` when a server stops, in milliseconds.
const RETRY: std::ops::RangeInclusive<u64> = 2_000..=15_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_streams_are_told_of_the_end_and_come_back_without_missing_anything() {
    let mut server = Server::start_with(&Crowd::ENV).await;
    let (ada, room, crowd) = Crowd::gathers(&server, STREAMS, Comeback::WhenTold).await;
    // Somebody posts until the server accepts no connection any more.
    let poster = ada.clone();
    let path = format!("/v1/rooms/{}/messages", room.id);
    let posting = tokio::spawn(async move {
        let mut tick = interval(Duration::from_millis(20));
        for post in 0.. {
            tick.tick().await;
            let body = json!({ "body": format!("post {post}") });
            match poster.try_request(reqwest::Method::POST, &path, Some(body), &[]).await {
                Ok(answer) if answer.status == 201 => {}
                _ => break,
            }
        }
    });
    let posts = |seats: &[crate::support::Seat]| seats.iter().map(|seat| seat.newest_seq).min();
    let begun = posts(&crowd.seats());
    crowd.all("has live posts", BACK_WITHIN, |seat| Some(seat.newest_seq) > begun.map(|seq| seq + 5)).await;

    let signalled = Instant::now();
    let status = server.stop().await;
    let gone = signalled.elapsed();
    posting.await.unwrap();
    assert!(status.success(), "{status}");
    assert!(gone < GONE_WITHIN, "the process was gone after {gone:?}");
    // The readers may not have read the last bytes yet.
    crowd.all("has ended", GONE_WITHIN, |seat| !seat.ends.is_empty()).await;
    server.restart().await;
    let seq = ada.posts(&room, "the end").await["seq"].as_i64().unwrap();
    let back = crowd.all("is back and has everything", BACK_WITHIN, |seat| seat.newest_seq >= seq).await;

    crowd.is_without_fault();
    let seats = crowd.seats();
    let told = seats.iter().filter(|seat| seat.ends.keys().eq(["shutdown"]) && seat.ends["shutdown"] == 1);
    let told = told.count();
    let spread = seats.iter().flat_map(|seat| &seat.retries);
    let (least, most) = (spread.clone().min().unwrap(), spread.max().unwrap());
    let moments = seats.iter().filter_map(|seat| seat.told_at);
    let telling = moments.clone().max().unwrap() - moments.min().unwrap();
    println!(
        "SIGTERM: streams {STREAMS}, told bye {told} over {telling:?}, back {}, missed 0, gone after {gone:?}, all back {back:?} after \
         the start, retry {least} to {most} ms",
        seats.iter().filter(|seat| seat.is_open).count()
    );
    assert_eq!(told, STREAMS, "each was told once, and nothing but that: {:?}", seats[0]);
    assert!(RETRY.contains(least) && RETRY.contains(most), "retry {least} to {most} ms");
    assert!(most - least > 8_000, "so they all come back at once: {least} to {most} ms");
    assert!(telling > TOLD_OVER, "all told within {telling:?}: so they are cut off at once");
    assert!(seats.iter().all(|seat| seat.resumes == 1), "each came back once");
}

/// Sends the head of a post and returns the body that must follow it.
async fn begins_to_post(person: &Person, room: &Room) -> (Wire, Vec<u8>) {
    let body = json!({ "body": "begun before the end" }).to_string();
    let head = format!(
        "POST /v1/rooms/{}/messages HTTP/1.1\nHost: parlor\nAuthorization: Bearer {}\n\
         Content-Type: application/json\nContent-Length: {}\n\n",
        room.id,
        person.token(),
        body.len()
    );
    (Wire::asks(person.address(), &head).await, body.into_bytes())
}

async fn nobody_new_comes_in(address: SocketAddr) {
    let is_refused = || async {
        TcpStream::connect(address).await.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    };
    wait_for_within(GONE_WITHIN, || "new connections are refused".into(), is_refused).await;
}

#[tokio::test]
async fn a_request_that_was_begun_is_finished_and_nobody_new_comes_in() {
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    let address = server.address();
    let mut stream = ada.streams(&room).await;
    stream.hello().await;
    let (mut begun, body) = begins_to_post(&ada, &room).await;
    let (first, last) = body.split_at(10);
    begun.sends(first).await;
    // The server must have read the head before the signal, or it would not know of the request. It has: a request that was sent
    // later, on another connection, is answered.
    let mut kept = Wire::asks(address, "GET /readyz HTTP/1.1\nHost: parlor\n\n").await;
    kept.until("HTTP/1.1 200 ").await;
    ada.get("/livez").await.ok(200);

    let stopping = tokio::spawn(async move {
        let status = server.stop().await;
        (server, status)
    });
    nobody_new_comes_in(address).await;
    assert!(!stopping.is_finished(), "there is a request to be finished");
    begun.sends(last).await;
    assert_eq!(begun.until_the_end().await, End::Closed);
    let answer = begun.text();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let (server, status) = timeout(GONE_WITHIN, stopping).await.expect("it is gone in time").unwrap();
    assert!(status.success(), "{status}");
    // Idle connections are closed without an error.
    assert_eq!(kept.until_the_end().await, End::Closed);
    drop(server);
}

#[tokio::test]
async fn a_server_that_is_about_to_go_says_so_to_whoever_asks_on_a_connection_that_is_still_open() {
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    let address = server.address();
    // A request under way keeps its connection open; the request for `/readyz` follows it on the same connection.
    let (mut begun, body) = begins_to_post(&ada, &room).await;
    let ready = "GET /readyz HTTP/1.1\nHost: parlor\n\n";
    // The head of this request is sent before the signal, and its last byte after it.
    let (first, last) = ready.split_at(ready.len() - 1);
    let mut kept = Wire::asks(address, first).await;
    ada.get("/readyz").await.ok(200);
    let stopping = tokio::spawn(async move { (server.stop().await, server) });
    nobody_new_comes_in(address).await;
    kept.sends(last.replace('\n', "\r\n").as_bytes()).await;
    let text = kept.until("\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 503 "), "{text}");
    begun.sends(&body).await;
    assert_eq!(begun.until_the_end().await, End::Closed);
    assert!(begun.text().starts_with("HTTP/1.1 201 "), "{}", begun.text());
    let (status, _server) = timeout(GONE_WITHIN, stopping).await.expect("it is gone in time").unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn a_server_that_waits_as_long_as_it_may_be_told_to_is_gone_in_time() {
    const LONGEST: u64 = 12;
    let longest = LONGEST.to_string();
    let mut server = Server::start_with(&[("PARLOR_SERVER__SHUTDOWN_SECONDS", &longest)]).await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    // A request that never ends, and a reader that reads nothing, not even `bye`.
    let (begun, _) = begins_to_post(&ada, &room).await;
    let mut stalled = Wire::narrow(server.address(), 4 * 1024).await;
    let head = format!(
        "GET /v1/rooms/{}/events HTTP/1.1\r\nHost: parlor\r\nAuthorization: Bearer {}\r\n\r\n",
        room.id,
        ada.token()
    );
    stalled.sends(head.as_bytes()).await;
    stalled.until("event: hello").await;
    for _ in 0..200 {
        ada.posts(&room, &"x".repeat(4_000)).await;
    }
    let signalled = Instant::now();
    let status = server.stop().await;
    let gone = signalled.elapsed();
    assert!(status.success(), "{status}");
    assert!(gone >= Duration::from_secs(LONGEST), "it did not wait for the request: {gone:?}");
    assert!(gone < GONE_WITHIN, "the process was gone after {gone:?}");
    drop((begun, stalled));
}
