//! How a stream's connection ends, at the bare socket: whole frames, `bye`, the last chunk, the end; and nothing of it lost
//! to a reader who is still sending. And how it ends when the reader does not take it.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use crate::support::log::{assert_rest, now, says, until_said};
use crate::support::{
    DEADLINE, End, EventStream, Frame, Person, Room, Server, Wire, spread, wait_for_within,
};

/// The last things that a stream says when its session is over.
const SIGNED_OUT: &str = "event: bye\ndata: {\"type\":\"bye\",\"reason\":\"signed_out\"}\n\n\r\n0\r\n\r\n";
/// The server closes a socket that takes nothing for this long.
const STALL: Duration = Duration::from_secs(20);
/// What a connection holds on its way (send and receive buffers of both ends), at most, in bytes.
const BUFFERS: usize = 1_000_000;

async fn opens(reader: &Person) -> Wire {
    let head = format!("GET /v1/events HTTP/1.1\nHost: parlor\nAuthorization: Bearer {}\n\n", reader.token());
    let mut wire = Wire::asks(reader.address(), &head).await;
    wire.until("event: hello\n").await;
    wire
}

async fn signs_out(reader: &Person) {
    reader.post("/v1/logout", json!({ "refresh_token": reader.refresh_token })).await.ok(204);
}

/// Long posts from many hands, so many in all.
async fn shout(person: &Person, room: &Room, posts: usize) {
    let padding = "x".repeat(3_900);
    let mut posting = JoinSet::new();
    for hand in 0..16 {
        let (person, room, padding) = (person.clone(), room.clone(), padding.clone());
        posting.spawn(async move {
            for turn in 0..posts / 16 {
                person.posts(&room, &format!("{hand} {turn} {padding}")).await;
            }
        });
    }
    posting.join_all().await;
}

#[tokio::test]
async fn the_end_is_bye_then_the_last_chunk_then_the_end_of_the_connection() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let mut wire = opens(&ada).await;
    signs_out(&ada).await;
    assert_eq!(wire.until_the_end().await, End::Closed);
    assert!(wire.text().ends_with(SIGNED_OUT), "{}", wire.text());
}

#[tokio::test]
async fn a_reader_who_is_still_sending_gets_the_bye_all_the_same() {
    let server = Server::start().await;
    for turn in 0..5 {
        let ada = server.register(&format!("ada-{turn}")).await;
        let mut wire = opens(&ada).await;
        wire.sends(&[b'x'; 2_000]).await;
        signs_out(&ada).await;
        // These meet a server that has said all it had to say. Were they not read, their arrival would be answered by
        // a reset, which throws away whatever the reader has not read yet.
        let mut tick = interval(Duration::from_millis(20));
        for _ in 0..20 {
            tick.tick().await;
            if wire.tries_to_send(&[b'x'; 100]).await.is_err() {
                break;
            }
        }
        assert_eq!(wire.until_the_end().await, End::Closed, "turn {turn}: {}", wire.text());
        assert!(wire.text().ends_with(SIGNED_OUT), "turn {turn}: {}", wire.text());
    }
}

#[tokio::test]
async fn who_never_closes_his_end_is_not_waited_for() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let mut wire = opens(&ada).await;
    signs_out(&ada).await;
    assert_eq!(wire.until_the_end().await, End::Closed);
    // After the drain the server has closed the socket and takes nothing.
    let mut tick = interval(Duration::from_millis(100));
    let gone = async {
        while wire.tries_to_send(b"x").await.is_ok() {
            tick.tick().await;
        }
    };
    timeout(DEADLINE, gone).await.expect("the server closes its end for good");
}

#[tokio::test]
async fn a_half_written_frame_is_finished_before_the_bye() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("loud").await;
    bob.joins(&room).await;
    for receive_buffer in [4_096, 5_000, 6_100, 7_777] {
        let phone = server.sign_in("bob").await;
        let mut stream = phone.opening("/v1/events").receive_buffer(receive_buffer).open().await;
        stream.hello().await;
        shout(&ada, &room, 2 * BUFFERS / 4_000).await;
        signs_out(&phone).await;
        // Every frame is checked as it is read; `bye` also checks that the last chunk follows.
        let frames = stream.until(|frame| frame.event == "bye").await;
        assert_eq!(frames[frames.len() - 1].data["reason"], "signed_out");
        assert!(frames.len() < 2 * BUFFERS / 4_000, "{} frames: it was never behind", frames.len());
        stream.ends().await;
    }
}

