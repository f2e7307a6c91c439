//! HTTP that is wrong: heads, addresses, methods, parameters, and senders that take their time.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::raw;
use crate::support::{Server, Wire, check_exchange};

/// Says that the client sends its body only after `100 Continue`.
const WAITS: &str = "Expect: 100-continue\n";

/// Longer than any deadline of the server for a head or a body.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_request_names_one_host() {
    let server = Server::start().await;
    let client = server.anonymous();
    for head in [
        "GET /v1/server HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET /v1/server HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n",
        "GET /v1/server HTTP/1.1\r\nHost: a\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /v1/server HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n",
        "GET /v1/server HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n",
        "GET /v1/server HTTP/1.1\r\nHost: a, b\r\nConnection: close\r\n\r\n",
        "GET /v1/server HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n",
        "GET /v1/server HTTP/1.1\r\nHost: ada@a\r\nConnection: close\r\n\r\n",
        "GET http://a/v1/server HTTP/1.1\r\nConnection: close\r\n\r\n",
    ] {
        assert_eq!(
            raw::send(&client, head.as_bytes()).await.verdict(),
            (400, "invalid_request".into()),
            "{head}"
        );
    }
    let old = raw::send(&client, b"GET /v1/server HTTP/1.0\r\n\r\n").await;
    assert_eq!(old.status, 200, "HTTP/1.0 knew no Host");
    for host in ["parlor", "parlor:80", "127.0.0.1:8080", "[::1]:8080", "xn--caf-dma.example"] {
        let head = format!("GET /v1/server HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(raw::send(&client, head.as_bytes()).await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn heads_that_are_too_big_or_no_http_end_the_connection() {
    let server = Server::start().await;
    let client = server.anonymous();
    let host = "Host: parlor\r\nConnection: close\r\n";
    let field = format!("X: {}\r\n", "a".repeat(20_000));
    let fields = (0..70).map(|n| format!("X-{n}: a")).collect::<Vec<_>>().join("\r\n") + "\r\n";
    for (head, status) in [
        (format!("GET / HTTP/1.1\r\n{host}{field}\r\n"), 431),
        (format!("GET / HTTP/1.1\r\n{host}{fields}\r\n"), 431),
        (format!("GET / HTTP/1.1\r\n{host}no colon\r\n\r\n"), 400),
        (format!("GET / HTTP/1.1\r\n{host}X: a\0b\r\n\r\n"), 400),
        (format!("GET / HTTP/9.9\r\n{host}\r\n"), 400),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n".to_owned(), 400),
    ] {
        let answer = raw::send(&client, head.as_bytes()).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, ""), "{}", &head[..head.len().min(60)]);
    }
    let http2 = raw::send(&client, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await;
    assert!(http2.status == 0 || http2.status == 400, "HTTP/2 is not spoken: {http2:?}");
    client.get("/v1/server").await.ok(200);
}

#[tokio::test]
async fn an_address_that_is_too_long_is_414() {
    let server = Server::start().await;
    let client = server.anonymous();
    for path in [format!("/{}", "a".repeat(8_500)), format!("/v1/rooms?q={}", "a".repeat(8_500))] {
        let answer = raw::request(&client, &format!("GET {path}"), "", b"").await;
        assert_eq!(answer.verdict(), (414, "uri_too_long".into()));
    }
}

#[tokio::test]
async fn methods_that_a_path_does_not_know_are_405_with_those_it_knows() {
    let server = Server::start().await;
    let client = server.anonymous();
    for (line, allow) in [
        ("DELETE /v1/rooms", "get, head, post"),
        ("POST /v1/rooms/lobby", "delete, get, head, patch"),
        ("GET /v1/login", "post"),
        ("OPTIONS /v1/rooms", "get, head, post"),
        ("TRACE /v1/rooms", "get, head, post"),
        ("BREW /v1/rooms", "get, head, post"),
        ("PUT /openapi.json", "get, head"),
        ("POST /", "get, head"),
        ("DELETE /assets/index.js", "get, head"),
        ("TRACE /", "get, head"),
        ("CONNECT parlor:80", "get, head"),
        ("OPTIONS *", "get, head"),
    ] {
        let answer = raw::request(&client, line, "X-HTTP-Method-Override: GET\r\n", b"").await;
        assert_eq!(answer.verdict(), (405, "method_not_allowed".into()), "{line}");
        assert!(answer.head.contains(&format!("allow: {allow}\r\n")), "{line}: {}", answer.head);
    }
}

