//! Streams seen at the bare socket: what stands in the head, what becomes of bytes that a reader sends, and how readers leave.

use std::time::{Duration, Instant};

use crate::support::{DEADLINE, End, Person, Server, Wire, spread};

/// Bytes that a reader may send after the request in all; the server closes the socket when more come.
const MOST_SENT: usize = 16 * 1024;

/// The request of an own stream, with other lines behind the usual ones.
fn request(reader: &Person, version: &str, lines: &str) -> String {
    let token = reader.token();
    format!("GET /v1/events HTTP/{version}\nHost: parlor\nAuthorization: Bearer {token}\n{lines}\n")
}

/// Opens as soon as there is a place: the stream before may be about to be let go.
async fn opens(reader: &Person) -> Wire {
    opens_with(reader, &[]).await
}

/// The same with bytes behind the request, in the same packet.
async fn opens_with(reader: &Person, bytes: &[u8]) -> Wire {
    let request = request(reader, "1.1", "").replace('\n', "\r\n");
    let deadline = Instant::now() + DEADLINE;
    loop {
        let mut wire = Wire::to(reader.address()).await;
        wire.sends(&[request.as_bytes(), bytes].concat()).await;
        if wire.until("\r\n\r\n").await.starts_with("HTTP/1.1 200 ") {
            wire.until("event: hello\n").await;
            return wire;
        }
        assert!(Instant::now() < deadline, "no place for a stream: {}", wire.text());
    }
}

/// A server with room for one stream of each person, so that it shows when one is gone.
async fn one_each() -> Server {
    Server::start_with(&[
        ("PARLOR_LIMITS__ENABLED", "true"),
        ("PARLOR_LIMITS__OPEN_STREAMS_PER_USER", "1"),
        ("PARLOR_LIMITS__STREAM_OPENS_PER_USER", "100000, 1000/s"),
        ("PARLOR_LIMITS__READS_PER_USER", "100000, 1000/s"),
        ("PARLOR_LIMITS__POST_PER_USER", "1000, 1000/s"),
        ("PARLOR_LIMITS__POST_PER_ROOM", "1000, 1000/s"),
        ("PARLOR_LIMITS__CONNECTIONS_PER_ADDRESS", "1000"),
    ])
    .await
}

async fn has_no_place(reader: &Person) {
    reader.get("/v1/events").await.problem(429, "too_many_requests");
}

#[tokio::test]
async fn the_head_says_that_the_connection_ends_with_the_stream_and_comes_at_once() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let asked = Instant::now();
    let text = opens(&ada).await.text();
    assert!(asked.elapsed() < Duration::from_secs(1), "hello took {:?}", asked.elapsed());
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    let values = |name: &str| {
        let of_name = head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        of_name.collect::<Vec<_>>()
    };
    assert_eq!(values("connection"), ["close"], "{head}");
    assert_eq!(values("transfer-encoding"), ["chunked"], "{head}");
    assert_eq!(values("content-length"), [""; 0], "{head}");
    assert_eq!(values("content-type"), ["text/event-stream"], "{head}");
    assert_eq!(values("cache-control"), ["no-store, no-transform"], "{head}");
    assert_eq!(values("x-accel-buffering"), ["no"], "{head}");
    assert_eq!(values("x-request-id").len(), 1, "{head}");
    let (length, frames) = body.split_once("\r\n").unwrap();
    assert!(usize::from_str_radix(length, 16).is_ok(), "no chunk: {body}");
    assert!(frames.starts_with("retry: "), "{body}");
}

#[tokio::test]
async fn http_1_0_gets_the_frames_as_they_are_and_the_end_of_the_connection_as_the_end() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("old").await;
    for lines in ["", "Connection: keep-alive\n"] {
        let phone = server.sign_in("ada").await;
        let mut wire = Wire::asks(server.address(), &request(&phone, "1.0", lines)).await;
        wire.until("event: hello\n").await;
        ada.posts(&room, "said to an old one").await;
        wire.until("said to an old one").await;
        ada.delete(&format!("/v1/sessions/{}", phone.session)).await.ok(204);
        assert_eq!(wire.until_the_end().await, End::Closed);
        let text = wire.text();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        assert!(head.contains(" 200 ") && !head.contains("transfer-encoding"), "{head}");
        assert!(!head.contains("keep-alive"), "nothing can come behind the stream: {head}");
        assert!(body.starts_with("retry: "), "{body}");
        assert!(!body.contains('\r'), "chunk parts in {body:?}");
        let bye = "event: bye\ndata: {\"type\":\"bye\",\"reason\":\"signed_out\"}\n\n";
        assert!(body.ends_with(bye), "{body}");
    }
}

