//! Nobody can keep another person from signing in: failures slow the network that they come from, and never the networks that
//! a person signed in from.

use std::net::Ipv4Addr;
use std::time::Duration;

use parlor::domain::clock::Clock;
use parlor::domain::ids::Ids;
use parlor::domain::network::NetworkTag;
use parlor::domain::session::Transport;
use parlor::storage::sessions::NewSession;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::store::OpenStore;
use crate::support::{Answer, Client, PASSWORD, Server, spread, wait_for};

const ANOTHER_PASSWORD: &str = "seven green kettles in the rain";
const VICTIM: &str = "7.7.7.7";
const ATTACKER: &str = "6.6.6.6";

/// A server with the default limits behind a proxy that it trusts, so that a test can come from any address.
async fn server() -> Server {
    Server::start_with(&[("PARLOR_LIMITS__ENABLED", "true"), ("PARLOR_SERVER__TRUSTED_PROXIES", "127.0.0.1")])
        .await
}

/// Sends a request as if it came from an address.
async fn posts_from(server: &Server, address: &str, path: &str, body: &Value) -> Answer {
    let from = [("x-forwarded-for", address)];
    server.anonymous().request(Method::POST, path, Some(body.clone()), &from).await
}

/// Tries to sign in, and again while the queue of hashes is full.
async fn tries(server: &Server, address: &str, username: &str, password: &str) -> Answer {
    let body = json!({ "username": username, "password": password });
    loop {
        let answer = posts_from(server, address, "/v1/login", &body).await;
        if answer.status != 503 {
            return answer;
        }
    }
}

async fn registers(server: &Server, address: &str, username: &str) {
    let body = json!({ "username": username, "password": PASSWORD });
    posts_from(server, address, "/v1/users", &body).await.ok(201);
}

/// Somebody who has signed in from [`VICTIM`].
async fn victim(server: &Server, username: &str) -> Client {
    registers(server, "9.9.9.9", username).await;
    let signed_in = tries(server, VICTIM, username, PASSWORD).await.ok(200);
    server.anonymous().bearing(signed_in["access_token"].as_str().unwrap())
}

#[tokio::test]
async fn the_networks_of_a_person_are_bounded_and_the_least_recent_is_forgotten() {
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let tag = |n: u8| NetworkTag::from_bytes([n; 16]);
    let begin = Clock::SYSTEM.now();
    // The first one signs in again before the others are too many.
    for (second, n) in [0, 1, 2, 0].into_iter().chain(3..17).enumerate() {
        let at = begin.plus(Duration::from_secs(second.try_into().unwrap()));
        let session = NewSession {
            id: Ids::SYSTEM.session(),
            user: ada.id,
            password_hash: "no password".into(),
            transport: Transport::Bearer,
            user_agent: None,
            network: Some(tag(n)),
            at,
            expires_at: at,
            ends_at: at,
            access_expires_at: at,
            most: 20,
        };
        parlor.store().add_session(session).await.unwrap();
    }
    let mut known = Vec::new();
    for n in 0..=17 {
        let found = parlor.store().credentials_for(&ada.username, tag(n)).await.unwrap();
        known.extend(found.unwrap().1.then_some(n));
    }
    assert_eq!(known, [0].into_iter().chain(2..17).collect::<Vec<_>>());
    let recent = parlor.store().recent_networks(3).await.unwrap();
    assert_eq!(recent, [tag(16), tag(15), tag(14)]);
}

/// The `n`th of many addresses.
fn somewhere(n: u32) -> String {
    Ipv4Addr::from_bits(0x0b00_0000 + n * 257).to_string()
}

#[tokio::test]
async fn failures_from_elsewhere_do_not_keep_a_person_out() {
    if spread::skips("failed sign-ins are counted by each node") {
        return;
    }
    let server = server().await;
    let session = victim(&server, "ada").await;
    let mut looked_at = 0;
    for _ in 0..12 {
        let answer = tries(&server, ATTACKER, "ada", "wrong").await;
        looked_at += u32::from(answer.status == 401);
    }
    assert!((1..6).contains(&looked_at), "{looked_at} of 12 attempts were looked at");
    tries(&server, VICTIM, "ada", PASSWORD).await.ok(200);
    session.get("/v1/users/me").await.ok(200);
    let change = json!({ "current_password": PASSWORD, "new_password": ANOTHER_PASSWORD });
    session.put("/v1/users/me/password", change).await.ok(204);
    // Refused attempts cost the account nothing: somebody on a new network gets in as well.
    tries(&server, "8.8.8.8", "ada", ANOTHER_PASSWORD).await.ok(200);
}

