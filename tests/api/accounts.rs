//! Accounts: who can have one, what others see of it, and what a password protects.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, PASSWORD, Server};

const ANOTHER_PASSWORD: &str = "seven green kettles in the rain";

async fn tries_to_register(stranger: &Client, username: &str, password: &str) -> crate::support::Answer {
    stranger.post("/v1/users", json!({ "username": username, "password": password })).await
}

async fn tries_to_sign_in(stranger: &Client, username: &str, password: &str) -> crate::support::Answer {
    stranger.post("/v1/login", json!({ "username": username, "password": password })).await
}

#[tokio::test]
async fn registering_gives_an_account_and_no_token() {
    let server = Server::start().await;
    let stranger = server.anonymous();
    let user = tries_to_register(&stranger, "ada", PASSWORD).await.ok(201);
    let mut fields: Vec<&String> = user.as_object().unwrap().keys().collect();
    fields.sort_unstable();
    assert_eq!(fields, ["created_at", "display_name", "id", "username"]);
    assert_eq!((&user["username"], &user["display_name"]), (&json!("ada"), &json!("ada")));

    let body = json!({ "username": "bob", "password": PASSWORD, "display_name": "Bob, 李小龍" });
    assert_eq!(stranger.post("/v1/users", body).await.ok(201)["display_name"], "Bob, 李小龍");

    let ada = server.sign_in("ada").await;
    assert_eq!(ada.get("/v1/users/me").await.ok(200), user);
}

#[tokio::test]
async fn a_username_is_one_whatever_the_case_of_its_letters() {
    let server = Server::start().await;
    let stranger = server.anonymous();
    assert_eq!(tries_to_register(&stranger, "Ada_L-1", PASSWORD).await.ok(201)["username"], "ada_l-1");
    for taken in ["ada_l-1", "ADA_L-1"] {
        tries_to_register(&stranger, taken, PASSWORD).await.problem(409, "username_taken");
    }
    tries_to_sign_in(&stranger, "aDA_l-1", PASSWORD).await.ok(200);
    let ada = server.sign_in("ada_l-1").await;
    assert_eq!(ada.get("/v1/users/ADA_L-1").await.ok(200)["username"], "ada_l-1");
}

#[tokio::test]
async fn names_that_would_pass_for_the_server_are_refused() {
    let server = Server::start().await;
    let stranger = server.anonymous();
    tries_to_register(&stranger, "adminah", PASSWORD).await.ok(201);
    for reserved in ["admin", "Parlor", "system", "everyone"] {
        let problem = tries_to_register(&stranger, reserved, PASSWORD).await.problem(422, "text_not_allowed");
        assert_eq!(problem["errors"][0]["pointer"], "/username");
    }
    // The first and fourth letters are Cyrillic.
    let body = json!({ "username": "mallory", "password": PASSWORD, "display_name": "аdmіn" });
    let problem = stranger.post("/v1/users", body).await.problem(422, "text_not_allowed");
    assert_eq!(problem["errors"][0]["pointer"], "/display_name");
    for malformed in ["ab", "ada lovelace", "adä", "", "a".repeat(33).as_str()] {
        tries_to_register(&stranger, malformed, PASSWORD).await.problem(400, "invalid_body");
    }
}

#[tokio::test]
async fn a_password_is_long_enough_and_hard_to_guess() {
    let server = Server::start().await;
    let stranger = server.anonymous();
    for (name, good) in [("twelve", "käseßrötchen".to_owned()), ("longest", "ab1ü".repeat(31) + "wxyz")] {
        tries_to_register(&stranger, name, &good).await.ok(201);
        tries_to_sign_in(&stranger, name, &good).await.ok(200);
    }
    for wrong_length in ["käseßrötche".to_owned(), "ab1ü".repeat(31) + "wxyz!"] {
        let problem =
            tries_to_register(&stranger, "lovelace", &wrong_length).await.problem(400, "invalid_body");
        assert_eq!(problem["errors"][0]["pointer"], "/password");
    }
    for guessable in ["password1234", "lovelacelovelace", "LovelaceLovelace", "123456789012"] {
        let answer = tries_to_register(&stranger, "lovelace", guessable).await;
        assert!(!answer.text.contains(guessable));
        let problem = answer.problem(422, "password_too_common");
        assert_eq!(problem["errors"][0]["pointer"], "/password");
    }
    tries_to_register(&stranger, "lovelace", ANOTHER_PASSWORD).await.ok(201);
}

