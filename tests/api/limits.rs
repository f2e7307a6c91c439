//! Rates: a person who asks too often is told when to come back, and nobody else notices.

use serde_json::json;

use crate::support::{Answer, PASSWORD, Server, check_exchange, spread, wait_for};

/// A rate of two at once, and then nothing for longer than a test lasts.
const TWICE: &str = "2, 1/h";

/// A server with limits on. Only the rates in `narrow` can be reached by a test.
async fn limited(narrow: &[(&str, &str)]) -> Server {
    let wide = "1000, 1000/s";
    let mut env = vec![("PARLOR_LIMITS__ENABLED", "true")];
    let rates = [
        "PARLOR_LIMITS__LOGIN_PER_ACCOUNT",
        "PARLOR_LIMITS__LOGIN_PER_ADDRESS",
        "PARLOR_LIMITS__REGISTER_PER_ADDRESS",
        "PARLOR_LIMITS__REFRESH_PER_SESSION",
        "PARLOR_LIMITS__POST_PER_USER",
        "PARLOR_LIMITS__POST_PER_ROOM",
        "PARLOR_LIMITS__EDIT_PER_USER",
        "PARLOR_LIMITS__REACT_PER_USER",
        "PARLOR_LIMITS__JOIN_PER_USER",
        "PARLOR_LIMITS__ROOMS_PER_USER",
        "PARLOR_LIMITS__MARK_PER_USER",
        "PARLOR_LIMITS__READS_PER_USER",
        "PARLOR_LIMITS__STREAM_OPENS_PER_USER",
        "PARLOR_LIMITS__STREAM_OPENS_PER_NODE",
    ];
    env.extend(rates.map(|name| (name, wide)));
    env.extend(narrow);
    Server::start_with(&env).await
}

#[track_caller]
fn is_told_to_wait(answer: Answer) {
    let seconds: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!(seconds > 1_000 && seconds <= 3_600, "{seconds}");
    answer.problem(429, "too_many_requests");
}

#[tokio::test]
async fn registering_is_limited_by_address() {
    if spread::skips("rates hold for each node") {
        return;
    }
    let server = limited(&[("PARLOR_LIMITS__REGISTER_PER_ADDRESS", TWICE)]).await;
    server.register("ada").await;
    server.register("bob").await;
    let body = json!({ "username": "eve", "password": PASSWORD });
    is_told_to_wait(server.anonymous().post("/v1/users", body).await);
    server.sign_in("ada").await;
}

#[tokio::test]
async fn signing_in_is_limited_by_account_whether_there_is_one_or_not() {
    if spread::skips("rates hold for each node") {
        return;
    }
    let server = limited(&[("PARLOR_LIMITS__LOGIN_PER_ACCOUNT", TWICE)]).await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let tries = |name: &'static str| {
        let stranger = server.anonymous();
        async move { stranger.post("/v1/login", json!({ "username": name, "password": "wrong" })).await }
    };
    tries("ada").await.problem(401, "wrong_credentials");
    tries("nobody").await.problem(401, "wrong_credentials");
    tries("nobody").await.problem(401, "wrong_credentials");
    let (known, unknown) = (tries("ADA").await, tries("nobody").await);
    assert_eq!(known.but_for_its_id().2, unknown.but_for_its_id().2);
    is_told_to_wait(known);
    is_told_to_wait(unknown);
    tries("bob").await.problem(401, "wrong_credentials");
    ada.get("/v1/users/me").await.ok(200);
    bob.get("/v1/users/me").await.ok(200);
}

#[tokio::test]
async fn signing_in_is_limited_by_address() {
    if spread::skips("rates hold for each node") {
        return;
    }
    let server = limited(&[("PARLOR_LIMITS__LOGIN_PER_ADDRESS", TWICE)]).await;
    server.register("ada").await;
    let stranger = server.anonymous();
    let tries =
        |name: &'static str| stranger.post("/v1/login", json!({ "username": name, "password": "wrong" }));
    tries("bob").await.problem(401, "wrong_credentials");
    tries("eve").await.problem(401, "wrong_credentials");
    is_told_to_wait(tries("mallory").await);
    // Ada signed in from here before, so she does not pay for the failures of others.
    server.sign_in("ada").await;
}

