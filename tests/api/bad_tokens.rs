//! Access tokens that are not valid: forged, altered, of another kind, or sent twice. All get the same answer.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use super::raw;
use crate::support::Server;

#[tokio::test]
async fn tokens_that_we_did_not_make_are_one_401() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let [head, claims, signature] = ada.token().split('.').collect::<Vec<_>>().try_into().unwrap();
    let with_head = |change: &dyn Fn(&mut Value)| format!("{}.{claims}.{signature}", altered(head, change));
    let with_claims = |change: &dyn Fn(&mut Value)| format!("{head}.{}.{signature}", altered(claims, change));
    let none = with_head(&|head| head["alg"] = json!("none"));
    let unsigned = none.rsplit_once('.').unwrap().0.to_owned() + ".";
    let mut first = None;
    for token in [
        unsigned,
        none,
        with_head(&|head| head["alg"] = json!("HS512")),
        with_head(&|head| head["alg"] = json!("RS256")),
        with_head(&|head| head["kid"] = json!("../../../dev/null")),
        with_head(&|head| head["typ"] = json!("JWT")),
        with_head(&|head| head["crit"] = json!(["exp"])),
        with_claims(&|claims| claims["exp"] = json!(9_999_999_999_i64)),
        with_claims(&|claims| claims["sub"] = json!("0190a7c4-7b1e-7cc0-8000-000000000000")),
        format!("{head}.{claims}.{}", signature.chars().rev().collect::<String>()),
        format!("{head}.{claims}"),
        ada.refresh_token.clone(),
        "a".repeat(10_000),
        "x".to_owned(),
    ] {
        let shown = token.chars().take(60).collect::<String>();
        let answer = ada.bearing(&token).get("/v1/users/me").await;
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{shown}");
        let mut problem = answer.problem(401, "unauthenticated");
        problem["request_id"] = Value::Null;
        assert_eq!(first.get_or_insert_with(|| problem.clone()), &problem, "{shown}");
    }
    ada.get("/v1/users/me").await.ok(200);
}

#[tokio::test]
async fn there_is_one_authorization_header_and_it_bears_a_token() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let token = ada.token();
    for (headers, verdict) in [
        (
            format!("Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n"),
            (400, "invalid_request"),
        ),
        (format!("Authorization: Basic {token}\r\n"), (401, "unauthenticated")),
        ("Authorization: Bearer\r\n".to_owned(), (401, "unauthenticated")),
        (format!("Authorization: {token}\r\n"), (401, "unauthenticated")),
        (String::new(), (401, "unauthenticated")),
    ] {
        let answer = raw::request(&ada, "GET /v1/users/me", &headers, b"").await;
        assert_eq!(answer.verdict(), (verdict.0, verdict.1.to_owned()), "{headers}");
    }
    let lower =
        raw::request(&ada, "GET /v1/users/me", &format!("authorization: bearer {token}\r\n"), b"").await;
    assert_eq!(lower.status, 200, "the scheme's name has no case");
}

#[tokio::test]
async fn every_operation_that_is_not_open_asks_who_is_calling() {
    let server = Server::start().await;
    let client = server.anonymous();
    let document = crate::support::published();
    let mut asked = 0;
    for (path, method, operation) in document.operations() {
        if operation["security"].as_array().is_some_and(|any| any.iter().all(|way| way == &json!({}))) {
            continue;
        }
        if operation["operationId"] == "logout" {
            continue;
        }
        let path = path.replace("{room}", "lobby").replace(['{', '}'], "");
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        client.request(method, &path, None, &[]).await.problem(401, "unauthenticated");
        asked += 1;
    }
    assert!(asked >= 20, "only {asked}");
}

/// One part of a token, encoded from other content.
fn altered(part: &str, change: &dyn Fn(&mut Value)) -> String {
    let mut json = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    change(&mut json);
    URL_SAFE_NO_PAD.encode(json.to_string())
}