#[tokio::test]
async fn a_password_is_the_same_however_its_letters_are_composed() {
    let server = Server::start().await;
    let stranger = server.anonymous();
    let (composed, decomposed) = ("k\u{e4}se\u{df}r\u{f6}tchen", "ka\u{308}se\u{df}ro\u{308}tchen");
    for (name, typed, typed_elsewhere) in [("ada", composed, decomposed), ("bob", decomposed, composed)] {
        tries_to_register(&stranger, name, typed).await.ok(201);
        tries_to_sign_in(&stranger, name, typed_elsewhere).await.ok(200);
        let signed_in = tries_to_sign_in(&stranger, name, typed).await.ok(200);
        let session = stranger.bearing(signed_in["access_token"].as_str().unwrap());
        let change = |current: &str, new: &str| {
            let body = json!({ "current_password": current, "new_password": new });
            session.put("/v1/users/me/password", body)
        };
        change(typed_elsewhere, &format!("{typed}!")).await.ok(204);
        tries_to_sign_in(&stranger, name, &format!("{typed_elsewhere}!")).await.ok(200);
    }
    // The length is that after normalising: 128 letters that were sent as 192 code points, and 11 that were sent as 13.
    let longest = "a\u{308}e\u{308}o\u{308}u\u{308}xyzw".repeat(16);
    tries_to_register(&stranger, "eve", &longest).await.ok(201);
    tries_to_sign_in(&stranger, "eve", &longest).await.ok(200);
    // Sixty syllables of Hangul are 180 bytes composed and 540 bytes decomposed.
    let hangul = ("각간갇갈감갑".repeat(10), "\u{1100}\u{1161}\u{11a8}\u{1100}\u{1161}\u{11ab}\u{1100}\u{1161}\u{11ae}\u{1100}\u{1161}\u{11af}\u{1100}\u{1161}\u{11b7}\u{1100}\u{1161}\u{11b8}".repeat(10));
    tries_to_register(&stranger, "sejong", &hangul.0).await.ok(201);
    tries_to_sign_in(&stranger, "sejong", &hangul.1).await.ok(200);
    let problem = tries_to_register(&stranger, "mallory", "ka\u{308}se\u{df}ro\u{308}tche").await;
    problem.problem(400, "invalid_body");
}

#[tokio::test]
async fn strangers_register_only_where_registration_is_open() {
    let open = Server::start().await;
    assert_eq!(open.anonymous().get("/v1/server").await.ok(200)["registration"], "open");
    tries_to_register(&open.anonymous(), "ada", PASSWORD).await.ok(201);

    let closed = Server::start_with(&[("PARLOR_ACCOUNTS__REGISTRATION", "closed")]).await;
    assert_eq!(closed.anonymous().get("/v1/server").await.ok(200)["registration"], "closed");
    tries_to_register(&closed.anonymous(), "ada", PASSWORD).await.problem(403, "registration_closed");
    tries_to_sign_in(&closed.anonymous(), "ada", PASSWORD).await.problem(401, "wrong_credentials");
}

#[tokio::test]
async fn a_new_display_name_is_seen_by_everybody() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    let mut stream = bob.streams(&room).await;
    stream.hello().await;

    let user = ada.patch("/v1/users/me", json!({ "display_name": "Ada Lovelace" })).await.ok(200);
    assert_eq!(user["display_name"], "Ada Lovelace");
    assert_eq!(bob.get("/v1/users/ada").await.ok(200), user);
    let event = stream.next().await;
    assert_eq!(
        (event.kind(), &event.data["member"]["user"]["display_name"]),
        ("member.updated", &json!("Ada Lovelace"))
    );

    assert_eq!(ada.patch("/v1/users/me", json!({})).await.ok(200), user, "absent is unchanged");
    for wrong in [json!({ "display_name": "" }), json!({ "username": "eve" })] {
        ada.patch("/v1/users/me", wrong).await.problem(400, "invalid_body");
    }
    for forbidden in ["a\u{202e}b", " \u{2003} ", "a\nb", "\u{2800}", "\u{3164}", "\u{fe0f}", "a\u{e0041}"] {
        ada.patch("/v1/users/me", json!({ "display_name": forbidden }))
            .await
            .problem(422, "text_not_allowed");
    }
    assert_eq!(ada.get("/v1/users/me").await.ok(200), user, "refusals change nothing");
}

#[tokio::test]
async fn nobody_is_found_under_a_name_that_is_not_theirs() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    ada.get("/v1/users/ada").await.ok(200);
    for nobody in ["bob", "admin", "a", "ada%20", "%00", &ada.id, &"a".repeat(500)] {
        ada.get(&format!("/v1/users/{nobody}")).await.problem(404, "user_not_found");
    }
    server.anonymous().get("/v1/users/ada").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_at_once_and_keeps_this_one() {
    let server = Server::start().await;
    let (mut here, there) = (server.register("ada").await, server.sign_in("ada").await);
    let mut stream = there.streams_all().await;
    stream.hello().await;
    there.get("/v1/users/me").await.ok(200);

    let body = json!({ "current_password": PASSWORD, "new_password": ANOTHER_PASSWORD });
    here.put("/v1/users/me/password", body).await.ok(204);
    there.get("/v1/users/me").await.problem(401, "unauthenticated");
    let refresh = json!({ "refresh_token": there.refresh_token });
    server.anonymous().post("/v1/refresh", refresh).await.problem(401, "invalid_refresh_token");
    assert_eq!(stream.bye().await, "signed_out");

    here.get("/v1/users/me").await.ok(200);
    here.refreshes().await;
    here.get("/v1/users/me").await.ok(200);
    tries_to_sign_in(&server.anonymous(), "ada", PASSWORD).await.problem(401, "wrong_credentials");
    tries_to_sign_in(&server.anonymous(), "ada", ANOTHER_PASSWORD).await.ok(200);
}

