//! The headers of every kind of answer (OWASP: REST, secure headers): what keeps a browser from guessing, framing, caching
//! or leaking. Looked at as they come over the socket, each exactly once.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::json;

use super::raw;
use crate::support::{Person, Server};

const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'";
const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// What differs from kind to kind.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Api,
    Stream,
    Document,
    Page,
    Explorer,
    Example,
    Asset,
}

/// An answer's status and headers, which must not repeat.
#[track_caller]
fn headers_of(answer: &raw::Raw) -> (u16, HashMap<String, String>) {
    let mut headers = HashMap::new();
    for line in answer.head.lines().skip(1) {
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        let before = headers.insert(name.to_owned(), value.to_owned());
        assert!(before.is_none(), "{name} is there twice:\n{}", answer.head);
    }
    (answer.status, headers)
}

#[track_caller]
fn check(what: &str, kind: Kind, headers: &HashMap<String, String>) {
    let header = |name: &str| headers.get(name).map_or("", String::as_str);
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("access-control-allow-origin", ""),
        ("access-control-allow-credentials", ""),
        ("server", ""),
        ("x-powered-by", ""),
    ] {
        assert_eq!(header(name), value, "{what}: {name}");
    }
    assert_eq!(header("x-request-id").len(), 36, "{what}");
    let cache = match kind {
        Kind::Api => "no-store",
        Kind::Stream => "no-store, no-transform",
        Kind::Document | Kind::Page | Kind::Explorer | Kind::Example => "no-cache",
        Kind::Asset => IMMUTABLE,
    };
    assert_eq!(header("cache-control"), cache, "{what}");
    let policy = header("content-security-policy");
    match kind {
        Kind::Page => assert_eq!(policy, PAGE_POLICY, "{what}"),
        Kind::Explorer => {
            for part in
                ["default-src 'none'", "script-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"]
            {
                assert!(policy.split("; ").any(|own| own == part), "{what}: {part} in {policy}");
            }
        }
        Kind::Example => {
            for part in ["default-src 'none'", "connect-src 'self'", "require-trusted-types-for 'script'"] {
                assert!(policy.split("; ").any(|own| own == part), "{what}: {part} in {policy}");
            }
            assert!(
                policy.contains("; script-src 'sha256-") && policy.contains("; style-src 'sha256-"),
                "{what}"
            );
            assert!(!policy.contains("unsafe") && !policy.contains("script-src 'self'"), "{what}: {policy}");
        }
        Kind::Api | Kind::Stream | Kind::Document | Kind::Asset => assert_eq!(policy, API_POLICY, "{what}"),
    }
    let is_page = matches!(kind, Kind::Page | Kind::Explorer | Kind::Example);
    assert_eq!(header("cross-origin-opener-policy"), if is_page { "same-origin" } else { "" }, "{what}");
    let permissions = header("permissions-policy");
    assert_eq!(permissions.contains("camera=()") && permissions.contains("microphone=()"), is_page, "{what}");
    assert_eq!(header("x-accel-buffering"), if kind == Kind::Stream { "no" } else { "" }, "{what}");
    assert_eq!(header("strict-transport-security"), "", "{what}: only https has it");
}

async fn ask(ada: &Person, line: &str, headers: &str, body: &str) -> (u16, HashMap<String, String>) {
    let content = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let all = format!("Authorization: Bearer {}\r\n{content}{headers}", ada.token());
    headers_of(&raw::request(ada, line, &all, body.as_bytes()).await)
}

#[tokio::test]
async fn every_kind_of_answer_of_the_api_has_its_headers() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    ada.creates_room("lobby").await;
    let long = format!("GET /v1/rooms?q={}", "a".repeat(9_000));
    let large = format!("{{\"name\":\"{}\"}}", "a".repeat(70_000));
    let name = json!({ "name": "hall" }).to_string();
    let password = json!({ "username": "ada", "password": "wrong" }).to_string();
    let cookie = format!("Cookie: parlor_access_{}=a\r\n", server.address().port());
    let zipped = "Content-Encoding: gzip\r\n";
    for (line, headers, body, status) in [
        ("GET /v1/users/me", "", "", 200),
        ("POST /v1/rooms", "", name.as_str(), 201),
        ("POST /v1/rooms", "", name.as_str(), 409),
        ("DELETE /v1/rooms/hall", "", "", 204),
        ("HEAD /v1/users/me", "", "", 200),
        ("HEAD /v1/rooms/nowhere", "", "", 404),
        (
            "OPTIONS /v1/rooms",
            "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n",
            "",
            405,
        ),
        ("TRACE /v1/rooms", "", "", 405),
        ("GET /v1/rooms/lobby", "Origin: https://evil.example\r\n", "", 200),
        ("GET /v1/nothing", "", "", 404),
        ("GET /v1/rooms?limit=1000", "", "", 400),
        ("POST /v1/rooms", "", "{", 400),
        ("POST /v1/login", "", password.as_str(), 401),
        ("POST /v1/rooms", cookie.as_str(), name.as_str(), 403),
        ("POST /v1/rooms", "", large.as_str(), 413),
        (long.as_str(), "", "", 414),
        ("POST /v1/rooms", zipped, name.as_str(), 415),
        ("POST /v1/rooms", "", "{\"name\":\"attic\",\"title\":\"a\\u0000b\"}", 422),
        ("GET /livez", "", "", 200),
        ("GET /readyz", "", "", 200),
    ] {
        let (got, headers) = ask(&ada, line, headers, body).await;
        let what = format!("{} {status}", &line[..line.len().min(40)]);
        assert_eq!(got, status, "{what}: {headers:?}");
        check(&what, Kind::Api, &headers);
        let is_empty = status == 204;
        assert_eq!(headers.contains_key("content-type"), !is_empty, "{what}");
    }
}

