//! The figures for Prometheus: they move with what happens, name nobody, and only their own listener serves them.

use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{DEADLINE, Figures, Server, parlor, spread, wait_for};

const ON: (&str, &str) = ("PARLOR_METRICS__LISTEN", "127.0.0.1:0");

/// Longer than a scrape takes on a busy machine, and shorter than any deadline of the listener.
const SOON: Duration = Duration::from_secs(3);

/// Labels whose values are closed sets. A room or a person as a label would be a series for each, readable by every scraper.
const LABELS: [&str; 7] = ["bus", "le", "operation", "reason", "status", "version", "waited_for"];

/// Why streams end.
const REASONS: [&str; 10] = [
    "expired",
    "slow",
    "shutdown",
    "signed_out",
    "removed",
    "deleted",
    "disconnected",
    "stalled",
    "failed",
    "cut",
];

fn count(figures: &Figures, operation: &str, status: &str) -> u64 {
    figures.count("parlor_http_requests_total", &[("operation", operation), ("status", status)])
}

#[tokio::test]
async fn requests_are_counted_by_operation_and_status() {
    if spread::skips("each node has metrics of its own") {
        return;
    }
    let server = Server::start_with(&[ON]).await;
    let before = Figures::of(&server).await;
    assert_eq!(count(&before, "postMessage", "201"), 0);

    let ada = server.register("ada").await;
    let room = ada.creates_room("swordfish").await;
    for _ in 0..3 {
        ada.posts(&room, "hello").await;
    }
    server.anonymous().get("/v1/users/me").await.problem(401, "unauthenticated");
    server.anonymous().get("/v1/swordfish").await.problem(404, "not_found");
    let mut stream = ada.streams(&room).await;
    stream.hello().await;

    let after = Figures::of(&server).await;
    for (operation, status, times) in [
        ("registerUser", "201", 1),
        ("login", "200", 1),
        ("createRoom", "201", 1),
        ("postMessage", "201", 3),
        ("getMe", "401", 1),
        ("none", "404", 1),
        ("streamRoomEvents", "200", 1),
    ] {
        assert_eq!(count(&after, operation, status), times, "{operation} {status}:\n{}", after.text);
    }
    let posts = &[("operation", "postMessage")];
    assert_eq!(after.count("parlor_http_request_seconds_count", posts), 3);
    assert!(after.get("parlor_http_request_seconds_sum", posts) > 0.0);
    let stream = &[("operation", "streamRoomEvents")];
    assert!(after.get("parlor_http_request_seconds_sum", stream) < 10.0, "only to the head of the answer");
    assert!(after.get("parlor_http_connections", &[]) >= 1.0);
}

