//! Where a stream starts: the first frames, resuming at any cursor, cursors that mean nothing, bounds of the replay.

use serde_json::{Value, json};

use crate::support::cursor::of_event;
use crate::support::log::{assert_dense, assert_rest, assert_same, now, says, until_said};
use crate::support::{EventStream, Frame, Person, Room, Server, place, spread, wait_for};

/// A room in which something of every kind has happened, by and to others, and the cursor before it.
async fn a_lively_room(server: &Server) -> (Person, Room, String) {
    let ada = server.register("ada").await;
    let bob = server.register("bob").await;
    let before = now(&ada).await;
    let room = ada.creates_room("lively").await;
    for turn in 0..6 {
        ada.posts(&room, &format!("ada {turn}")).await;
        bob.joins(&room).await;
        bob.posts(&room, &format!("bob {turn}")).await;
        bob.patch("/v1/users/me", json!({ "display_name": format!("Bob {turn}") })).await.ok(200);
        ada.patch(&format!("/v1/rooms/{}", room.id), json!({ "topic": format!("turn {turn}") }))
            .await
            .ok(200);
        bob.leaves(&room).await;
    }
    ada.posts(&room, "the end").await;
    (ada, room, before)
}

async fn whole(mut stream: EventStream) -> Vec<Frame> {
    stream.hello().await;
    until_said(&mut stream, "the end").await
}

#[tokio::test]
async fn a_stream_opens_with_its_headers_then_retry_then_hello() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("quiet").await;
    for path in [format!("/v1/rooms/{}/events", room.id), "/v1/events".to_owned()] {
        // `open` looks at status, content type, caching and framing.
        let mut stream = ada.opening(&path).header("Accept-Encoding", "gzip, br").open().await;
        assert_eq!(stream.head.header("x-accel-buffering"), "no");
        assert_eq!(stream.head.header("connection"), "close");
        assert_eq!(stream.head.header("content-encoding"), "", "streams are never compressed");
        assert_eq!(stream.head.header("content-length"), "");
        assert_ne!(stream.head.header("x-request-id"), "");
        // `hello` looks at `retry` before it.
        let hello = stream.hello().await;
        assert_eq!(hello["type"], "hello");
        assert_eq!(hello["heartbeat_seconds"], 15);
        assert_eq!(hello["resumed"], false);
        assert!(hello["expires_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{hello}");
        assert_eq!(place(&server, &hello).await, of_event(&server, &now(&ada).await).await, "from now");
        assert_eq!(hello["reason"], Value::Null);
    }
}

#[tokio::test]
async fn a_stream_resumes_at_every_cursor_with_exactly_the_rest() {
    let server = Server::start().await;
    let (ada, room, before) = a_lively_room(&server).await;
    let in_room = whole(ada.streams_from(&room, &before).await).await;
    let everywhere = whole(ada.streams_after(&before).await).await;

    let kinds: std::collections::BTreeSet<_> = in_room.iter().map(Frame::kind).collect();
    let wanted =
        ["member.joined", "member.left", "member.updated", "message.posted", "room.created", "room.updated"];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), wanted);
    assert_eq!(in_room[0].data["seq"], 1);
    assert_dense(&in_room, &ada);
    // The own stream begins with the own join; before it there is only the making of the room.
    assert_same(&in_room[1..], &everywhere);

    let paths = [(format!("/v1/rooms/{}/events", room.id), &in_room), ("/v1/events".to_owned(), &everywhere)];
    for (path, all) in paths {
        for (index, frame) in all.iter().enumerate() {
            let cursor = frame.cursor();
            let mut by_query = ada.opening(&format!("{path}?after={cursor}")).open().await;
            let mut by_header = ada.opening(&path).last_event_id(cursor).open().await;
            for stream in [&mut by_query, &mut by_header] {
                let hello = stream.hello().await;
                assert_eq!((&hello["cursor"], &hello["resumed"]), (&json!(cursor), &json!(true)));
            }
            if index + 1 == all.len() {
                // Nothing is left: what comes next happens later.
                ada.posts(&room, "afterwards").await;
                for mut stream in [by_query, by_header] {
                    assert!(says(&stream.next().await, "afterwards"));
                }
                continue;
            }
            for mut stream in [by_query, by_header] {
                assert_rest(all, cursor, &until_said(&mut stream, "the end").await);
                assert_eq!(stream.last_event_id(), all[all.len() - 1].cursor());
            }
        }
    }
}

#[tokio::test]
async fn of_two_cursors_the_later_counts_and_a_good_last_event_id_overrules_a_bad_after() {
    let server = Server::start().await;
    let (ada, room, before) = a_lively_room(&server).await;
    let all = whole(ada.streams_from(&room, &before).await).await;
    let (early, late) = (all[4].cursor(), all[20].cursor());
    let path = |after: &str| format!("/v1/rooms/{}/events?after={after}", room.id);
    for (after, last_event_id, expected) in
        [(early, late, late), (late, early, late), ("nonsense", early, early), ("", late, late)]
    {
        let mut stream = ada.opening(&path(after)).last_event_id(last_event_id).open().await;
        let hello = stream.hello().await;
        assert_eq!((&hello["cursor"], &hello["resumed"]), (&json!(expected), &json!(true)));
        assert_rest(&all, expected, &until_said(&mut stream, "the end").await);
    }
    // The other way round the client's own last word means nothing here: going on from `after` could repeat or skip.
    let mut stream = ada.opening(&path(early)).last_event_id("nonsense").open().await;
    assert_eq!(stream.reset().await["reason"], "unknown_cursor");
}