#[tokio::test]
async fn paths_that_do_not_exist_are_one_404() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    let message = ada.posts(&room, "hello").await;
    let message = message["id"].as_str().unwrap();
    for (path, code) in [
        ("/v1".to_owned(), "not_found"),
        ("/v1/".to_owned(), "not_found"),
        ("/v1/nothing".to_owned(), "not_found"),
        ("/v1/nothing/%00".to_owned(), "not_found"),
        ("/assets/gone-12345678.js".to_owned(), "not_found"),
        ("/v1/rooms/Lobby".to_owned(), "room_not_found"),
        ("/v1/rooms/%ff".to_owned(), "not_found"),
        (format!("/v1/rooms/{message}"), "room_not_found"),
        (format!("/v1/rooms/{}", room.id.replace('-', "")), "room_not_found"),
        (format!("/v1/rooms/{}/messages/{}", room.id, room.id), "message_not_found"),
        (format!("/v1/rooms/{}/messages/7", room.id), "message_not_found"),
        (format!("/v1/users/{}", ada.id), "user_not_found"),
        ("/v1/users/b%20b".to_owned(), "user_not_found"),
    ] {
        let head = format!("Authorization: Bearer {}\r\n", ada.token());
        let answer = raw::request(&ada, &format!("GET {path}"), &head, b"").await;
        assert_eq!(answer.verdict(), (404, code.into()), "{path}: {answer:?}");
    }
    ada.delete(&format!("/v1/sessions/{}", room.id)).await.problem(404, "session_not_found");
}

#[tokio::test]
async fn parameters_are_known_single_and_in_range() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    ada.creates_room("lobby").await;
    let messages = "/v1/rooms/lobby/messages";
    for (path, place) in [
        (format!("{messages}?limit=0"), "?limit"),
        (format!("{messages}?limit=201"), "?limit"),
        (format!("{messages}?limit=ten"), "?limit"),
        (format!("{messages}?limit=99999999999"), "?limit"),
        (format!("{messages}?limit=5&limit=5"), "?limit"),
        (format!("{messages}?around=lobby"), "?around"),
        (format!("{messages}?before=a&after=b"), "?before"),
        (format!("{messages}?swordfish=1"), "?"),
        ("/v1/users/me?verbose".to_owned(), "?"),
        ("/v1/rooms/lobby/events?max_replay=-1".to_owned(), "?max_replay"),
    ] {
        let problem = ada.get(&path).await.problem(400, "invalid_parameter");
        assert_eq!(problem["errors"][0]["pointer"], place, "{path}");
        assert!(!problem.to_string().contains("swordfish"), "{problem}");
    }
    for (path, detail) in [
        ("/v1/rooms?limit=201".to_owned(), "must be a whole number from 1 to 200"),
        (format!("/v1/rooms?q={}", "a".repeat(65)), "must be a text in UTF-8 of at most 64 characters"),
        ("/v1/events?max_replay=-1".to_owned(), "must be a whole number from 0 to 2147483647"),
    ] {
        let problem = ada.get(&path).await.problem(400, "invalid_parameter");
        assert_eq!(problem["errors"][0]["detail"], detail, "{path}");
    }
    for cursor in ["x", "AAAAAAAAAAAAAAAAAAAAAA", "%00", "%ff", ""] {
        for way in ["before", "after"] {
            ada.get(&format!("{messages}?{way}={cursor}")).await.problem(400, "bad_cursor");
        }
    }
    ada.get("/v1/rooms?page=%ff").await.problem(400, "bad_page");
    ada.get("/v1/rooms/lobby/members?page=%ff").await.problem(400, "bad_page");
    ada.get(&format!("{messages}?limit=200")).await.ok(200);
}

#[tokio::test]
async fn streams_answer_a_bad_cursor_with_reset() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    let good = ada.posts(&room, "hello").await;
    assert!(good["seq"].is_i64());
    for cursor in ["x", "AAAAAAAAAAAAAAAAAAAAAA", "%00"] {
        ada.streams_from(&room, cursor).await.reset().await;
        ada.streams_after(cursor).await.reset().await;
    }
    let path = format!("/v1/rooms/{}/events", room.id);
    ada.opening(&path).header("Last-Event-ID", "x").open().await.reset().await;
    let head = format!("GET {path} HTTP/1.1\r\nHost: parlor\r\nAuthorization: Bearer {}\r\n", ada.token());
    let mut socket = TcpStream::connect(server.address()).await.unwrap();
    socket.write_all(&[head.as_bytes(), b"Last-Event-ID: \xff\xfe\r\n\r\n"].concat()).await.unwrap();
    let said = read_until(&mut socket, "data: ").await;
    assert!(said.contains("event: reset\n"), "a header that is not UTF-8 is no good cursor: {said}");
}

#[tokio::test]
async fn head_answers_as_get_does_without_a_body() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    ada.creates_room("lobby").await;
    let token = format!("Authorization: Bearer {}\r\n", ada.token());
    for (path, status) in [
        ("/v1/server", 200),
        ("/v1/rooms/lobby", 200),
        ("/v1/rooms/nowhere", 404),
        ("/v1/rooms/lobby/events", 200),
        ("/v1/rooms/nowhere/events", 404),
        ("/v1/events", 200),
        ("/openapi.json", 200),
        ("/", 200),
    ] {
        let answer = raw::request(&ada, &format!("HEAD {path}"), &token, b"").await;
        assert_eq!((answer.status, answer.body.as_str()), (status, ""), "{path}");
    }
}

