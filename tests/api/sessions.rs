//! Sessions: a lost answer signs nobody out, a stolen token is noticed, and a session that has ended is over at once.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::support::{Answer, Client, PASSWORD, Person, Server, parlor};

async fn refreshes(client: &Client, refresh_token: &str) -> Answer {
    client.post("/v1/refresh", json!({ "refresh_token": refresh_token })).await
}

/// Presents a refresh token and gives the pair of tokens in the answer.
async fn pair_for(client: &Client, refresh_token: &str) -> (String, String) {
    let signed_in = refreshes(client, refresh_token).await.ok(200);
    let text = |name: &str| signed_in[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

#[tokio::test]
async fn refreshing_gives_a_new_pair_for_the_same_session() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let signed_in = refreshes(&server.anonymous(), &ada.refresh_token).await.ok(200);
    assert_eq!((&signed_in["session"], &signed_in["token_type"]), (&json!(ada.session), &json!("Bearer")));
    assert_eq!(signed_in["user"], ada.get("/v1/users/me").await.ok(200));
    assert!((890..=900).contains(&signed_in["expires_in"].as_i64().unwrap()));
    assert_ne!(signed_in["refresh_token"], json!(ada.refresh_token));
    let access = signed_in["access_token"].as_str().unwrap();
    assert_ne!(access, ada.token());
    ada.bearing(access).get("/v1/users/me").await.ok(200);
    ada.get("/v1/users/me").await.ok(200);
}

#[tokio::test]
async fn what_is_no_refresh_token_is_refused() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let stranger = server.anonymous();
    let mut forged = URL_SAFE_NO_PAD.decode(&ada.refresh_token).unwrap();
    forged[23] ^= 1;
    let forged = URL_SAFE_NO_PAD.encode(forged);
    let another = Server::start().await.register("ada").await;
    for wrong in ["", "x", forged.as_str(), ada.token(), another.refresh_token.as_str()] {
        refreshes(&stranger, wrong).await.problem(401, "invalid_refresh_token");
    }
    stranger.post("/v1/refresh", json!({})).await.problem(401, "invalid_refresh_token");
    stranger.bearing(&ada.refresh_token).get("/v1/users/me").await.problem(401, "unauthenticated");
    ada.get("/v1/users/me").await.ok(200);
    pair_for(&stranger, &ada.refresh_token).await;
}

