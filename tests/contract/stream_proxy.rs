//! Streams behind Debian's nginx, configured as people do: nothing is held back, and nobody is taken for somebody else.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::log::{assert_rest, assert_same, now, says, until_said};
use crate::support::{EventStream, Frame, Nginx, Person, Server, Upstream, spread, wait_for};

/// What `flushed at once` means where two processes share a busy machine.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Opens through the proxy; the connection to it ends with the stream, so that a test sees the end.
async fn opens(reader: &Person, path: &str) -> EventStream {
    let mut stream = reader.opening(path).header("Connection", "close").open().await;
    stream.hello().await;
    stream
}

#[tokio::test]
async fn frames_pass_a_proxy_at_once_and_streams_resume_through_it() {
    let server = Server::start().await;
    for upstream in [Upstream::AsItComes, Upstream::KeptAlive] {
        let Some(nginx) = Nginx::before(server.address(), upstream).await else { return };
        let name = format!("ada-{upstream:?}").to_lowercase();
        let ada = server.register(&name).await;
        let far = ada.through(nginx.address);
        let room = ada.creates_room(&name).await;
        for path in [format!("/v1/rooms/{}/events", room.id), "/v1/events".to_owned()] {
            let before = now(&ada).await;
            let asked = Instant::now();
            let mut stream = opens(&far, &path).await;
            assert!(asked.elapsed() < AT_ONCE, "{upstream:?}: hello took {:?}", asked.elapsed());
            let mut got: Vec<Frame> = Vec::new();
            for turn in 0..10 {
                // Short and long: less and more than nginx's buffers hold.
                let body = format!("{turn} {}", "x".repeat(turn * 400));
                let posted = Instant::now();
                ada.posts(&room, &body).await;
                got.push(stream.next().await);
                assert!(says(&got[turn], &body));
                assert!(posted.elapsed() < AT_ONCE, "{upstream:?}: a frame took {:?}", posted.elapsed());
                if turn % 3 == 2 {
                    let cursor = stream.last_event_id().to_owned();
                    drop(stream);
                    stream = far.opening(&path).last_event_id(&cursor).open().await;
                    assert_eq!(stream.hello().await["resumed"], true);
                }
            }
            let mut log = opens(&far, &format!("{path}?after={before}")).await;
            let log = until_said(&mut log, &format!("9 {}", "x".repeat(3_600))).await;
            assert_same(&log, &got);
            let mut rest = opens(&far, &format!("{path}?after={}", got[4].cursor())).await;
            assert_rest(
                &log,
                got[4].cursor(),
                &until_said(&mut rest, &format!("9 {}", "x".repeat(3_600))).await,
            );
        }
    }
}

#[tokio::test]
async fn the_end_of_a_stream_passes_a_proxy_whole() {
    let mut server = Server::start().await;
    for upstream in [Upstream::AsItComes, Upstream::KeptAlive] {
        let Some(nginx) = Nginx::before(server.address(), upstream).await else { return };
        let name = format!("ada-{upstream:?}").to_lowercase();
        let ada = server.register(&name).await;
        let phone = server.sign_in(&name).await.through(nginx.address);
        let mut stream = opens(&phone, "/v1/events").await;
        ada.delete(&format!("/v1/sessions/{}", phone.session)).await.ok(204);
        assert_eq!(stream.bye().await, "signed_out");
        let far = ada.through(nginx.address);
        let mut stream = opens(&far, "/v1/events").await;
        let cursor = stream.last_event_id().to_owned();
        let (status, ()) = tokio::join!(server.stop(), async {
            assert_eq!(stream.bye().await, "shutdown");
        });
        assert!(status.success(), "{status}");
        server.restart().await;
        let room = ada.creates_room(&name).await;
        let mut stream = far.opening("/v1/events").last_event_id(&cursor).open().await;
        assert_eq!(stream.hello().await["resumed"], true);
        let joined = stream.next().await;
        assert_eq!((joined.kind(), &joined.data["room"]), ("member.joined", &json!(room.id)));
    }
}