#[tokio::test]
async fn a_body_that_says_that_it_is_too_long_is_refused_before_it_is_sent() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let asking = |line: &str, length: u64, more: &str| {
        format!(
            "{line} HTTP/1.1\nHost: parlor\nAuthorization: Bearer {}\nContent-Type: application/json\n\
             Content-Length: {length}\n{more}\n",
            ada.token()
        )
    };
    let body = 65_536;
    for (line, length) in [
        ("POST /v1/rooms", 10_000_000_000),
        ("POST /v1/rooms", body + 1),
        ("PATCH /v1/users/me", u64::from(u32::MAX) + 1),
        ("POST /v1/users", 4_097),
        ("POST /v1/login", 4_097),
        ("POST /v1/login", 10_000_000_000),
        ("POST /v1/refresh", 4_097),
        ("POST /v1/logout", 4_097),
        ("PUT /v1/users/me/password", 4_097),
    ] {
        let begun = Instant::now();
        let mut wire = Wire::asks(server.address(), &asking(line, length, WAITS)).await;
        wire.until_the_end().await;
        let said = wire.text();
        assert!(
            said.starts_with("HTTP/1.1 413 ") && said.contains("\"body_too_large\""),
            "{line} {length}: {said}"
        );
        assert!(begun.elapsed() < Duration::from_secs(2), "{line} {length}: {:?}", begun.elapsed());
    }
    // Operations without a body, and refusals before it, do not ask for the body.
    for (line, status) in
        [("GET /v1/users/me", 200), ("DELETE /v1/sessions/7", 404), ("POST /v1/nothing", 404)]
    {
        let mut wire = Wire::asks(server.address(), &asking(line, 10_000_000_000, WAITS)).await;
        wire.until_the_end().await;
        assert!(wire.text().starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {}", wire.text());
    }
    // A body that is not too long is asked for.
    let room = json!({ "name": "lobby" }).to_string();
    let mut wire = Wire::asks(server.address(), &asking("POST /v1/rooms", room.len() as u64, WAITS)).await;
    wire.until("HTTP/1.1 100 Continue\r\n\r\n").await;
    wire.sends(room.as_bytes()).await;
    wire.until("HTTP/1.1 201 ").await;
}

#[tokio::test]
async fn senders_that_take_their_time_are_not_waited_for() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let begun = "POST /v1/rooms HTTP/1.1\r\nHost: parlor\r\nContent-Type: application/json\r\n";
    let body =
        format!("{begun}Authorization: Bearer {}\r\nContent-Length: 1000\r\n\r\n{{\"name\":", ada.token());
    // In the middle of a line: a space at the beginning of one would be refused at once.
    let head = format!("{begun}X-Slow: a");
    let (silent, head, body) = tokio::join!(
        drip(&server, b"", Duration::from_secs(1)),
        drip(&server, head.as_bytes(), Duration::from_secs(1)),
        drip(&server, body.as_bytes(), Duration::from_secs(1)),
    );
    assert!(silent.0.is_empty() && head.0.is_empty(), "{silent:?} {head:?}");
    assert!(silent.1 >= Duration::from_secs(9) && silent.1 < Duration::from_secs(14), "{silent:?}");
    assert!(head.1 >= Duration::from_secs(9) && head.1 < Duration::from_secs(14), "{head:?}");
    assert!(body.0.starts_with("HTTP/1.1 408 ") && body.0.contains("request_timeout"), "{body:?}");
    assert!(body.1 < Duration::from_secs(22), "{body:?}");
    ada.get("/v1/server").await.ok(200);
}

/// Sends bytes, then (if any were sent) one more byte in each interval, until the server closes. Gives what it said, and
/// when.
async fn drip(server: &Server, bytes: &[u8], every: Duration) -> (String, Duration) {
    let begun = Instant::now();
    let (mut reader, mut writer) = TcpStream::connect(server.address()).await.unwrap().into_split();
    writer.write_all(bytes).await.unwrap();
    let is_silent = bytes.is_empty();
    let dripping = tokio::spawn(async move {
        let mut clock = tokio::time::interval(every);
        loop {
            clock.tick().await;
            // The server may have closed: the reader notices.
            if !is_silent && writer.write_all(b" ").await.is_err() {
                return;
            }
        }
    });
    let mut said = Vec::new();
    // A reset after the answer is an end, too.
    let _ = tokio::time::timeout(PATIENCE, reader.read_to_end(&mut said)).await.expect("the server closes");
    dripping.abort();
    let (said, took) = (String::from_utf8_lossy(&said).into_owned(), begun.elapsed());
    check_exchange(bytes, &said);
    (said, took)
}

async fn read_until(socket: &mut TcpStream, wanted: &str) -> String {
    let mut said = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&said).contains(wanted) {
            assert_ne!(socket.read_buf(&mut said).await.unwrap(), 0, "the stream ends early");
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the stream says something");
    String::from_utf8_lossy(&said).into_owned()
}