/// Reads on after a break without `bye`, as a client does; gives everything up to the post of that body.
async fn resumes(reader: &Person, path: &str, stream: EventStream, body: &str) -> Vec<Frame> {
    let cursor = stream.last_event_id().to_owned();
    drop(stream);
    let deadline = Instant::now() + DEADLINE;
    // The place of the one before may be about to be given back.
    let mut stream = loop {
        match reader.opening(path).last_event_id(&cursor).try_open().await {
            Ok(stream) => break stream,
            Err(refused) => assert!(Instant::now() < deadline, "{refused:?}"),
        }
    };
    assert_eq!(stream.hello().await["resumed"], true);
    until_said(&mut stream, body).await
}

#[tokio::test]
async fn a_reader_who_takes_nothing_for_20_s_is_closed_and_resumes_without_a_gap() {
    if spread::skips("caps hold for each node") {
        return;
    }
    let caps = [
        ("PARLOR_LIMITS__ENABLED", "true"),
        ("PARLOR_LIMITS__OPEN_STREAMS_PER_USER", "1"),
        ("PARLOR_LIMITS__STREAM_OPENS_PER_USER", "100000, 1000/s"),
        ("PARLOR_LIMITS__READS_PER_USER", "100000, 1000/s"),
        ("PARLOR_LIMITS__POST_PER_USER", "100000, 10000/s"),
        ("PARLOR_LIMITS__POST_PER_ROOM", "100000, 10000/s"),
    ];
    let server = Server::start_with(&caps).await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("loud").await;
    bob.joins(&room).await;
    let before = now(&bob).await;
    let mut stream = bob.opening("/v1/events").receive_buffer(4_096).open().await;
    stream.hello().await;
    let begun = Instant::now();
    shout(&ada, &room, 2 * BUFFERS / 4_000).await;
    let shouted = Instant::now();
    bob.get("/v1/events").await.problem(429, "too_many_requests");
    wait_for_within(
        STALL + DEADLINE,
        || "the stalled stream is closed".into(),
        || async { bob.opening("/v1/events").status().await == 200 },
    )
    .await;
    assert!(begun.elapsed() >= STALL, "closed after {:?} already", begun.elapsed());
    println!("closed {:?} after the last post", shouted.elapsed());
    ada.posts(&room, "the end").await;

    // What was on its way is still there, to the middle of a frame; then it breaks off without a bye.
    let mut frames = Vec::new();
    while let Some(frame) = timeout(DEADLINE, stream.try_next()).await.expect("there is more, or an end") {
        assert_ne!(frame.event, "bye", "there was no room for it");
        frames.extend((frame.event != "ping").then_some(frame));
    }
    assert!(matches!(stream.end(), Some(Err(_))), "{:?}", stream.end());
    assert!(frames.len() < 2 * BUFFERS / 4_000, "{} frames: it was never behind", frames.len());
    frames.extend(resumes(&bob, "/v1/events", stream, "the end").await);

    // Somebody else's, as bob has one place only.
    let mut log = ada.streams_after(&before).await;
    log.hello().await;
    let log = until_said(&mut log, "the end").await;
    assert_rest(&log, frames[0].cursor(), &frames[1..]);
    assert_eq!(log[0].id, frames[0].id);
}

/// A reader who takes a little now and then, and so is always behind, but never stalled.
async fn trickles(stream: &mut EventStream, until: impl Fn(&Frame) -> bool) -> Vec<Frame> {
    let mut tick = interval(Duration::from_millis(100));
    let mut frames = Vec::new();
    loop {
        tick.tick().await;
        let frame = timeout(DEADLINE, stream.try_next()).await.expect("there is more");
        let frame = frame.unwrap_or_else(|| panic!("broken off: {:?}", stream.end()));
        let is_last = until(&frame);
        frames.push(frame);
        if is_last {
            return frames;
        }
    }
}