#[tokio::test]
async fn the_process_is_described() {
    if spread::skips("each node has metrics of its own") {
        return;
    }
    let server = Server::start_with(&[ON]).await;
    let figures = Figures::of(&server).await;
    let memory = figures.get("process_resident_memory_bytes", &[]);
    assert!(memory > 1e6 && memory < 1e9, "{memory}");
    let descriptors = figures.get("process_open_fds", &[]);
    assert!(descriptors > 5.0 && descriptors < figures.get("process_max_fds", &[]), "{descriptors}");
    assert!(figures.get("process_cpu_seconds_total", &[]) > 0.0);
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let age = now - figures.get("process_start_time_seconds", &[]);
    assert!((0.0..60.0).contains(&age), "{age}");
    assert_eq!(figures.count("parlor_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1);

    let sockets: Vec<_> =
        futures_util::future::join_all((0..20).map(|_| TcpStream::connect(server.address())))
            .await
            .into_iter()
            .collect();
    wait_for("twenty more descriptors are open", || async {
        let now = Figures::of(&server).await;
        now.get("process_open_fds", &[]) >= descriptors + 20.0
            && now.get("parlor_http_connections", &[]) >= 20.0
    })
    .await;
    drop(sockets);
    wait_for("they are closed again", || async {
        Figures::of(&server).await.get("parlor_http_connections", &[]) < 20.0
    })
    .await;
}

#[tokio::test]
async fn the_journal_is_measured_by_its_batches() {
    if spread::skips("each node has metrics of its own") {
        return;
    }
    let server = Server::start_with(&[ON]).await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    let before = Figures::of(&server).await;
    for _ in 0..5 {
        ada.posts(&room, "hello").await;
    }
    let after = Figures::of(&server).await;
    let moved = |name: &str| after.get(name, &[]) - before.get(name, &[]);
    // One after the other: a transaction each.
    assert!(moved("parlor_journal_batch_requests_count") >= 5.0, "{}", after.text);
    assert!(moved("parlor_journal_batch_requests_sum") >= 5.0, "{}", after.text);
    assert!(moved("parlor_journal_commit_seconds_count") >= 5.0, "{}", after.text);
    // Of PostgreSQL's log the database itself has figures.
    assert!(server.database().is_some() || after.get("parlor_wal_bytes", &[]) > 0.0, "{}", after.text);
    assert!(after.names().contains("parlor_journal_queue"), "{}", after.text);
}

#[tokio::test]
async fn limits_say_how_much_they_count_and_what_they_could_not_count() {
    if spread::skips("each node has metrics of its own") {
        return;
    }
    let server = Server::start_with(&[ON, ("PARLOR_LIMITS__ENABLED", "true")]).await;
    let before = Figures::of(&server).await;
    assert_eq!(before.count("parlor_limits_buckets", &[]), 0);
    assert!(before.text.contains("\nparlor_limits_uncounted_total 0\n"), "{}", before.text);
    let ada = server.register("ada").await;
    ada.creates_room("lobby").await;
    let after = Figures::of(&server).await;
    assert!(after.count("parlor_limits_buckets", &[]) >= 3, "{}", after.text);
    assert_eq!(after.count("parlor_limits_uncounted_total", &[]), 0);
}

#[tokio::test]
async fn streams_are_counted_while_they_are_open_and_by_their_ends() {
    let server = Server::start_with(&[ON]).await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    let mut stream = ada.streams(&room).await;
    stream.hello().await;
    let open = Figures::of(&server).await;
    assert_eq!(open.count("parlor_streams_open", &[]), 1);
    // They are there from the start, because a rate would miss the first end of each kind.
    for reason in REASONS {
        assert!(
            open.text.contains(&format!("parlor_stream_ends_total{{reason=\"{reason}\"}} 0\n")),
            "{reason}"
        );
    }
    assert_eq!(open.text.matches("\nparlor_stream_ends_total{").count(), REASONS.len(), "{}", open.text);
    ada.posts(&room, "hello").await;
    stream.until(|frame| frame.kind() == "message.posted").await;
    // Writers count what they did after they did it.
    wait_for("it is counted", || async {
        let said = Figures::of(&server).await;
        ["parlor_stream_frames_total", "parlor_stream_bytes_total"]
            .iter()
            .all(|name| said.count(name, &[]) > open.count(name, &[]))
    })
    .await;
    ada.post_nothing("/v1/logout").await.ok(204);
    assert_eq!(stream.bye().await, "signed_out");
    wait_for("it has ended", || async {
        let after = Figures::of(&server).await;
        after.count("parlor_stream_ends_total", &[("reason", "signed_out")]) == 1
            && after.count("parlor_streams_open", &[]) == 0
    })
    .await;
}

#[tokio::test]
async fn figures_name_nobody_and_no_room() {
    let server = Server::start_with(&[ON]).await;
    let ada = server.register("ada-lovelace").await;
    let room = ada.creates_room("swordfish").await;
    ada.posts(&room, "hello").await;
    ada.get("/v1/users/nobody-at-all").await.problem(404, "user_not_found");
    let _stream = ada.streams_all().await;
    let figures = Figures::of(&server).await;
    for label in figures.label_names() {
        assert!(LABELS.contains(&label), "{label} is no closed set, or not known to be one");
    }
    for secret in ["swordfish", "lovelace", "nobody", "127.0.0.1", "/v1", &room.id, &ada.id] {
        assert!(!figures.text.contains(secret), "{secret}:\n{}", figures.text);
    }
}

#[tokio::test]
async fn only_the_metrics_listener_has_them_and_it_has_nothing_else() {
    let server = Server::start_with(&[ON]).await;
    let base = format!("http://{}", Figures::address(&server).await);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (method, path, status) in [
        (reqwest::Method::GET, "/metrics", 200),
        (reqwest::Method::HEAD, "/metrics", 200),
        (reqwest::Method::POST, "/metrics", 405),
        (reqwest::Method::GET, "/", 404),
        (reqwest::Method::GET, "/v1/server", 404),
        (reqwest::Method::GET, "/livez", 404),
    ] {
        let answer = client.request(method.clone(), format!("{base}{path}")).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        assert_eq!(answer.headers().get("allow").is_some(), status == 405);
    }
    let page = server.anonymous().get("/metrics").await;
    assert!(!page.text.contains("parlor_http"), "{}", page.text);

    let without = Server::start().await;
    without.anonymous().get("/livez").await.ok(200);
    assert!(!without.log().contains("metrics on"), "{}", without.log());
}

#[tokio::test]
async fn a_scrape_is_answered_beside_hundreds_that_say_nothing() {
    let server = Server::start_with(&[ON, ("PARLOR_LIMITS__HEAD_SECONDS", "60")]).await;
    let address = Figures::address(&server).await;
    let descriptors = Figures::of(&server).await.get("process_open_fds", &[]);
    for silent in [10, 600] {
        let mut sockets = Vec::new();
        for _ in 0..silent {
            sockets.push(TcpStream::connect(address).await.unwrap());
        }
        for half in &mut sockets[silent / 2..] {
            // The server may have closed it already.
            let _ = half.write_all(b"GET /metrics HTTP/1.1\r\nHost: par").await;
        }
        let scraped = Instant::now();
        let figures = Figures::of(&server).await;
        assert!(scraped.elapsed() < SOON, "{silent} silent ones: {:?}", scraped.elapsed());
        let taken = figures.get("process_open_fds", &[]) - descriptors;
        assert!(taken <= 64.0, "{silent} silent ones hold {taken} descriptors");
        server.anonymous().get("/livez").await.ok(200);
    }
}

#[tokio::test]
async fn scrapers_that_say_nothing_are_cut_off_after_the_deadline_of_a_head() {
    let server = Server::start_with(&[ON, ("PARLOR_LIMITS__HEAD_SECONDS", "1")]).await;
    let address = Figures::address(&server).await;
    let begun = Instant::now();
    let mut silent = TcpStream::connect(address).await.unwrap();
    let mut half = TcpStream::connect(address).await.unwrap();
    half.write_all(b"GET /metrics HTTP/1.1\r\nHost: par").await.unwrap();
    for socket in [&mut silent, &mut half] {
        let mut said = Vec::new();
        let _ = tokio::time::timeout(DEADLINE, socket.read_to_end(&mut said)).await.expect("it is cut off");
        assert_eq!(said, b"");
    }
    assert!(begun.elapsed() >= Duration::from_millis(900) && begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_taken_or_impossible_metrics_address_is_one_clear_line() {
    let server = Server::start_with(&[ON]).await;
    let taken = Figures::address(&server).await.to_string();
    let folder = tempfile::tempdir().unwrap();
    let serve = ["serve", "--data", "data", "--listen", "127.0.0.1:0"];
    let finished = parlor(&serve, &[("PARLOR_METRICS__LISTEN", &taken)], "", folder.path()).await;
    let line =
        format!("error: cannot listen on {taken} for metrics; choose another address in metrics.listen");
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""), "{}", finished.stderr);
    assert!(finished.stderr.contains(&line), "{}", finished.stderr);
    assert!(!folder.path().join("data").exists(), "nothing was made before that");

    let finished = parlor(&["check"], &[("PARLOR_METRICS__LISTEN", "9090")], "", folder.path()).await;
    assert_eq!(finished.code, Some(2));
    assert!(finished.stderr.contains("metrics.listen is \"9090\"; expected: empty, or an IP address"));
}