#[tokio::test]
async fn a_lost_answer_is_given_again_also_after_a_crash() {
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    let (_, child) = pair_for(&server.anonymous(), &ada.refresh_token).await;
    assert_eq!(pair_for(&server.anonymous(), &ada.refresh_token).await.1, child);
    server.restart().await;
    assert_eq!(pair_for(&server.anonymous(), &ada.refresh_token).await.1, child);

    let (access, grandchild) = pair_for(&server.anonymous(), &child).await;
    assert_ne!(grandchild, child);
    ada.bearing(&access).get("/v1/users/me").await.ok(200);
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn an_unseen_child_is_given_however_late() {
    let mut server = Server::start_with_clock(&[]).await;
    let ada = server.register("ada").await;
    let (_, child) = pair_for(&server.anonymous(), &ada.refresh_token).await;
    server.moves_clock(HOUR);
    let (access, again) = pair_for(&server.anonymous(), &ada.refresh_token).await;
    assert_eq!(again, child);

    // An access token of the child shows that its answer has arrived. A crash does not undo that.
    ada.bearing(&access).get("/v1/users/me").await.ok(200);
    // On PostgreSQL a server does not start with a clock that differs from the database's.
    server.moves_clock(0);
    server.restart().await;
    server.moves_clock(HOUR);
    refreshes(&server.anonymous(), &ada.refresh_token).await.problem(401, "invalid_refresh_token");
    ada.bearing(&access).get("/v1/users/me").await.problem(401, "unauthenticated");
    refreshes(&server.anonymous(), &child).await.problem(401, "invalid_refresh_token");
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn two_tabs_that_refresh_at_once_get_the_same_child() {
    let server = Server::start_with_clock(&[]).await;
    let ada = server.register("ada").await;
    let tries: Vec<_> = (0..8)
        .map(|_| {
            let (client, token) = (server.anonymous(), ada.refresh_token.clone());
            tokio::spawn(async move { pair_for(&client, &token).await })
        })
        .collect();
    let mut children = Vec::new();
    for pair in tries {
        let (access, child) = pair.await.unwrap();
        ada.bearing(&access).get("/v1/users/me").await.ok(200);
        children.push(child);
    }
    children.dedup();
    assert_eq!(children.len(), 1);
    // The access tokens of the child were seen, but the child was not: for ten seconds its parent still gives it.
    assert_eq!(pair_for(&server.anonymous(), &ada.refresh_token).await.1, children[0]);
    server.moves_clock(11);
    refreshes(&server.anonymous(), &ada.refresh_token).await.problem(401, "invalid_refresh_token");
}

#[tokio::test]
async fn a_token_used_again_after_its_child_ends_the_session_and_its_streams() {
    let server = Server::start().await;
    let (ada, elsewhere) = (server.register("ada").await, server.sign_in("ada").await);
    let stranger = server.anonymous();
    let (_, child) = pair_for(&stranger, &ada.refresh_token).await;
    let (access, grandchild) = pair_for(&stranger, &child).await;
    let ada_now = ada.bearing(&access);
    let mut stream = ada_now.opening("/v1/events").open().await;
    stream.hello().await;

    refreshes(&stranger, &ada.refresh_token).await.problem(401, "invalid_refresh_token");
    assert_eq!(stream.bye().await, "signed_out");
    ada_now.get("/v1/users/me").await.problem(401, "unauthenticated");
    for token in [&grandchild, &child, &ada.refresh_token] {
        refreshes(&stranger, token).await.problem(401, "invalid_refresh_token");
    }
    elsewhere.get("/v1/users/me").await.ok(200);
}

#[tokio::test]
async fn signing_out_ends_the_session_of_either_token_and_can_be_repeated() {
    let server = Server::start().await;
    server.register("ada").await;
    let stranger = server.anonymous();

    let by_access = server.sign_in("ada").await;
    let mut stream = by_access.streams_all().await;
    stream.hello().await;
    by_access.post_nothing("/v1/logout").await.ok(204);
    assert_eq!(stream.bye().await, "signed_out");
    assert_is_over(&by_access).await;
    by_access.post_nothing("/v1/logout").await.ok(204);

    let by_refresh = server.sign_in("ada").await;
    let body = json!({ "refresh_token": by_refresh.refresh_token });
    stranger.post("/v1/logout", body.clone()).await.ok(204);
    assert_is_over(&by_refresh).await;
    stranger.post("/v1/logout", body).await.ok(204);

    // A client without a token, or without a valid one, is signed out already.
    stranger.post_nothing("/v1/logout").await.ok(204);
    stranger.post("/v1/logout", json!({})).await.ok(204);
    stranger.post("/v1/logout", json!({ "refresh_token": "x" })).await.ok(204);
    stranger.bearing("x").post_nothing("/v1/logout").await.ok(204);
    let basic = [("authorization", "Basic YWRhOng=")];
    stranger.request(reqwest::Method::POST, "/v1/logout", None, &basic).await.ok(204);
}

/// Asserts that neither token of the session is accepted.
async fn assert_is_over(person: &Person) {
    person.get("/v1/users/me").await.problem(401, "unauthenticated");
    refreshes(person, &person.refresh_token).await.problem(401, "invalid_refresh_token");
}

#[tokio::test]
async fn signing_in_ignores_whatever_token_is_sent_along() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    for token in ["x", ada.token()] {
        let body = json!({ "username": "ada", "password": PASSWORD });
        ada.bearing(token).post("/v1/login", body).await.ok(200);
    }
    refreshes(&ada.bearing("x"), &ada.refresh_token).await.ok(200);
}

#[tokio::test]
async fn people_see_their_own_sessions_and_which_one_asks() {
    let server = Server::start().await;
    let (first, bob) = (server.register("ada").await, server.register("bob").await);
    let login = json!({ "username": "ada", "password": PASSWORD });
    let agent = [("user-agent", "Parlor test (second)")];
    let anonymous = server.anonymous();
    let signed_in = anonymous.request(reqwest::Method::POST, "/v1/login", Some(login), &agent).await.ok(200);
    let second = anonymous.bearing(signed_in["access_token"].as_str().unwrap());

    let sessions = sessions_of(&second).await;
    let ids: Vec<&Value> = sessions.iter().map(|session| &session["id"]).collect();
    assert_eq!(ids, [&signed_in["session"], &json!(first.session)], "the newest first");
    assert_eq!((&sessions[0]["current"], &sessions[1]["current"]), (&json!(true), &json!(false)));
    assert_eq!(sessions[0]["user_agent"], "Parlor test (second)");
    assert!(sessions[0]["expires_at"].as_str() > sessions[0]["created_at"].as_str());
    assert_eq!(sessions_of(&bob).await.len(), 1);

    first.post_nothing("/v1/logout").await.ok(204);
    assert_eq!(sessions_of(&second).await.len(), 1, "one that is over is not listed");
}

async fn sessions_of(client: &Client) -> Vec<Value> {
    client.get("/v1/sessions").await.ok(200)["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_ended_session_is_over_when_the_answer_comes() {
    let server = Server::start().await;
    let (here, there) = (server.register("ada").await, server.sign_in("ada").await);
    let bob = server.register("bob").await;
    let mut stream = there.streams_all().await;
    stream.hello().await;
    let session = format!("/v1/sessions/{}", there.session);

    bob.delete(&session).await.problem(404, "session_not_found");
    there.get("/v1/users/me").await.ok(200);
    here.delete(&session).await.ok(204);
    assert_is_over(&there).await;
    assert_eq!(stream.bye().await, "signed_out");
    here.delete(&session).await.problem(404, "session_not_found");
    for nonsense in ["x", "0190a7c4-7b1e-7cc0-8000-000000000000", &here.id] {
        here.delete(&format!("/v1/sessions/{nonsense}")).await.problem(404, "session_not_found");
    }
    here.get("/v1/users/me").await.ok(200);
    here.delete(&format!("/v1/sessions/{}", here.session)).await.ok(204);
    assert_is_over(&here).await;
}

#[tokio::test]
async fn an_ended_session_stays_over_after_a_crash() {
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    ada.post_nothing("/v1/logout").await.ok(204);
    server.restart().await;
    assert_is_over(&ada).await;
    server.sign_in("ada").await.get("/v1/users/me").await.ok(200);
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn an_access_token_ends_with_its_time_and_a_refresh_goes_on() {
    let server = Server::start_with_clock(&[]).await;
    let mut ada = server.register("ada").await;
    server.moves_clock(HOUR / 5);
    ada.get("/v1/users/me").await.ok(200);
    server.moves_clock(HOUR / 4);
    ada.get("/v1/users/me").await.problem(401, "unauthenticated");
    ada.refreshes().await;
    ada.get("/v1/users/me").await.ok(200);
}

#[tokio::test]
async fn the_twenty_first_session_ends_the_oldest() {
    let server = Server::start().await;
    let mut people = vec![server.register("ada").await];
    let other = server.register("bob").await;
    while people.len() < 20 {
        people.push(server.sign_in("ada").await);
    }
    let mut stream = people[0].streams_all().await;
    stream.hello().await;
    assert_eq!(sessions_of(&people[0]).await.len(), 20);

    let newest = server.sign_in("ada").await;
    assert_eq!(stream.bye().await, "signed_out");
    assert_is_over(&people[0]).await;
    people[1].get("/v1/users/me").await.ok(200);
    assert_eq!(sessions_of(&newest).await.len(), 20);
    other.get("/v1/users/me").await.ok(200);
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn sessions_that_ran_out_take_no_place() {
    let server = Server::start_with_clock(&[]).await;
    let mut oldest = server.register("ada").await;
    let mut idle = Vec::new();
    while idle.len() < 19 {
        idle.push(server.sign_in("ada").await);
    }
    server.moves_clock(10 * DAY);
    oldest.refreshes().await;
    server.moves_clock(15 * DAY);
    oldest.refreshes().await;
    refreshes(&idle[0], &idle[0].refresh_token).await.problem(401, "invalid_refresh_token");
    assert_eq!(sessions_of(&oldest).await.len(), 1);
    server.sign_in("ada").await;
    assert_eq!(sessions_of(&oldest).await.len(), 2);
}

#[tokio::test]
async fn the_keys_are_for_their_owner_alone() {
    let mut server = Server::start().await;
    server.kill().await;
    let keys = server.data().join("secrets.toml");
    assert_eq!(mode(&keys), 0o600);
    std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o640)).unwrap();
    let data = server.data();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()];
    let finished = parlor(&arguments, &[], "", server.folder()).await;
    assert_ne!(finished.code, Some(0));
    assert!(finished.stderr.contains("chmod 600"), "{}", finished.stderr);
    assert_eq!(finished.stdout, "", "nothing is served");
    std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o600)).unwrap();
    server.restart().await;
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_new_key_signs_and_the_old_one_is_read_until_it_is_removed() {
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    ada.get("/v1/users/me").await.ok(200);
    let path = server.data().join("secrets.toml");
    let before = std::fs::read_to_string(&path).unwrap();
    let at = before.find("[[token_keys]]").unwrap();
    let secret = URL_SAFE_NO_PAD.encode((100..132).collect::<Vec<u8>>());
    let new_key = format!("[[token_keys]]\nkid = \"second\"\nsecret = \"{secret}\"\n\n");

    server.kill().await;
    std::fs::write(&path, format!("{}{new_key}{}", &before[..at], &before[at..])).unwrap();
    server.restart().await;
    let later = server.sign_in("ada").await;
    assert_eq!((kid(later.token()), kid(ada.token()) == "second"), ("second".to_owned(), false));
    ada.get("/v1/users/me").await.ok(200);
    later.get("/v1/users/me").await.ok(200);

    server.kill().await;
    std::fs::write(&path, format!("{}{new_key}", &before[..at])).unwrap();
    server.restart().await;
    ada.get("/v1/users/me").await.problem(401, "unauthenticated");
    later.get("/v1/users/me").await.ok(200);
    // Refresh tokens are made with another key, so nobody has to sign in again.
    let (access, _) = pair_for(&server.anonymous(), &ada.refresh_token).await;
    ada.bearing(&access).get("/v1/users/me").await.ok(200);
}

fn kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}