#[tokio::test]
async fn who_leaves_behind_a_proxy_gives_the_place_back() {
    if spread::skips("caps hold for each node") {
        return;
    }
    let server = Server::start_with(&[
        ("PARLOR_LIMITS__ENABLED", "true"),
        ("PARLOR_LIMITS__OPEN_STREAMS_PER_USER", "1"),
        ("PARLOR_LIMITS__STREAM_OPENS_PER_USER", "100000, 1000/s"),
        ("PARLOR_LIMITS__READS_PER_USER", "100000, 1000/s"),
    ])
    .await;
    for upstream in [Upstream::AsItComes, Upstream::KeptAlive] {
        let Some(nginx) = Nginx::before(server.address(), upstream).await else { return };
        let ada = server.register(&format!("ada-{upstream:?}").to_lowercase()).await;
        let far = ada.through(nginx.address);
        for _ in 0..3 {
            wait_for("there is a place", || async { ada.opening("/v1/events").status().await == 200 }).await;
            wait_for("there is a place again", || async {
                let Ok(stream) = far.opening("/v1/events").try_open().await else { return false };
                ada.get("/v1/events").await.problem(429, "too_many_requests");
                drop(stream);
                true
            })
            .await;
        }
        wait_for("the last place is free", || async { ada.opening("/v1/events").status().await == 200 })
            .await;
    }
}

#[tokio::test]
async fn connections_that_a_proxy_keeps_are_not_confused_by_streams_that_left_http() {
    let server = Server::start().await;
    let Some(nginx) = Nginx::before(server.address(), Upstream::KeptAlive).await else { return };
    let ada = server.register("ada").await;
    let far = ada.through(nginx.address);
    let room = ada.creates_room("room").await;
    let mut open = Vec::new();
    for turn in 0..40 {
        // Each answer is held against the document, so one that belongs to another request is noticed.
        let body = format!("turn {turn}");
        far.posts(&room, &body).await;
        let mut stream = opens(&far, "/v1/events").await;
        assert_eq!(far.reads_page(&room, "limit=1").await["items"][0]["body"], body);
        far.get("/v1/users/nobody-of-that-name").await.problem(404, "user_not_found");
        match turn % 4 {
            0 => drop(stream),
            1 => {
                let phone = server.sign_in("ada").await.through(nginx.address);
                let mut ends = opens(&phone, "/v1/events").await;
                far.delete(&format!("/v1/sessions/{}", phone.session)).await.ok(204);
                assert_eq!(ends.bye().await, "signed_out");
            }
            2 => {
                far.posts(&room, "through").await;
                assert!(says(&stream.next().await, "through"));
            }
            _ => open.push(stream),
        }
    }
    far.posts(&room, "the end").await;
    for mut stream in open {
        until_said(&mut stream, "the end").await;
    }
}

#[tokio::test]
async fn only_the_word_of_a_trusted_proxy_says_where_a_reader_is() {
    if spread::skips("caps hold for each node") {
        return;
    }
    for trusted in [true, false] {
        let server = Server::start_with(&[
            ("PARLOR_SERVER__TRUSTED_PROXIES", if trusted { "127.0.0.1" } else { "" }),
            ("PARLOR_LIMITS__ENABLED", "true"),
            ("PARLOR_LIMITS__OPEN_STREAMS_PER_ADDRESS", "1"),
        ])
        .await;
        let Some(nginx) = Nginx::before(server.address(), Upstream::KeptAlive).await else { return };
        let far = server.register("ada").await.through(nginx.address);
        let from = |last: u8| far.opening("/v1/events").from(IpAddr::from([127, 0, 0, last]));
        let _open = from(2).open().await;
        assert_eq!(from(2).status().await, 429, "one each");
        let forged = from(2).header("X-Forwarded-For", "192.0.2.7");
        assert_eq!(forged.status().await, 429, "what the reader says of himself means nothing");
        let other = from(3).status().await;
        assert_eq!(other, if trusted { 200 } else { 429 }, "trusted: {trusted}");
    }
}
