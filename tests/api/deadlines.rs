//! Deadlines: a client that sends slowly, sends nothing or waits for a hanging request is answered or cut off in time, by the
//! key that sets the deadline.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{DEADLINE, Figures, Server, check_exchange, spread, wait_for};

/// The time between two bytes: well below the deadlines, which all are a second.
const DROP: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);

/// A server on which every deadline for clients is a second.
async fn hurried() -> Server {
    Server::start_with(&[
        ("PARLOR_LIMITS__HEAD_SECONDS", "1"),
        ("PARLOR_LIMITS__BODY_SECONDS", "1"),
        ("PARLOR_LIMITS__IDLE_SECONDS", "1"),
        ("PARLOR_METRICS__LISTEN", "127.0.0.1:0"),
    ])
    .await
}

/// Sends the first bytes, then the others one at a time, again and again; gives what came back until the server closed, and
/// after how long.
async fn drip(server: &Server, first: &[u8], others: &'static [u8]) -> (String, Duration) {
    let begun = Instant::now();
    let (mut reader, mut writer) = TcpStream::connect(server.address()).await.unwrap().into_split();
    writer.write_all(first).await.unwrap();
    let dripping = tokio::spawn(async move {
        let mut clock = tokio::time::interval(DROP);
        for byte in others.iter().cycle() {
            clock.tick().await;
            // The server may have closed: the reader notices.
            if writer.write_all(&[*byte]).await.is_err() {
                return;
            }
        }
        // There is nothing to drip, and the socket must stay open.
        std::future::pending::<()>().await;
    });
    let mut said = Vec::new();
    // A reset after the answer is an end, too.
    let _ = tokio::time::timeout(DEADLINE, reader.read_to_end(&mut said)).await.expect("the server closes");
    dripping.abort();
    let (said, took) = (String::from_utf8_lossy(&said).into_owned(), begun.elapsed());
    check_exchange(first, &said);
    (said, took)
}

#[track_caller]
fn took_about_a_second(took: Duration) {
    assert!(took >= SECOND * 9 / 10 && took < SECOND * 5, "{took:?}");
}

async fn overdue(server: &Server, waited_for: &str) -> u64 {
    Figures::of(server).await.count("parlor_http_connections_overdue_total", &[("waited_for", waited_for)])
}

#[tokio::test]
async fn heads_that_do_not_begin_or_do_not_end_are_cut_off_without_a_word() {
    if spread::skips("each node has metrics of its own") {
        return;
    }
    let server = hurried().await;
    let head = b"GET /v1/server HTTP/1.1\r\nHost: parlor\r\n";
    let (silent, begun, dripped, empty) = tokio::join!(
        drip(&server, b"", b""),
        drip(&server, head, b""),
        drip(&server, head, b"X: a\r\n"),
        // Empty lines before a request are ignored, but the deadline goes on.
        drip(&server, b"", b"\r\n"),
    );
    for (said, took) in [silent, begun, dripped, empty] {
        assert_eq!(said, "");
        took_about_a_second(took);
    }
    wait_for("all four are counted", || async { overdue(&server, "head").await == 4 }).await;
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed_and_counted() {
    if spread::skips("each node has metrics of its own") {
        return;
    }
    let server = hurried().await;
    let (said, took) = drip(&server, b"GET /v1/server HTTP/1.1\r\nHost: parlor\r\n\r\n", b"").await;
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
    took_about_a_second(took);
    wait_for("it is counted", || async { overdue(&server, "request").await == 1 }).await;
}

#[tokio::test]
async fn a_dripped_body_is_refused_and_gone_after_its_deadline() {
    let server = hurried().await;
    let ada = server.register("ada").await;
    let head = format!(
        "POST /v1/rooms HTTP/1.1\r\nHost: parlor\r\nContent-Type: application/json\r\nAuthorization: Bearer {}\r\n",
        ada.token()
    );
    let whole = format!("{head}Content-Length: 60000\r\n\r\n{{");
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n");
    // Longer ones are refused by their length alone.
    let nobody = whole.replace("/v1/rooms ", "/v1/login ").replace("60000", "4000");
    let (whole, chunked, nobody) = tokio::join!(
        drip(&server, whole.as_bytes(), b" "),
        drip(&server, chunked.as_bytes(), b"1\r\n \r\n"),
        drip(&server, nobody.as_bytes(), b" "),
    );
    for (said, took) in [whole, chunked, nobody] {
        assert!(said.starts_with("HTTP/1.1 408 ") && said.contains("\"request_timeout\""), "{said}");
        assert!(said.to_ascii_lowercase().contains("connection: close\r\n"), "{said}");
        took_about_a_second(took);
    }
    // Without a sign-in the refusal does not wait for the body. What is left of it is read for two seconds at most.
    let stranger = "POST /v1/rooms HTTP/1.1\r\nHost: parlor\r\nContent-Length: 60000\r\n\r\n{";
    let (said, took) = drip(&server, stranger.as_bytes(), b" ").await;
    assert!(said.starts_with("HTTP/1.1 401 "), "{said}");
    assert!(took < SECOND * 5, "{took:?}");
}

#[tokio::test]
async fn a_request_that_hangs_is_given_up_and_says_that_its_outcome_is_open() {
    if spread::skips("each node has metrics of its own") {
        return;
    }
    let server = Server::start_with(&[
        ("PARLOR_LIMITS__REQUEST_SECONDS", "1"),
        ("PARLOR_METRICS__LISTEN", "127.0.0.1:0"),
    ])
    .await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    ada.posts(&room, "before").await;
    let lock = server.is_locked_by_another().await;

    let path = format!("/v1/rooms/{}/messages", room.id);
    let post = json!({ "body": "in time or not", "client_id": "one" });
    let begun = Instant::now();
    let answer = ada.post(&path, post.clone()).await;
    took_about_a_second(begun.elapsed());
    assert_eq!(answer.header("retry-after"), "1");
    answer.problem(503, "timed_out");
    let labels = [("operation", "postMessage"), ("status", "503")];
    assert_eq!(Figures::of(&server).await.count("parlor_http_requests_total", &labels), 1);
    // Reading goes on meanwhile.
    assert_eq!(ada.reads(&room).await["items"].as_array().map(Vec::len), Some(1));

    drop(lock);
    // The journal had taken the post already, so it was written once, and the repeat says so.
    ada.post(&path, post).await.ok(200);
    assert_eq!(ada.reads(&room).await["items"].as_array().map(Vec::len), Some(2));
}