#[tokio::test]
async fn a_flood_on_one_account_slows_unknown_networks_alone_and_a_restart_forgets_no_known_one() {
    if spread::skips("failed sign-ins are counted by each node") {
        return;
    }
    let mut server = server().await;
    let _session = victim(&server, "ada").await;
    server.stop().await;
    server.restart().await;
    let flood = |name: &'static str, from: u32| {
        let server = &server;
        let attempts =
            (0..40).map(move |n| async move { tries(server, &somewhere(from + n), name, "wrong").await });
        futures_util::future::join_all(attempts)
    };
    let (known, unknown) = tokio::join!(flood("ada", 0), flood("nobody", 1_000));
    for (name, answers) in [("ada", &known), ("nobody", &unknown)] {
        let refused = answers.iter().filter(|answer| answer.status == 429).count();
        assert!(refused >= 25, "{refused} of 40 attempts at {name} were refused");
    }
    // The refusal of a new network says nothing of whether there is such a person.
    let at_ada = tries(&server, "8.8.8.8", "ada", PASSWORD).await;
    let at_nobody = tries(&server, "8.8.4.4", "nobody", PASSWORD).await;
    assert_eq!(at_ada.but_for_its_id().2, at_nobody.but_for_its_id().2);
    let names = |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&at_ada), names(&at_nobody));
    at_ada.problem(429, "too_many_requests");
    at_nobody.problem(429, "too_many_requests");
    for _ in 0..3 {
        tries(&server, VICTIM, "ada", PASSWORD).await.ok(200);
    }
}

#[tokio::test]
async fn failures_at_other_accounts_slow_their_network_but_nobody_who_signed_in_there() {
    if spread::skips("failed sign-ins are counted by each node") {
        return;
    }
    let server = server().await;
    let _session = victim(&server, "ada").await;
    registers(&server, "9.9.9.9", "bob").await;
    let mut refused = 0;
    for n in 0..30 {
        refused += u32::from(tries(&server, VICTIM, &format!("name-{n}"), "wrong").await.status == 429);
    }
    assert!(refused > 0, "the network is slowed");
    tries(&server, VICTIM, "bob", PASSWORD).await.problem(429, "too_many_requests");
    tries(&server, VICTIM, "ada", PASSWORD).await.ok(200);
}

#[tokio::test]
async fn strangers_who_fill_the_queue_of_hashes_keep_no_known_person_out() {
    let server = server().await;
    let session = victim(&server, "ada").await;
    let flood = (0..150).map(|n| {
        let server = &server;
        async move {
            let body = json!({ "username": format!("name-{n}"), "password": "wrong" });
            posts_from(server, &somewhere(n), "/v1/login", &body).await.status
        }
    });
    let person = async {
        let body = json!({ "username": "ada", "password": PASSWORD });
        for _ in 0..3 {
            posts_from(&server, VICTIM, "/v1/login", &body).await.ok(200);
        }
        let change = json!({ "current_password": PASSWORD, "new_password": ANOTHER_PASSWORD });
        session.put("/v1/users/me/password", change).await.ok(204);
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(flood), person);
    let turned_away = answers.iter().filter(|status| **status == 503).count();
    assert!(turned_away > 50, "the queue was full for {turned_away} of 150");
    assert!(answers.iter().all(|status| matches!(status, 401 | 503)), "{answers:?}");
}

#[tokio::test]
async fn an_account_is_known_where_it_was_made_and_within_one_network_of_ipv6() {
    let server = server().await;
    registers(&server, "2001:db8::1", "ada").await;
    for n in 0..20 {
        tries(&server, &somewhere(n), "ada", "wrong").await;
    }
    tries(&server, "2001:db8:0:1::1", "ada", PASSWORD).await.problem(429, "too_many_requests");
    tries(&server, "2001:db8::ffff:2", "ada", PASSWORD).await.ok(200);
}

#[tokio::test]
async fn changing_a_password_is_slowed_by_failures_of_the_same_session_alone() {
    if spread::skips("failed sign-ins are counted by each node") {
        return;
    }
    let server = server().await;
    let session = victim(&server, "ada").await;
    let other = tries(&server, VICTIM, "ada", PASSWORD).await.ok(200);
    let other = server.anonymous().bearing(other["access_token"].as_str().unwrap());
    let change = |client: &Client, current: &str, new: &str| {
        let body = json!({ "current_password": current, "new_password": new });
        let client = client.clone();
        async move { client.put("/v1/users/me/password", body).await }
    };
    let mut waits = 0;
    wait_for("the session has to wait for four seconds", || async {
        change(&other, "wrong", ANOTHER_PASSWORD).await.header("retry-after") == "4"
    })
    .await;
    for _ in 0..3 {
        waits += u32::from(change(&other, PASSWORD, ANOTHER_PASSWORD).await.status == 429);
    }
    assert_eq!(waits, 3, "whoever guesses in a session waits there");
    // Neither another session of the account nor signing in pays for it.
    tries(&server, VICTIM, "ada", PASSWORD).await.ok(200);
    change(&session, PASSWORD, ANOTHER_PASSWORD).await.ok(204);
}
