//! How a stream lives and ends: pings while it is quiet, and for each reason a `bye` that names it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::log::says;
use crate::support::{DEADLINE, EventStream, PASSWORD, Server, spread};

/// The stream says that the session is over, within a second of the answer that ended it.
async fn is_signed_out(mut stream: EventStream) {
    let answered = Instant::now();
    let bye = stream.next().await;
    assert!(answered.elapsed() < Duration::from_secs(1), "it took {:?}", answered.elapsed());
    assert_eq!(bye.data, json!({ "type": "bye", "reason": "signed_out" }), "and no word of coming back");
    stream.ends().await;
}

async fn opened(mut stream: EventStream) -> EventStream {
    stream.hello().await;
    stream
}

#[tokio::test]
async fn a_quiet_stream_pings() {
    let server = Server::start_with(&[("PARLOR_STREAMS__HEARTBEAT_SECONDS", "1")]).await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("quiet").await;
    for mut stream in [ada.streams(&room).await, ada.streams_all().await] {
        let hello = stream.hello().await;
        assert_eq!(hello["heartbeat_seconds"], 1);
        for _ in 0..2 {
            let ping = tokio::time::timeout(DEADLINE, stream.try_next()).await.unwrap().unwrap();
            assert_eq!((ping.event.as_str(), ping.kind(), &ping.id), ("ping", "ping", &None));
            assert!(ping.data["at"].as_str().is_some_and(|at| at.len() == 27), "{ping:?}");
        }
        assert_eq!(stream.last_event_id(), hello["cursor"], "a ping does not move the cursor");
    }
}

#[tokio::test]
async fn a_stream_ends_with_the_newest_token_of_its_session() {
    let server = Server::start_with(&[("PARLOR_AUTH__ACCESS_TOKEN_SECONDS", "2")]).await;
    let mut ada = server.register("ada").await;
    let room = ada.creates_room("short").await;
    let mut adas = opened(ada.streams(&room).await).await;
    let bob = server.register("bob").await;
    let mut bobs = bob.streams_all().await;
    let until = bobs.hello().await["expires_at"].as_str().unwrap().to_owned();
    // Tokens count whole seconds: refresh until ada's is good for longer than bob's.
    loop {
        ada.refreshes().await;
        if ada.streams(&room).await.hello().await["expires_at"].as_str().unwrap() > until.as_str() {
            break;
        }
    }
    let bye = bobs.next().await;
    assert_eq!((bye.kind(), &bye.data["reason"]), ("bye", &json!("expired")));
    assert!(bye.data["retry_seconds"].is_u64(), "refresh and come back: {bye:?}");
    bobs.ends().await;
    bob.get("/v1/events").await.problem(401, "unauthenticated");
    ada.posts(&room, "ada refreshed").await;
    assert!(says(&adas.next().await, "ada refreshed"), "the first token of hers is over, the session is not");
    assert_eq!(adas.bye().await, "expired", "nor does it last for ever");
}

#[tokio::test]
async fn signing_out_ends_the_streams_of_that_session_alone() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("home").await;
    let phone = server.sign_in("ada").await;
    let mut stays = opened(ada.streams(&room).await).await;
    let (one, all) = (opened(phone.streams(&room).await).await, opened(phone.streams_all().await).await);
    phone.post("/v1/logout", json!({ "refresh_token": phone.refresh_token })).await.ok(204);
    is_signed_out(one).await;
    is_signed_out(all).await;
    phone.get("/v1/events").await.problem(401, "unauthenticated");

    let tablet = server.sign_in("ada").await;
    let stream = opened(tablet.streams_all().await).await;
    ada.delete(&format!("/v1/sessions/{}", tablet.session)).await.ok(204);
    is_signed_out(stream).await;
    ada.posts(&room, "still here").await;
    assert!(says(&stays.next().await, "still here"));
}

#[tokio::test]
async fn a_stolen_refresh_token_ends_the_session_and_its_streams() {
    let server = Server::start().await;
    let mut ada = server.register("ada").await;
    let stolen = ada.refresh_token.clone();
    let stream = opened(ada.streams_all().await).await;
    ada.refreshes().await;
    ada.refreshes().await;
    ada.post("/v1/refresh", json!({ "refresh_token": stolen })).await.problem(401, "invalid_refresh_token");
    is_signed_out(stream).await;
}

#[tokio::test]
async fn a_new_password_ends_the_streams_of_all_other_sessions() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let other = server.sign_in("ada").await;
    let room = ada.creates_room("home").await;
    let mut stays = opened(ada.streams(&room).await).await;
    let ends = opened(other.streams(&room).await).await;
    let passwords = json!({ "current_password": PASSWORD, "new_password": "another horse battery staple" });
    ada.put("/v1/users/me/password", passwords).await.ok(204);
    is_signed_out(ends).await;
    ada.posts(&room, "still here").await;
    assert!(says(&stays.next().await, "still here"));
}

#[tokio::test]
async fn a_server_that_stops_says_when_to_come_back() {
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("home").await;
    let streams = [opened(ada.streams(&room).await).await, opened(ada.streams_all().await).await];
    let stopping = tokio::spawn(async move {
        let status = server.stop().await;
        (server, status)
    });
    for mut stream in streams {
        let bye = stream.next().await;
        assert_eq!((bye.kind(), &bye.data["reason"]), ("bye", &json!("shutdown")));
        let retry_seconds = bye.data["retry_seconds"].as_u64().unwrap();
        assert!((2..=15).contains(&retry_seconds), "{bye:?}");
        assert!((2_000..=15_000).contains(&stream.retry()), "a plain EventSource is told, too");
        stream.ends().await;
    }
    let (mut server, status) = stopping.await.unwrap();
    assert!(status.success(), "{status}");
    server.restart().await;
    ada.streams(&room).await.hello().await;
}

#[tokio::test]
async fn a_reader_who_closes_his_half_is_let_go() {
    if spread::skips("caps hold for each node") {
        return;
    }
    let caps = [("PARLOR_LIMITS__ENABLED", "true"), ("PARLOR_LIMITS__OPEN_STREAMS_PER_USER", "1")];
    let server = Server::start_with(&caps).await;
    let ada = server.register("ada").await;
    let mut stream = opened(ada.streams_all().await).await;
    ada.get("/v1/events").await.problem(429, "too_many_requests");
    stream.half_closes().await;
    crate::support::wait_for("the place is free", || async {
        ada.opening("/v1/events").status().await == 200
    })
    .await;
}
