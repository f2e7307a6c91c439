//! Heads that two servers could read as different requests (RFC 9112, section 11.2). Ours must never read two where others read
//! one.

use crate::support::{Client, Server};

use super::raw;

/// A second request, which is found if the end of the first body is read differently.
const SECOND: &str = "GET /v1/smuggled HTTP/1.1\r\nHost: parlor\r\n\r\n";

/// The statuses of all answers on one connection, to its end.
async fn statuses(client: &Client, bytes: &str) -> Vec<u16> {
    let said = client.exchange(bytes.as_bytes()).await;
    said.match_indices("HTTP/1.1 ").map(|(at, _)| said[at + 9..at + 12].parse().unwrap()).collect()
}

#[tokio::test]
async fn two_lengths_are_one_request_and_the_end_of_the_connection() {
    let server = Server::start().await;
    let client = server.anonymous();
    let head = "POST /v1/logout HTTP/1.1\r\nHost: parlor\r\n";
    for lengths in [
        format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", SECOND.len() + 5),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {}\r\n", SECOND.len() + 5),
    ] {
        let both = format!("{head}{lengths}\r\n0\r\n\r\n{SECOND}");
        assert_eq!(statuses(&client, &both).await, [204], "{lengths}");
    }
    for lengths in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: \r\n",
        "Content-Length: 18446744073709551621\r\n",
        "Content-Length : 5\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    ] {
        let sent = format!("{head}{lengths}\r\n{SECOND}");
        assert_eq!(statuses(&client, &sent).await, [400], "{lengths}");
    }
    for lengths in [
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let headers = format!("{lengths}Content-Type: application/json\r\n");
        let answer = raw::request(&client, "POST /v1/logout", &headers, b"").await;
        assert_eq!(answer.verdict(), (400, "invalid_request".into()), "{lengths}");
    }
    let chunked = |version: &str| {
        format!(
            "POST /v1/logout {version}\r\nHost: parlor\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n"
        )
    };
    assert_eq!(statuses(&client, &chunked("HTTP/1.1")).await, [204], "well formed it is read");
    assert!(client.exchange(chunked("HTTP/1.0").as_bytes()).await.contains(" 400 "), "1.0 knows no chunks");
}

#[tokio::test]
async fn lines_that_go_on_or_end_oddly_are_refused() {
    let server = Server::start().await;
    let client = server.anonymous();
    for head in [
        // Folded over two lines (obs-fold).
        "GET /v1/server HTTP/1.1\r\nHost: parlor\r\nX: a\r\n b\r\n\r\n",
        "GET /v1/server HTTP/1.1\r\nHost: parlor\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
        " GET /v1/server HTTP/1.1\r\nHost: parlor\r\n\r\n",
        "GET /v1/server HTTP/1.1\r\n Host: parlor\r\n\r\n",
        // A carriage return alone.
        "GET /v1/server HTTP/1.1\rHost: parlor\r\n\r\n",
        "GET /v1/server HTTP/1.1\r\nHost: parlor\r\nX: a\rY: b\r\n\r\n",
        "GET /v1/server HTTP/1.1\r\nHost: parlor\r\nX\r: a\r\n\r\n",
        // More than one space, or none.
        "GET  /v1/server HTTP/1.1\r\nHost: parlor\r\n\r\n",
        "GET /v1/server  HTTP/1.1\r\nHost: parlor\r\n\r\n",
        "GET /v1/ server HTTP/1.1\r\nHost: parlor\r\n\r\n",
        "GET /v1/server\r\nHost: parlor\r\n\r\n",
        "GET /v1/server HTTP/1.1\r\nHost: parlor\r\n: nothing\r\n\r\n",
        "G(T /v1/server HTTP/1.1\r\nHost: parlor\r\n\r\n",
    ] {
        assert_eq!(statuses(&client, &format!("{head}{SECOND}")).await, [400], "{head:?}");
    }
}

#[tokio::test]
async fn a_line_feed_alone_ends_a_line_and_nothing_more() {
    // This is allowed (RFC 9112, section 2.2), as long as it cannot begin a request where a strict reader sees none.
    let server = Server::start().await;
    let client = server.anonymous();
    let bare = "GET /v1/server HTTP/1.1\nHost: parlor\nConnection: close\n\n";
    assert_eq!(statuses(&client, bare).await, [200]);
    let within = "GET /v1/server HTTP/1.1\r\nHost: parlor\r\nX: a\nConnection: close\r\n\r\n";
    assert_eq!(statuses(&client, within).await, [200]);
}

#[tokio::test]
async fn chunks_are_read_strictly() {
    let server = Server::start().await;
    let client = server.anonymous();
    let head = "POST /v1/logout HTTP/1.1\r\nHost: parlor\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
    let good = format!("{head}Connection: close\r\n\r\n2;name=value\r\n{{}}\r\n0\r\nTrailer: a\r\n\r\n");
    assert_eq!(statuses(&client, &good).await, [204]);
    for chunks in [
        "2\r\n{}0\r\n\r\n",
        "2\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "2 2\r\n{}\r\n0\r\n\r\n",
        "2;a=\n\r\n{}\r\n0\r\n\r\n",
        "10000000000000002\r\n{}\r\n0\r\n\r\n",
        "\r\n2\r\n{}\r\n0\r\n\r\n",
    ] {
        let sent = format!("{head}\r\n{chunks}{SECOND}");
        assert_eq!(statuses(&client, &sent).await, [400], "{chunks:?}");
    }
}

#[tokio::test]
async fn requests_in_one_packet_are_answered_one_by_one_in_order() {
    let server = Server::start().await;
    let client = server.anonymous();
    let next = "GET /v1/server HTTP/1.1\r\nHost: parlor\r\n\r\n";
    let last = "GET /v1/rooms HTTP/1.1\r\nHost: parlor\r\nConnection: close\r\n\r\n";
    let body = "POST /v1/logout HTTP/1.1\r\nHost: parlor\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    assert_eq!(statuses(&client, &[next, SECOND, body, last].concat()).await, [200, 404, 204, 401]);
}

#[tokio::test]
async fn a_target_with_scheme_and_host_is_that_path_here() {
    let server = Server::start().await;
    let client = server.anonymous();
    for (target, status) in [
        ("http://evil.example/v1/server", 200),
        ("https://parlor/v1/server?", 200),
        ("http://parlor/v1/nothing", 404),
        ("http://parlor", 200),
        ("//evil.example/v1/server", 404),
        ("/v1/server#fragment", 200),
        ("/%2e%2e/v1/server", 404),
    ] {
        let answer = raw::request(&client, &format!("GET {target}"), "", b"").await;
        assert_eq!(answer.status, status, "{target}: {answer:?}");
        assert!(!answer.head.contains("evil") && !answer.body.contains("evil"), "{target}: {answer:?}");
    }
}