#[tokio::test]
async fn each_person_posts_at_their_own_rate() {
    if spread::skips("rates hold for each node") {
        return;
    }
    let server = limited(&[("PARLOR_LIMITS__POST_PER_USER", TWICE)]).await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    ada.posts(&room, "one").await;
    ada.posts(&room, "two").await;
    let path = format!("/v1/rooms/{}/messages", room.id);
    is_told_to_wait(ada.post(&path, json!({ "body": "three" })).await);
    bob.posts(&room, "three").await;
    assert_eq!(ada.reads(&room).await["items"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn editing_and_reacting_have_rates_of_their_own() {
    if spread::skips("rates hold for each node") {
        return;
    }
    let rates =
        ["EDIT_PER_USER", "REACT_PER_USER", "READS_PER_USER"].map(|name| format!("PARLOR_LIMITS__{name}"));
    let server = limited(&rates.each_ref().map(|name| (name.as_str(), TWICE))).await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    let message = ada.posts(&room, "hello").await;
    let path = format!("/v1/rooms/{}/messages/{}", room.id, message["id"].as_str().unwrap());
    let (pin, thumb) = (format!("{path}/pin"), format!("{path}/reactions/%F0%9F%91%8D"));
    let edit = |n: usize| json!({ "body": format!("hello {n}") });
    ada.patch(&path, edit(1)).await.ok(200);
    ada.put_nothing(&pin).await.ok(204);
    is_told_to_wait(ada.patch(&path, edit(2)).await);
    is_told_to_wait(ada.delete(&path).await);
    is_told_to_wait(ada.put_nothing(&pin).await);
    is_told_to_wait(ada.delete(&pin).await);
    ada.put_nothing(&thumb).await.ok(200);
    ada.delete(&thumb).await.ok(204);
    is_told_to_wait(ada.put_nothing(&thumb).await);
    is_told_to_wait(ada.delete(&thumb).await);
    ada.posts(&room, "still here").await;
    bob.put_nothing(&thumb).await.ok(200);
    // None of it was a read; these are.
    ada.get(&format!("{path}/reactions")).await.ok(200);
    ada.get(&format!("{path}/replies")).await.ok(200);
    is_told_to_wait(ada.get(&format!("/v1/rooms/{}/pins", room.id)).await);
}

#[tokio::test]
async fn each_room_takes_posts_at_its_own_rate_from_its_members() {
    if spread::skips("rates hold for each node") {
        return;
    }
    let server = limited(&[("PARLOR_LIMITS__POST_PER_ROOM", TWICE)]).await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let (lobby, hall) = (ada.creates_room("lobby").await, ada.creates_room("hall").await);
    let path = format!("/v1/rooms/{}/messages", lobby.id);
    for _ in 0..5 {
        bob.post(&path, json!({ "body": "from outside" })).await.problem(403, "not_a_member");
    }
    bob.joins(&lobby).await;
    ada.posts(&lobby, "one").await;
    bob.posts("lobby", "two").await;
    is_told_to_wait(ada.post(&path, json!({ "body": "three" })).await);
    is_told_to_wait(bob.post("/v1/rooms/lobby/messages", json!({ "body": "three" })).await);
    ada.posts(&hall, "elsewhere").await;
}

#[tokio::test]
async fn joining_reading_refreshing_and_streaming_are_limited() {
    if spread::skips("rates hold for each node") {
        return;
    }
    let server = limited(&[
        ("PARLOR_LIMITS__JOIN_PER_USER", TWICE),
        ("PARLOR_LIMITS__READS_PER_USER", TWICE),
        ("PARLOR_LIMITS__REFRESH_PER_SESSION", TWICE),
        ("PARLOR_LIMITS__STREAM_OPENS_PER_USER", TWICE),
    ])
    .await;
    let (mut ada, bob) = (server.register("ada").await, server.register("bob").await);
    let (lobby, hall) = (ada.creates_room("lobby").await, ada.creates_room("hall").await);
    is_told_to_wait(ada.post("/v1/rooms", json!({ "name": "attic" })).await);
    bob.joins(&lobby).await;
    bob.joins(&hall).await;
    is_told_to_wait(bob.post_nothing("/v1/rooms/lobby/join").await);

    ada.reads(&lobby).await;
    ada.sees(&lobby).await;
    is_told_to_wait(ada.get("/v1/users/me").await);
    let (_one, _two) = (ada.streams(&lobby).await, ada.streams_all().await);
    is_told_to_wait(ada.get("/v1/events").await);
    ada.refreshes().await;
    ada.refreshes().await;
    is_told_to_wait(ada.post("/v1/refresh", json!({ "refresh_token": ada.refresh_token })).await);
}

#[tokio::test]
async fn signing_out_and_ending_sessions_are_limited_within_one_session() {
    if spread::skips("rates hold for each node") {
        return;
    }
    let server =
        limited(&[("PARLOR_LIMITS__REFRESH_PER_SESSION", TWICE), ("PARLOR_LIMITS__POST_PER_USER", TWICE)])
            .await;
    let thief = server.register("ada").await;
    let ada = server.sign_in("ada").await;
    for _ in 0..2 {
        let unknown = format!("/v1/sessions/{}", parlor::domain::ids::Ids::SYSTEM.session());
        thief.delete(&unknown).await.problem(404, "session_not_found");
    }
    let end_of_ada = format!("/v1/sessions/{}", ada.session);
    is_told_to_wait(thief.delete(&end_of_ada).await);
    // What was done in another session does not keep the person from ending it.
    ada.delete(&format!("/v1/sessions/{}", thief.session)).await.ok(204);
    thief.get("/v1/users/me").await.problem(401, "unauthenticated");

    // Each session can be signed out, and again after a lost answer.
    ada.post_nothing("/v1/logout").await.ok(204);
    ada.post_nothing("/v1/logout").await.ok(204);
    is_told_to_wait(ada.post_nothing("/v1/logout").await);
    server.sign_in("ada").await.post_nothing("/v1/logout").await.ok(204);
}

#[tokio::test]
async fn a_new_password_that_is_refused_and_the_head_of_a_stream_count_as_reads() {
    if spread::skips("rates hold for each node") {
        return;
    }
    let server = limited(&[("PARLOR_LIMITS__READS_PER_USER", TWICE)]).await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let change = json!({ "current_password": PASSWORD, "new_password": "password1234" });
    for _ in 0..2 {
        ada.put("/v1/users/me/password", change.clone()).await.problem(422, "password_too_common");
    }
    is_told_to_wait(ada.put("/v1/users/me/password", change).await);
    let heads = || bob.request(reqwest::Method::HEAD, "/v1/events", None, &[]);
    assert_eq!([heads().await.status, heads().await.status, heads().await.status], [200, 200, 429]);
}

#[tokio::test]
async fn rooms_are_made_and_streams_opened_at_rates_of_their_own() {
    if spread::skips("rates hold for each node") {
        return;
    }
    let server = limited(&[
        ("PARLOR_LIMITS__ROOMS_PER_USER", TWICE),
        ("PARLOR_LIMITS__STREAM_OPENS_PER_NODE", "3, 1/h"),
    ])
    .await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    ada.creates_room("lobby").await;
    for _ in 0..3 {
        ada.post("/v1/rooms", json!({ "name": "lobby" })).await.problem(409, "room_name_taken");
    }
    ada.creates_room("hall").await;
    is_told_to_wait(ada.post("/v1/rooms", json!({ "name": "attic" })).await);
    bob.creates_room("attic").await;
    // A stream that is not opened takes nothing from what all people share.
    for _ in 0..4 {
        bob.get("/v1/rooms/lobby/events").await.problem(403, "not_a_member");
    }
    bob.joins("lobby").await;

    let _open = (ada.streams("lobby").await, ada.streams_all().await, bob.streams("lobby").await);
    is_told_to_wait(bob.get("/v1/events").await);
    is_told_to_wait(ada.get("/v1/rooms/lobby/events").await);
    bob.reads("lobby").await;
}

#[tokio::test]
async fn open_streams_have_a_cap_for_each_person_room_address_and_node() {
    if spread::skips("caps hold for each node") {
        return;
    }
    for (cap, is_of_the_room, is_of_the_person) in [
        ("PARLOR_LIMITS__OPEN_STREAMS_PER_ROOM_AND_USER", true, true),
        ("PARLOR_LIMITS__OPEN_STREAMS_PER_USER", false, true),
        ("PARLOR_LIMITS__OPEN_STREAMS_PER_ADDRESS", false, false),
        ("PARLOR_LIMITS__OPEN_STREAMS_PER_NODE", false, false),
    ] {
        let server = limited(&[(cap, "2")]).await;
        let (ada, bob) = (server.register("ada").await, server.register("bob").await);
        let (lobby, hall) = (ada.creates_room("lobby").await, ada.creates_room("hall").await);
        bob.joins(&lobby).await;
        let open = (ada.streams(&lobby).await, ada.streams("lobby").await);
        let refused = ada.get(&format!("/v1/rooms/{}/events", lobby.id)).await;
        assert_eq!(refused.header("retry-after"), "5", "{cap}");
        refused.problem(429, "too_many_requests");

        // Streams that the cap does not count can be opened.
        let elsewhere = [
            (&ada, format!("/v1/rooms/{}/events", hall.id), is_of_the_room),
            (&ada, "/v1/events".to_owned(), is_of_the_room),
            (&bob, "/v1/rooms/lobby/events".to_owned(), is_of_the_person),
        ];
        for (person, path, goes_on) in elsewhere {
            let status = person.opening(&path).status().await;
            assert_eq!(status, if goes_on { 200 } else { 429 }, "{cap}: {} {path}", person.username);
        }
        drop(open);
        wait_for("the places are free again", || async {
            ada.opening("/v1/rooms/lobby/events").status().await == 200
        })
        .await;
    }
}

#[tokio::test]
async fn repeated_failures_at_an_account_make_their_network_wait_and_neither_others_nor_sessions() {
    if spread::skips("failed sign-ins are counted by each node") {
        return;
    }
    let server = limited(&[]).await;
    let ada = server.register("ada").await;
    let attempt = |name: &'static str, password: &'static str| {
        let stranger = server.anonymous();
        async move { stranger.post("/v1/login", json!({ "username": name, "password": password })).await }
    };
    // Wrong attempts until the wait is four seconds: 0, 0, 1, 2, 4. The answers are the same for all names.
    let fails = |name: &'static str| async move {
        let mut failures = 0;
        loop {
            let answer = attempt(name, "wrong").await;
            match answer.header("retry-after") {
                "" => {
                    answer.problem(401, "wrong_credentials");
                    failures += 1;
                    assert!(failures < 10, "{name} can fail as often as anybody likes");
                }
                "4" => break failures,
                _ => drop(answer.problem(429, "too_many_requests")),
            }
        }
    };
    assert_eq!(tokio::join!(fails("ada"), fails("nobody")), (5, 5));
    let (known, folded, unknown) =
        tokio::join!(attempt("ada", PASSWORD), attempt("ADA", PASSWORD), attempt("nobody", PASSWORD));
    assert_eq!(known.but_for_its_id().2, unknown.but_for_its_id().2);
    for refused in [known, folded, unknown] {
        refused.problem(429, "too_many_requests");
    }
    ada.get("/v1/users/me").await.ok(200);
    server.register("bob").await;

    let body = json!({ "username": "ada", "password": PASSWORD }).to_string();
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
    let mut socket = socket.connect(server.address()).await.unwrap();
    let head = format!(
        "POST /v1/login HTTP/1.1\r\nHost: parlor\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut said = String::new();
    tokio::io::AsyncWriteExt::write_all(&mut socket, head.as_bytes()).await.unwrap();
    tokio::io::AsyncReadExt::read_to_string(&mut socket, &mut said).await.unwrap();
    check_exchange(head.as_bytes(), &said);
    assert!(said.starts_with("HTTP/1.1 200 "), "from elsewhere: {said}");

    wait_for("the wait is over", || async { attempt("ada", PASSWORD).await.status == 200 }).await;
    wait_for("for nobody, too", || async { attempt("nobody", PASSWORD).await.status == 401 }).await;
}

#[tokio::test]
async fn marking_is_limited_by_person_and_is_no_reading() {
    if spread::skips("rates hold for each node") {
        return;
    }
    let server =
        limited(&[("PARLOR_LIMITS__MARK_PER_USER", TWICE), ("PARLOR_LIMITS__READS_PER_USER", TWICE)]).await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    let message = ada.posts(&room, "hello").await;
    let body = json!({ "message": message["id"] });
    let path = |what: &str| format!("/v1/rooms/{}/{what}", room.id);
    bob.post(&path("read"), body.clone()).await.ok(200);
    bob.post(&path("unread"), body.clone()).await.ok(200);
    is_told_to_wait(bob.post(&path("read"), body.clone()).await);
    is_told_to_wait(bob.post(&path("unread"), body.clone()).await);
    is_told_to_wait(bob.post_nothing("/v1/users/me/read").await);
    ada.post(&path("read"), body).await.ok(200);
    for _ in 0..2 {
        bob.sees(&room).await;
    }
}

#[tokio::test]
async fn without_limits_nobody_waits() {
    let narrow = [
        ("PARLOR_LIMITS__REGISTER_PER_ADDRESS", TWICE),
        ("PARLOR_LIMITS__LOGIN_PER_ADDRESS", TWICE),
        ("PARLOR_LIMITS__POST_PER_USER", TWICE),
        ("PARLOR_LIMITS__POST_PER_ROOM", TWICE),
        ("PARLOR_LIMITS__MARK_PER_USER", TWICE),
        ("PARLOR_LIMITS__READS_PER_USER", TWICE),
    ];
    let server = Server::start_with(&narrow).await;
    let people = [server.register("ada").await, server.register("bob").await, server.register("eve").await];
    let room = people[0].creates_room("lobby").await;
    for n in 0..5 {
        people[0].posts(&room, &n.to_string()).await;
        people[0].reads(&room).await;
        people[0].post_nothing("/v1/users/me/read").await.ok(204);
    }
}
