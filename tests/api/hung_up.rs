//! Clients who close the connection before the answer: what they asked for counts like everything else, so hanging up passes
//! no limit, keeps nobody out and hides nothing.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{PASSWORD, Server, Wire, spread, wait_for};

/// Long enough for a request to be under way, shorter than a hash or a synced write on a busy machine.
const PATIENCE: Duration = Duration::from_millis(10);
static WRONG: LazyLock<Value> = LazyLock::new(|| json!({ "username": "ada", "password": "wrong" }));

async fn limited(env: &[(&str, &str)]) -> Server {
    let common = [("PARLOR_LIMITS__ENABLED", "true"), ("PARLOR_SERVER__TRUSTED_PROXIES", "127.0.0.1")];
    Server::start_with(&[&common, env].concat()).await
}

/// Sends a request, waits for the answer for a moment, and closes. Gives what came until then.
async fn cut_off(server: &Server, line: &str, headers: &str, body: &Value, patience: Duration) -> String {
    asks(server.address(), line, headers, body, patience).await
}

/// The same for a task that does not own the server.
async fn asks(server: SocketAddr, line: &str, headers: &str, body: &Value, patience: Duration) -> String {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\nHost: parlor\nContent-Type: application/json\nContent-Length: {length}\n{headers}\n{body}"
    );
    let mut wire = Wire::asks(server, &head).await;
    let _ = timeout(patience, wire.reads(64)).await;
    wire.text()
}

fn from(address: &str) -> String {
    format!("X-Forwarded-For: {address}\n")
}

async fn signs_in(server: &Server, address: &str, username: &str) -> u16 {
    let body = json!({ "username": username, "password": PASSWORD });
    let from = [("x-forwarded-for", address)];
    server.anonymous().request(reqwest::Method::POST, "/v1/login", Some(body), &from).await.status
}

async fn registers(server: &Server, address: &str, username: &str) {
    let body = json!({ "username": username, "password": PASSWORD });
    let from = [("x-forwarded-for", address)];
    server.anonymous().request(reqwest::Method::POST, "/v1/users", Some(body), &from).await.ok(201);
}

#[tokio::test]
async fn wrong_passwords_count_although_nobody_waits_for_the_answer() {
    let server = limited(&[]).await;
    registers(&server, "7.7.7.7", "ada").await;
    assert_eq!(signs_in(&server, "7.7.7.7", "ada").await, 200);
    for _ in 0..30 {
        cut_off(&server, "POST /v1/login", &from("7.7.7.7"), &WRONG, PATIENCE).await;
    }
    assert_eq!(signs_in(&server, "7.7.7.7", "ada").await, 429);
    assert_eq!(signs_in(&server, "8.8.8.8", "ada").await, 200, "elsewhere nobody guessed");
}

#[tokio::test]
async fn changes_of_a_password_count_although_nobody_waits_for_the_answer() {
    let server = limited(&[]).await;
    let ada = server.register("ada").await;
    let body = json!({ "current_password": "wrong", "new_password": "seven green kettles in the rain" });
    let bearer = format!("Authorization: Bearer {}\n", ada.token());
    for _ in 0..30 {
        cut_off(&server, "PUT /v1/users/me/password", &bearer, &body, PATIENCE).await;
    }
    ada.put("/v1/users/me/password", body).await.problem(429, "too_many_requests");
}

#[tokio::test]
async fn a_stranger_gets_in_beside_a_flood_of_known_people_who_hang_up() {
    let server = limited(&[]).await;
    registers(&server, "9.9.9.9", "ada").await;
    let sent = Arc::new(AtomicUsize::new(0));
    let known: Vec<_> = (0..6).map(|n| (format!("known{n}"), format!("15.{n}.2.2"))).collect();
    for (name, address) in &known {
        registers(&server, address, name).await;
    }
    let mut flood = JoinSet::new();
    for (name, address) in known {
        let body = json!({ "username": name, "password": "wrong" });
        for _ in 0..2 {
            let (body, headers, server, sent) =
                (body.clone(), from(&address), server.address(), sent.clone());
            flood.spawn(async move {
                loop {
                    asks(server, "POST /v1/login", &headers, &body, PATIENCE).await;
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    }
    wait_for("all send at once", || async { sent.load(Ordering::Relaxed) > 100 }).await;
    for n in 0..4 {
        assert_eq!(signs_in(&server, &format!("15.88.1.{n}"), "ada").await, 200);
    }
    drop(flood);
}

#[tokio::test]
async fn a_room_counts_although_nobody_waits_for_the_answer() {
    if spread::skips("rates hold for each node") {
        return;
    }
    let server =
        limited(&[("PARLOR_LIMITS__ROOMS_PER_USER", "2, 1/h"), ("PARLOR_LIMITS__JOIN_PER_USER", "99, 9/s")])
            .await;
    let ada = server.register("ada").await;
    let bearer = format!("Authorization: Bearer {}\n", ada.token());
    for n in 0..20 {
        let body = json!({ "name": format!("cut-off-{n}") });
        cut_off(&server, "POST /v1/rooms", &bearer, &body, Duration::from_millis(n % 4)).await;
    }
    for n in 0..2 {
        ada.post("/v1/rooms", json!({ "name": format!("waited-for-{n}") })).await;
    }
    ada.post("/v1/rooms", json!({ "name": "attic" })).await.problem(429, "too_many_requests");
    // Nobody has waited until the rooms are made.
    wait_for("there are two rooms", || async {
        ada.lists_rooms().await["items"].as_array().map(Vec::len) == Some(2)
    })
    .await;
}

#[tokio::test]
async fn a_trial_that_fails_is_known_although_nobody_waited_for_it() {
    let server = Server::start().await;
    let _lock = server.is_locked_by_another().await;
    // A trial takes two seconds to fail, so none of these can wait for its outcome.
    let hurry = Duration::from_millis(200);
    let asks = || cut_off(&server, "GET /readyz", "", &Value::Null, hurry);
    wait_for("it is not ready", || async { asks().await.starts_with("HTTP/1.1 503 ") }).await;
}

#[tokio::test]
async fn a_spent_token_that_is_used_again_ends_the_session_although_nobody_waits_for_the_answer() {
    let server = Server::start().await;
    server.register("ada").await;
    let anybody = server.anonymous();
    let body = json!({ "username": "ada", "password": PASSWORD });
    let login = anybody.post("/v1/login", body).await.ok(200);
    let spent = json!({ "refresh_token": login["refresh_token"] });
    let child = anybody.post("/v1/refresh", spent.clone()).await.ok(200);
    let newest =
        anybody.post("/v1/refresh", json!({ "refresh_token": child["refresh_token"] })).await.ok(200);
    let bearer = format!("Bearer {}", newest["access_token"].as_str().unwrap());
    let headers = [("authorization", bearer.as_str())];
    let me = || async { anybody.request(reqwest::Method::GET, "/v1/users/me", None, &headers).await.status };
    assert_eq!(me().await, 200);
    // The session is being looked at when the client hangs up, and cannot be.
    let lock = server.is_locked_by_another().await;
    cut_off(&server, "POST /v1/refresh", "", &spent, Duration::from_millis(500)).await;
    assert_eq!(me().await, 200);
    drop(lock);
    wait_for("the session is over", || async { me().await == 401 }).await;
}