#[tokio::test]
async fn head_gets_the_head_alone_and_holds_no_place() {
    let server = one_each().await;
    let ada = server.register("ada").await;
    for _ in 0..3 {
        let head = request(&ada, "1.1", "").replacen("GET", "HEAD", 1);
        let mut wire = Wire::asks(server.address(), &head).await;
        let text = wire.until("\r\n\r\n").await;
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        assert!(text.to_ascii_lowercase().contains("content-type: text/event-stream"), "{text}");
        // Then it goes on with the next request, or it ends; but never with a body.
        let next = b"GET /livez HTTP/1.1\r\nHost: parlor\r\nConnection: close\r\n\r\n";
        if wire.tries_to_send(next).await.is_ok() {
            wire.until_the_end().await;
        }
        let text = wire.text();
        let (_, behind) = text.split_once("\r\n\r\n").unwrap();
        assert!(behind.is_empty() || behind.starts_with("HTTP/1.1 200 "), "a body: {text}");
        assert!(!text.contains("retry:"), "{text}");
    }
    opens(&ada).await;
}

#[tokio::test]
async fn what_a_reader_sends_behind_the_request_is_read_and_means_nothing() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    let post = format!(
        "POST /v1/rooms/{}/messages HTTP/1.1\nHost: parlor\nAuthorization: Bearer {}\n\
         Content-Type: application/json\nContent-Length: 17\n\n{{\"body\":\"forged\"}}",
        room.id,
        ada.token()
    );
    // In the same packet as the request, and later.
    let mut wire = Wire::asks(server.address(), &(request(&ada, "1.1", "") + &post)).await;
    wire.until("event: hello\n").await;
    ada.posts(&room, "one").await;
    wire.until("\"one\"").await;
    for _ in 0..10 {
        wire.sends(post.replace('\n', "\r\n").as_bytes()).await;
    }
    wire.sends(&[0; 4_096]).await;
    ada.posts(&room, "two").await;
    let text = wire.until("\"two\"").await;
    assert_eq!(text.matches("HTTP/1.1").count(), 1, "an answer in the middle of a stream: {text}");
    assert!(!text.contains("forged"), "{text}");
    let said = ada.reads(&room).await;
    assert_eq!(said["items"].as_array().map(Vec::len), Some(2), "{said}");
}

#[tokio::test]
async fn who_sends_more_than_a_reader_has_to_say_is_cut_off() {
    let server = one_each().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    for pipelined in [0, 6 * 1024] {
        let mut wire = opens_with(&ada, &vec![b'x'; pipelined]).await;
        let rest = MOST_SENT - pipelined;
        wire.sends(&vec![b'x'; rest - 1_024]).await;
        // So much is still borne.
        ada.posts(&room, "still here").await;
        wire.until("still here").await;
        has_no_place(&ada).await;
        let _ = wire.tries_to_send(&vec![b'x'; 2_048]).await;
        wire.until_the_end().await;
    }
    opens(&ada).await;
}

#[tokio::test]
async fn whoever_leaves_by_whatever_door_gives_the_place_back() {
    if spread::skips("caps hold for each node") {
        return;
    }
    let server = one_each().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;

    let mut wire = opens(&ada).await;
    has_no_place(&ada).await;
    wire.half_closes().await;
    let begun = Instant::now();
    wire.until_the_end().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "a half-close ends it: {:?}", begun.elapsed());

    let wire = opens(&ada).await;
    has_no_place(&ada).await;
    drop(wire);

    let wire = opens(&ada).await;
    has_no_place(&ada).await;
    wire.resets();

    // In the middle of being written to: more than the buffers of both ends hold.
    let wire = opens(&ada).await;
    let padding = "x".repeat(3_900);
    let posts = (0..200).map(|_| ada.posts(&room, &padding));
    futures_util::future::join_all(posts).await;
    has_no_place(&ada).await;
    drop(wire);
    opens(&ada).await;
}

#[tokio::test]
async fn a_refused_stream_is_an_ordinary_answer_and_the_connection_goes_on() {
    if spread::skips("caps hold for each node") {
        return;
    }
    let server = one_each().await;
    let ada = server.register("ada").await;
    let _open = opens(&ada).await;
    let mut wire = Wire::asks(server.address(), &request(&ada, "1.1", "")).await;
    wire.until("too_many_requests").await;
    wire.sends(b"GET /livez HTTP/1.1\r\nHost: parlor\r\nConnection: close\r\n\r\n").await;
    assert_eq!(wire.until_the_end().await, End::Closed);
    let text = wire.text();
    assert!(text.starts_with("HTTP/1.1 429 ") && text.contains("HTTP/1.1 200 "), "{text}");
    assert_eq!(text.matches("X-Request-Id").count() + text.matches("x-request-id").count(), 2, "{text}");
}