#[tokio::test]
async fn a_reader_who_stays_behind_gets_bye_slow_and_resumes_without_a_gap() {
    let server = Server::start_with(&[("PARLOR_STREAMS__SLOW_SECONDS", "2")]).await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("loud").await;
    for path in [format!("/v1/rooms/{}/events", room.id), "/v1/events".to_owned()] {
        let before = now(&ada).await;
        let mut stream = ada.opening(&path).receive_buffer(4_096).open().await;
        stream.hello().await;
        let begun = Instant::now();
        shout(&ada, &room, 8 * BUFFERS / 4_000).await;
        let mut frames = trickles(&mut stream, |frame| frame.event == "bye").await;
        let bye = frames.pop().expect("a bye");
        assert_eq!(bye.data["reason"], "slow");
        assert!(bye.data["retry_seconds"].is_u64(), "he may come back: {bye:?}");
        assert!(begun.elapsed() >= Duration::from_secs(2), "cut off after {:?}", begun.elapsed());
        stream.ends().await;
        ada.posts(&room, "the end").await;
        frames.retain(|frame| frame.event.is_empty());
        frames.extend(resumes(&ada, &path, stream, "the end").await);
        let mut log = ada.opening(&format!("{path}?after={before}")).open().await;
        log.hello().await;
        let log = until_said(&mut log, "the end").await;
        assert_eq!(log[0].id, frames[0].id);
        assert_rest(&log, frames[0].cursor(), &frames[1..]);
    }
}

#[tokio::test]
async fn a_reader_who_was_behind_and_caught_up_in_time_stays() {
    let server = Server::start_with(&[("PARLOR_STREAMS__SLOW_SECONDS", "9")]).await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("loud").await;
    let mut stream = ada.opening("/v1/events").receive_buffer(4_096).open().await;
    stream.hello().await;
    let begun = Instant::now();
    let mut turn = 0;
    // Behind again and again, for longer in all than a slow reader may be.
    while begun.elapsed() < Duration::from_secs(12) {
        shout(&ada, &room, 2 * BUFFERS / 4_000).await;
        turn += 1;
        ada.posts(&room, &format!("turn {turn}")).await;
        until_said(&mut stream, &format!("turn {turn}")).await;
    }
    assert!(turn > 1, "only {turn} turn: the machine is too slow to show anything");
}

#[tokio::test]
async fn pings_come_only_where_it_was_quiet() {
    let server = Server::start_with(&[("PARLOR_STREAMS__HEARTBEAT_SECONDS", "2")]).await;
    let ada = server.register("ada").await;
    let (loud, quiet) = (ada.creates_room("loud").await, ada.creates_room("quiet").await);
    let mut busy = ada.streams(&loud).await;
    let mut idle = ada.streams(&quiet).await;
    busy.hello().await;
    idle.hello().await;
    let begun = Instant::now();
    let mut tick = interval(Duration::from_millis(250));
    for post in 0..24 {
        tick.tick().await;
        let body = format!("post {post}");
        ada.posts(&loud, &body).await;
        let frame = timeout(DEADLINE, busy.try_next()).await.unwrap().expect("it goes on");
        assert!(says(&frame, &body), "not the post: {frame:?}");
    }
    let talked = begun.elapsed();
    let mut pings = 0;
    let last = ada.posts(&quiet, "now").await;
    loop {
        let frame = timeout(DEADLINE, idle.try_next()).await.unwrap().expect("it goes on");
        match frame.event.as_str() {
            "ping" => pings += 1,
            _ => break assert_eq!(frame.data["message"]["id"], last["id"]),
        }
    }
    let expected = talked.as_secs() / 2;
    assert!((expected - 1..=expected + 1).contains(&pings), "{pings} pings in {talked:?}");
    // And once the loud one falls silent, it pings, too.
    let silent = Instant::now();
    let ping = timeout(DEADLINE, busy.try_next()).await.unwrap().expect("it goes on");
    assert_eq!(ping.event, "ping");
    let waited = silent.elapsed();
    assert!((Duration::from_secs(1)..Duration::from_secs(5)).contains(&waited), "{waited:?}");
}
