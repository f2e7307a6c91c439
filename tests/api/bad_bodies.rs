//! Bodies that are wrong: each is answered by one clear problem that repeats nothing of them.

use serde_json::{Value, json};

use super::raw;
use crate::support::{PASSWORD, Server, without_cursor};

/// Stands in bodies where a password or a private thought could stand.
const SECRET: &str = "swordfish";

#[tokio::test]
async fn broken_json_is_refused_without_repeating_it() {
    let server = Server::start().await;
    let client = server.anonymous();
    let ada = json!({ "username": "ada", "password": PASSWORD });
    client.post("/v1/users", ada).await.ok(201);
    let deep = format!(r#"{{"username":"ada","password":{}"{SECRET}""#, "[".repeat(5_000));
    let cases: [(&[u8], &str); 16] = [
        (br#"{"username":"ada","password":"swordfish""#, ""),
        (br#"{"username":"ada","password":swordfish}"#, ""),
        (br#"{"username":"ada","password":"swordfish",}"#, ""),
        (br#"{"username":"ada","password":"swordfish"} "swordfish""#, ""),
        (br"{'username':'ada','password':'swordfish'}", ""),
        (br#"["ada","swordfish"]"#, ""),
        (br#""swordfish""#, ""),
        (br"null", ""),
        (b"\xef\xbb\xbf{\"username\":\"ada\",\"password\":\"swordfish\"}", ""),
        (b"{\"username\":\"ada\",\"password\":\"swordfish\xff\"}", ""),
        (br#"{"username":"ada","password":"swordfish\ud800"}"#, ""),
        (br#"{"username":"ada","password":"x","password":"swordfish"}"#, "/password"),
        (br#"{"username":"ada","password":"x","swordfish":1}"#, ""),
        (br#"{"username":"ada","password":{"swordfish":1}}"#, "/password"),
        (br#"{"username":"swordfish"}"#, "/password"),
        (deep.as_bytes(), "/password"),
    ];
    for (body, pointer) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]);
        let answer = raw::post(&client, "/v1/login", body).await;
        if body.len() > 4_096 {
            assert_eq!(answer.verdict(), (413, "body_too_large".into()), "{shown}");
            continue;
        }
        assert_eq!(answer.verdict(), (400, "invalid_body".into()), "{shown}: {}", answer.body);
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{shown}: {}", answer.body);
        assert!(!answer.body.contains(SECRET), "{shown}: {}", answer.body);
    }
    let right = json!({ "username": "ada", "password": PASSWORD });
    client.post("/v1/login", right).await.ok(200);
}

#[tokio::test]
async fn nesting_has_a_bottom() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    for depth in [10, 1_000, 30_000] {
        let body = format!(r#"{{"name":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let answer = raw::post(&ada, "/v1/rooms", body.as_bytes()).await;
        assert_eq!(answer.verdict(), (400, "invalid_body".into()), "{depth}");
    }
}

#[tokio::test]
async fn what_the_document_says_of_a_field_is_checked_as_400() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    let messages = format!("/v1/rooms/{}/messages", room.id);
    for (path, body, pointer) in [
        ("/v1/users", json!({ "username": "bo", "password": PASSWORD }), "/username"),
        ("/v1/users", json!({ "username": "bob smith", "password": PASSWORD }), "/username"),
        ("/v1/users", json!({ "username": "b".repeat(33), "password": PASSWORD }), "/username"),
        ("/v1/users", json!({ "username": "bob", "password": "elevenchars" }), "/password"),
        ("/v1/users", json!({ "username": "bob", "password": "x".repeat(129) }), "/password"),
        (
            "/v1/users",
            json!({ "username": "bob", "password": PASSWORD, "display_name": "" }),
            "/display_name",
        ),
        ("/v1/login", json!({ "username": "ada", "password": "x".repeat(129) }), "/password"),
        (
            "/v1/login",
            json!({ "username": "ada", "password": PASSWORD, "transport": "pigeon" }),
            "/transport",
        ),
        ("/v1/rooms", json!({ "name": "Lobby" }), "/name"),
        ("/v1/rooms", json!({ "name": "" }), "/name"),
        ("/v1/rooms", json!({ "name": 7 }), "/name"),
        ("/v1/rooms", json!({ "name": "a", "title": "x".repeat(65) }), "/title"),
        ("/v1/rooms", json!({ "name": "a", "topic": "x".repeat(501) }), "/topic"),
        ("/v1/rooms", json!({ "name": "a", "visibility": "secret" }), "/visibility"),
        ("/v1/rooms", json!({ "name": "a", "visibility": { "public": null } }), "/visibility"),
        ("/v1/rooms", json!({ "name": "a", "client_id": "a b" }), "/client_id"),
        (&messages, json!({ "body": "" }), "/body"),
        (&messages, json!({ "body": "字".repeat(4_001) }), "/body"),
        (&messages, json!({ "body": "a", "client_id": "x".repeat(65) }), "/client_id"),
        (&messages, json!({}), "/body"),
    ] {
        let problem = ada.post(path, body.clone()).await.problem(400, "invalid_body");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{path} {body}: {problem}");
    }
    ada.posts(&room, &"字".repeat(4_000)).await;
}

#[tokio::test]
async fn rules_that_a_schema_cannot_say_are_422() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    let messages = format!("/v1/rooms/{}/messages", room.id);
    let looks_like_an_id = "0190a7c4-7b1e-7cc0-8000-000000000000";
    for (path, body, code, pointer) in [
        ("/v1/users", json!({ "username": "admin", "password": PASSWORD }), "text_not_allowed", "/username"),
        (
            "/v1/users",
            json!({ "username": "bob", "password": "password1234" }),
            "password_too_common",
            "/password",
        ),
        (
            "/v1/users",
            json!({ "username": "bob", "password": PASSWORD, "display_name": "аdmіn" }),
            "text_not_allowed",
            "/display_name",
        ),
        ("/v1/rooms", json!({ "name": "a", "title": "a\u{202e}b" }), "text_not_allowed", "/title"),
        ("/v1/rooms", json!({ "name": "a", "topic": "  " }), "text_not_allowed", "/topic"),
        ("/v1/rooms", json!({ "name": looks_like_an_id }), "text_not_allowed", "/name"),
        (&messages, json!({ "body": "a\u{0}b" }), "text_not_allowed", "/body"),
        (&messages, json!({ "body": "\u{1b}[31mred" }), "text_not_allowed", "/body"),
        (&messages, json!({ "body": "a\u{85}b" }), "text_not_allowed", "/body"),
    ] {
        let problem = ada.post(path, body.clone()).await.problem(422, code);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{path} {body}: {problem}");
    }
}

#[tokio::test]
async fn in_a_patch_absent_and_null_stay_and_empty_clears() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let made =
        ada.post("/v1/rooms", json!({ "name": "lobby", "title": "Lobby", "topic": "All" })).await.ok(201);
    let path = format!("/v1/rooms/{}", made["id"].as_str().unwrap());
    let made = without_cursor(made);
    for field in ["name", "title", "topic", "visibility"] {
        let patched = ada.patch(&path, json!({ field: Value::Null })).await.ok(200);
        assert_eq!(without_cursor(patched), made, "{field}");
    }
    let ada_now = ada.get("/v1/users/me").await.ok(200);
    assert_eq!(ada.patch("/v1/users/me", json!({ "display_name": null })).await.ok(200), ada_now);
    let patched = ada.patch(&path, json!({ "title": "" })).await.ok(200);
    assert_eq!((patched.get("title"), &patched["topic"]), (None, &json!("All")));
    ada.patch("/v1/users/me", json!({ "display_name": "" })).await.problem(400, "invalid_body");
    ada.patch("/v1/users/me", json!({ "username": "bob" })).await.problem(400, "invalid_body");
}

#[tokio::test]
async fn only_plain_json_is_read() {
    let server = Server::start().await;
    let client = server.anonymous();
    let body = json!({ "username": "ada", "password": PASSWORD }).to_string();
    for headers in [
        "",
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: application/json; charset=latin1\r\n",
        "Content-Type: application/json\r\nContent-Type: text/plain\r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
        "Content-Type: application/json\r\nContent-Encoding: identity\r\n",
    ] {
        let answer = raw::request(&client, "POST /v1/users", headers, body.as_bytes()).await;
        assert_eq!(answer.verdict(), (415, "unsupported_media_type".into()), "{headers:?}");
    }
    let headers = "Content-Type: application/json; charset=utf-8\r\n";
    assert_eq!(raw::request(&client, "POST /v1/users", headers, body.as_bytes()).await.status, 201);
}

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_and_its_sender_sees_it() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    let path = format!("/v1/rooms/{}/messages", room.id);
    for megabytes in [1, 3, 3, 3, 3, 3, 3, 3, 3, 12] {
        let long = format!(r#"{{"body":"{}"}}"#, "a".repeat(megabytes << 20));
        let head = format!("POST {path} HTTP/1.1\r\nHost: parlor\r\nContent-Type: application/json\r\n");
        let rest = format!("Authorization: Bearer {}\r\nContent-Length: {}\r\n\r\n", ada.token(), long.len());
        let answer = raw::send_all(&server, (head + &rest + &long).as_bytes()).await;
        assert_eq!(answer.verdict(), (413, "body_too_large".into()));
    }
    let token = format!(r#"{{"refresh_token":"{}"}}"#, "a".repeat(4_096));
    let answer = raw::post(&server.anonymous(), "/v1/refresh", token.as_bytes()).await;
    assert_eq!(answer.verdict(), (413, "body_too_large".into()));
    ada.posts(&room, &"𝄞".repeat(4_000)).await;
}