#[tokio::test]
async fn streams_the_document_and_the_client_have_theirs() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    ada.creates_room("lobby").await;
    for path in ["/v1/events", "/v1/rooms/lobby/events"] {
        let open = ada.opening(path).open().await;
        let headers = open.head.headers.iter().cloned().collect();
        check(path, Kind::Stream, &headers);
        let (status, headers) = ask(&ada, &format!("HEAD {path}"), "", "").await;
        assert_eq!(status, 200);
        check(path, Kind::Stream, &headers);
    }
    let (_, refused) = ask(&ada, "GET /v1/rooms/nowhere/events", "", "").await;
    check("a refused stream", Kind::Api, &refused);

    let page = server.anonymous().get("/").await;
    let asset = page.text.split(['"', '\'']).find(|part| part.starts_with("/assets/")).map(str::to_owned);
    let mut kinds = vec![
        ("/openapi.json".to_owned(), Kind::Document),
        ("/".to_owned(), Kind::Page),
        ("/room/lobby".to_owned(), Kind::Page),
        ("/docs".to_owned(), Kind::Explorer),
        ("/docs/example".to_owned(), Kind::Example),
    ];
    // A debug build without the client has a page and nothing beside it.
    kinds.extend(asset.map(|path| (path, Kind::Asset)));
    for (path, kind) in &kinds {
        let mut tag = String::new();
        for method in ["GET", "HEAD"] {
            let (status, headers) =
                ask(&ada, &format!("{method} {path}"), "Accept: text/html\r\nAccept-Encoding: br\r\n", "")
                    .await;
            assert_eq!(status, 200, "{method} {path}");
            check(&format!("{method} {path}"), *kind, &headers);
            tag = headers.get("etag").cloned().unwrap_or_default();
        }
        if !tag.is_empty() {
            let known = format!("Accept: text/html\r\nAccept-Encoding: br\r\nIf-None-Match: {tag}\r\n");
            let (status, headers) = ask(&ada, &format!("GET {path}"), &known, "").await;
            assert_eq!(status, 304, "{path} {tag}");
            check(&format!("304 {path}"), *kind, &headers);
        }
        let (status, headers) = ask(&ada, &format!("OPTIONS {path}"), "", "").await;
        assert_eq!(status, 405, "{path}");
        check(&format!("OPTIONS {path}"), Kind::Api, &headers);
    }
    let (status, headers) = ask(&ada, "GET /assets/gone-12345678.js", "", "").await;
    assert_eq!(status, 404);
    check("a missing asset", Kind::Api, &headers);
}

#[tokio::test]
async fn behind_https_browsers_are_told_to_stay_there() {
    let server = Server::start_with(&[("PARLOR_SERVER__PUBLIC_URL", "https://chat.example")]).await;
    for path in ["/", "/docs", "/openapi.json", "/v1/server", "/v1/users/me", "/v1/nothing"] {
        let answer = server.anonymous().get(path).await;
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000", "{path}");
    }
    let foreign = [("origin", "https://evil.example"), ("access-control-request-method", "POST")];
    let asked = server.anonymous().request(Method::OPTIONS, "/v1/rooms", None, &foreign).await;
    assert_eq!((asked.status, asked.header("access-control-allow-origin")), (405, ""));
}

#[tokio::test]
async fn what_is_refused_before_it_is_a_request_is_an_empty_answer_and_the_end() {
    // hyper answers these by itself and has no place for headers: there is nothing in them to sniff, frame or cache.
    let server = Server::start().await;
    for (head, status) in [
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(20_000)), 431),
        (format!("GET /{} HTTP/1.1\r\nHost: parlor\r\n\r\n", "a".repeat(70_000)), 431),
    ] {
        let answer = raw::send(&server.anonymous(), head.as_bytes()).await;
        let (got, headers) = headers_of(&answer);
        assert_eq!((got, answer.body.as_str()), (status, ""), "{answer:?}");
        assert_eq!(headers.get("connection").map(String::as_str), Some("close"), "{answer:?}");
        assert_eq!(headers.get("content-length").map(String::as_str), Some("0"), "{answer:?}");
    }
}
