//! Clients that ask for much and read nothing: what waits for them is bounded, and others are served beside them.

use std::time::Duration;

use crate::support::{Figures, Person, Room, Server, Wire, wait_for, wait_for_within};

/// A debug build on a busy machine takes its time for so many large pages.
const PAGES_WITHIN: Duration = Duration::from_mins(1);
/// Their pages together are twice of what the attack may cost.
const CONNECTIONS: u32 = 40;
/// Pages asked for on each connection, without reading one.
const PIPELINED: usize = 2;
/// What the whole attack may cost.
const GROWTH_BYTES: u64 = 64 * 1024 * 1024;
/// Four bytes in UTF-8: the longest body that may be posted.
const LETTER: &str = "𝄞";
const ON: [(&str, &str); 6] = [
    ("PARLOR_LIMITS__ENABLED", "true"),
    ("PARLOR_LIMITS__READS_PER_USER", "10000, 10000/s"),
    ("PARLOR_LIMITS__POST_PER_USER", "1000, 1000/s"),
    ("PARLOR_LIMITS__POST_PER_ROOM", "1000, 1000/s"),
    // So that people can come from several addresses.
    ("PARLOR_SERVER__TRUSTED_PROXIES", "127.0.0.1"),
    ("PARLOR_METRICS__LISTEN", "127.0.0.1:0"),
];

/// Memory of the process: `VmRSS:` is what it uses now, `VmHWM:` the most that it ever used.
fn memory(server: &Server, which: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(which)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// The head of a request for the largest page, as it comes from an address behind the proxy.
fn asks_for_a_page(person: &Person, room: &Room, address: &str) -> String {
    format!(
        "GET /v1/rooms/{}/messages?limit=200 HTTP/1.1\r\nHost: parlor\r\nAuthorization: Bearer {}\r\n\
         X-Forwarded-For: {address}\r\n\r\n",
        room.id,
        person.token()
    )
}

async fn fills_a_page(person: &Person, room: &Room) {
    let body = LETTER.repeat(4_000);
    let posts = (0..200).map(|_| person.posts(room, &body));
    futures_util::future::join_all(posts).await;
}

#[tokio::test]
async fn pages_that_nobody_reads_cost_little_and_shut_nobody_out() {
    let server = Server::start_with(&ON).await;
    let (mallory, bob) = (server.register("mallory").await, server.register("bob").await);
    let (room, other) = (mallory.creates_room("large").await, bob.creates_room("other").await);
    tokio::join!(fills_a_page(&mallory, &room), fills_a_page(&bob, &other));
    let page = asks_for_a_page(&mallory, &room, "192.0.2.1");
    let theirs =
        asks_for_a_page(&bob, &other, "192.0.2.2").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    // Everything that a page takes is there once before the memory is looked at.
    assert!(bob.exchange(theirs.as_bytes()).await.starts_with("HTTP/1.1 200 "));
    let before = memory(&server, "VmRSS:");

    for _ in 0..2 {
        let asked = Figures::of(&server)
            .await
            .get("parlor_http_request_seconds_count", &[("operation", "listMessages")]);
        let mut wires = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut wire = Wire::narrow(server.address(), 4 * 1024).await;
            wire.sends(page.repeat(PIPELINED).as_bytes()).await;
            wires.push(wire);
        }
        wait_for_within(
            PAGES_WITHIN,
            || "each connection has an answer".into(),
            || async {
                let now = Figures::of(&server).await;
                now.get("parlor_http_request_seconds_count", &[("operation", "listMessages")])
                    >= asked + f64::from(CONNECTIONS)
            },
        )
        .await;

        // One more from there is told to come back; another address gets its page, and everybody posts.
        let refused = page.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        let refused = mallory.exchange(refused.as_bytes()).await;
        assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("\"overloaded\""), "{refused:.500}");
        assert!(refused.to_ascii_lowercase().contains("retry-after: 1\r\n"), "{refused:.500}");
        assert!(bob.exchange(theirs.as_bytes()).await.starts_with("HTTP/1.1 200 "));
        mallory.posts(&room, LETTER).await;
        let figures = Figures::of(&server).await;
        assert!(figures.get("parlor_http_unread_bytes", &[]) <= 8.0 * 1024.0 * 1024.0, "{}", figures.text);
        assert!(figures.count("parlor_http_unread_refused_total", &[]) > 0, "{}", figures.text);
        drop(wires);
        wait_for("all of it is given back", || async {
            Figures::of(&server).await.get("parlor_http_unread_bytes", &[]) == 0.0
        })
        .await;
    }
    let most = memory(&server, "VmHWM:");
    println!("unread pages: {} MiB before, at most {} MiB", before >> 20, most >> 20);
    assert!(most - before <= GROWTH_BYTES, "from {before} to {most} bytes");
}