#[tokio::test]
async fn a_cursor_that_means_nothing_here_is_answered_by_a_reset_and_the_stream_goes_on() {
    let server = Server::start().await;
    let elsewhere = Server::start().await;
    let (ada, room, _) = a_lively_room(&server).await;
    let foreign = now(&elsewhere.register("eve").await).await;
    let good = now(&ada).await;
    let forged = |at: usize| {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let long = "A".repeat(4_000);
    let bad = [
        "",
        "0",
        "nonsense",
        "AAAAAAAAAAAAAAAAAAAAAA",
        "%00%0D%0Aid:%201",
        "%F0%9F%99%82",
        "-1",
        "null",
        &foreign,
        &forged(0),
        &forged(10),
        &forged(20),
        &format!("{good}A"),
        &good[1..],
        &long,
    ]
    .map(str::to_owned);
    for (index, cursor) in bad.iter().enumerate() {
        let end = format!("after {index}");
        for path in [format!("/v1/rooms/{}/events", room.id), "/v1/events".to_owned()] {
            let mut stream = ada.opening(&format!("{path}?after={cursor}")).open().await;
            let reset = stream.reset().await;
            assert_eq!(reset["reason"], "unknown_cursor", "{cursor}");
            assert_eq!(reset["resumed"], false);
            let latest = of_event(&server, &now(&ada).await).await;
            assert_eq!(place(&server, &reset).await, latest, "the stream goes on from now");
            let said = ada.posts(&room, &end).await;
            assert_eq!(stream.next().await.data["message"], said, "{cursor}");
        }
    }
    for value in ["nonsense", foreign.as_str(), "Zürich", "🙂"] {
        let mut stream = ada.opening("/v1/events").last_event_id(value).open().await;
        assert_eq!(stream.reset().await["reason"], "unknown_cursor", "{value}");
    }
    let mut stream = ada.opening("/v1/events").last_event_id(&good).open().await;
    assert_eq!(stream.hello().await["resumed"], true, "and the good one is good");
}

#[tokio::test]
async fn max_replay_counts_the_events_that_this_stream_would_carry() {
    let server = Server::start().await;
    let (ada, room, before) = a_lively_room(&server).await;
    let cyd = server.register("cyd").await;
    let other = cyd.creates_room("elsewhere").await;
    let start = now(&ada).await;
    for turn in 0..5 {
        ada.posts(&room, &format!("counted {turn}")).await;
        cyd.posts(&other, "not ada's").await;
    }
    for path in [format!("/v1/rooms/{}/events", room.id), "/v1/events".to_owned()] {
        for (cursor, most, resumes) in
            [(&start, 5, true), (&start, 4, false), (&before, 20, false), (&start, 0, false)]
        {
            let mut stream = ada.opening(&format!("{path}?after={cursor}&max_replay={most}")).open().await;
            if resumes {
                stream.hello().await;
                assert_eq!(stream.until(|frame| says(frame, "counted 4")).await.len(), 5);
            } else {
                let reset = stream.reset().await;
                assert_eq!(reset["reason"], "max_replay");
                assert_eq!(place(&server, &reset).await, of_event(&server, &now(&ada).await).await);
            }
        }
        let latest = now(&ada).await;
        let mut stream = ada.opening(&format!("{path}?after={latest}&max_replay=0")).open().await;
        assert_eq!(stream.hello().await["resumed"], true, "there is nothing to replay");
        for bad in ["-1", "many", "1.5"] {
            ada.get(&format!("{path}?max_replay={bad}")).await.problem(400, "invalid_parameter");
        }
    }
}

#[tokio::test]
async fn streams_beyond_the_cap_are_refused_and_one_that_ends_gives_its_place_back() {
    if spread::skips("caps hold for each node") {
        return;
    }
    let caps = [("PARLOR_LIMITS__ENABLED", "true"), ("PARLOR_LIMITS__OPEN_STREAMS_PER_USER", "2")];
    let server = Server::start_with(&caps).await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("crowded").await;
    let mut first = ada.streams(&room).await;
    let mut second = ada.streams_all().await;
    first.hello().await;
    second.hello().await;
    ada.get("/v1/events").await.problem(429, "too_many_requests");
    ada.get(&format!("/v1/rooms/{}/events", room.id)).await.problem(429, "too_many_requests");
    let said = ada.posts(&room, "both hear this").await;
    assert_eq!(first.next().await, second.next().await, "two streams of one person get the same");
    assert_eq!(said["body"], "both hear this");

    drop(first);
    let path = "/v1/events".to_owned();
    wait_for("the place is free again", || async { ada.opening(&path).status().await == 200 }).await;
    second.half_closes().await;
}

#[tokio::test]
async fn a_stream_opens_for_members_alone() {
    let server = Server::start().await;
    let (ada, eve) = (server.register("ada").await, server.register("eve").await);
    let open = ada.creates_room("open").await;
    let hidden = ada.creates_private_room("hidden").await;
    ada.streams(&hidden).await.hello().await;
    let events = |room: &str| format!("/v1/rooms/{room}/events");
    eve.get(&events(&open.id)).await.problem(403, "not_a_member");
    eve.get(&events(&hidden.id)).await.problem(404, "room_not_found");
    eve.get(&events("hidden")).await.problem(404, "room_not_found");
    server.anonymous().get("/v1/events").await.problem(401, "unauthenticated");
    server.anonymous().get(&events(&open.id)).await.problem(401, "unauthenticated");
    ada.streams("open").await.hello().await;
}