#[tokio::test]
async fn a_password_is_changed_only_with_the_current_one() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let change = |current: &str, new: &str| {
        ada.put("/v1/users/me/password", json!({ "current_password": current, "new_password": new }))
    };
    change("not it", ANOTHER_PASSWORD).await.problem(403, "wrong_password");
    change(PASSWORD, "too short").await.problem(400, "invalid_body");
    change(PASSWORD, "password1234").await.problem(422, "password_too_common");
    tries_to_sign_in(&server.anonymous(), "ada", ANOTHER_PASSWORD).await.problem(401, "wrong_credentials");
    tries_to_sign_in(&server.anonymous(), "ada", PASSWORD).await.ok(200);
    change(PASSWORD, ANOTHER_PASSWORD).await.ok(204);
    change(PASSWORD, PASSWORD).await.problem(403, "wrong_password");
}

/// Pairs of attempts whose times are compared. The bound is wide because the machine may be busy. Without a hash an answer
/// would come many times sooner.
const PAIRS: usize = 25;

#[tokio::test]
async fn an_unknown_user_is_answered_like_a_wrong_password_and_costs_as_much() {
    let server = Server::start().await;
    server.register("ada").await;
    let stranger = server.anonymous();
    tries_to_sign_in(&stranger, "ada", PASSWORD).await.ok(200);

    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for n in 0..PAIRS {
        let nobody = if n % 2 == 0 { "bob" } else { "no such name!" };
        let start = Instant::now();
        let wrong_password = tries_to_sign_in(&stranger, "ada", ANOTHER_PASSWORD).await;
        known.push(start.elapsed());
        let start = Instant::now();
        let no_user = tries_to_sign_in(&stranger, nobody, ANOTHER_PASSWORD).await;
        unknown.push(start.elapsed());
        assert_eq!(wrong_password.but_for_its_id(), no_user.but_for_its_id());
        wrong_password.problem(401, "wrong_credentials");
    }
    let ratio = median(unknown).as_secs_f64() / median(known).as_secs_f64();
    assert!((0.5..2.0).contains(&ratio), "an unknown user takes {ratio:.2} of the time of a wrong password");
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test]
async fn a_flood_of_sign_ins_is_turned_away_while_posts_go_through() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;

    let flood: Vec<_> = (0..120)
        .map(|_| {
            let stranger = server.anonymous();
            tokio::spawn(async move { tries_to_sign_in(&stranger, "ada", ANOTHER_PASSWORD).await })
        })
        .collect();
    let mut posted_meanwhile = 0;
    while !flood.iter().all(tokio::task::JoinHandle::is_finished) {
        ada.posts(&room, "still here").await;
        posted_meanwhile += 1;
    }
    let (mut refused, mut overloaded) = (0, 0);
    for attempt in flood {
        let answer = attempt.await.unwrap();
        if answer.status == 503 {
            assert!(answer.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
            answer.problem(503, "overloaded");
            overloaded += 1;
        } else {
            answer.problem(401, "wrong_credentials");
            refused += 1;
        }
    }
    assert!(refused > 0, "nobody was heard at all");
    assert!(overloaded > 0, "the queue took all of them");
    assert!(posted_meanwhile > 0, "no post went through during the flood");
    assert_eq!(ada.reads(&room).await["items"].as_array().map(Vec::len), Some(posted_meanwhile.min(50)));
    tries_to_sign_in(&server.anonymous(), "ada", PASSWORD).await.ok(200);
}

#[tokio::test]
async fn the_account_of_the_caller_wants_a_sign_in() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let nobody = server.anonymous();
    ada.get("/v1/users/me").await.ok(200);
    nobody.get("/v1/users/me").await.problem(401, "unauthenticated");
    nobody.patch("/v1/users/me", json!({ "display_name": "x" })).await.problem(401, "unauthenticated");
    let change = json!({ "current_password": PASSWORD, "new_password": ANOTHER_PASSWORD });
    nobody.put("/v1/users/me/password", change).await.problem(401, "unauthenticated");
    assert_eq!(ada.get("/v1/users/me").await.json["display_name"], Value::from("ada"));
}
