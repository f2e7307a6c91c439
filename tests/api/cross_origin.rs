//! Pages of other origins: the listed ones may use the API with a token, and read every answer; the others meet the server
//! as if none were listed. Looked at as it comes over the socket, where a browser looks.

use serde_json::json;

use super::raw::{self, Raw};
use crate::support::{PASSWORD, Person, Server, parlor, spread};

const APP: &str = "https://app.example.org";
const DEV: &str = "http://127.0.0.1:5173";
const FOREIGN: [&str; 8] = [
    "https://evil.example",
    "https://app.example.org.evil.example",
    "https://app.example.org:8443",
    "http://app.example.org",
    "https://APP.example.org",
    "http://127.0.0.1:51730",
    "null",
    "*",
];

async fn server(more: &[(&str, &str)]) -> Server {
    let both = format!("{APP}, {DEV}");
    let mut env = vec![("PARLOR_CORS__ORIGINS", both.as_str())];
    env.extend(more);
    Server::start_with(&env).await
}

/// All values of a header, in one text.
fn header(answer: &Raw, name: &str) -> String {
    let lines = answer.head.lines().filter_map(|line| line.split_once(": "));
    let values = lines.filter(|(known, _)| *known == name).map(|(_, value)| value);
    values.collect::<Vec<_>>().join(" + ")
}

async fn from(origin: &str, somebody: &Person, line: &str, headers: &str, body: &[u8]) -> Raw {
    let token = somebody.token();
    let headers = format!(
        "Origin: {origin}\r\nAuthorization: Bearer {token}\r\nSec-Fetch-Site: cross-site\r\n{headers}"
    );
    raw::request(somebody, line, &headers, body).await
}

async fn preflight(origin: &str, somebody: &Person, path: &str, method: &str) -> Raw {
    let headers = format!(
        "Origin: {origin}\r\nAccess-Control-Request-Method: {method}\r\n\
         Access-Control-Request-Headers: authorization,content-type,last-event-id\r\n"
    );
    raw::request(somebody, &format!("OPTIONS {path}"), &headers, b"").await
}

/// What a browser asks of an answer before it shows it to the page.
#[track_caller]
fn is_readable(answer: &Raw, origin: &str) {
    assert_eq!(header(answer, "access-control-allow-origin"), origin, "{answer:?}");
    let exposed = header(answer, "access-control-expose-headers");
    for name in ["retry-after", "x-request-id", "www-authenticate"] {
        assert!(exposed.split(", ").any(|exposed| exposed == name), "{name}: {answer:?}");
    }
    assert_eq!(header(answer, "access-control-allow-credentials"), "", "{answer:?}");
    assert!(header(answer, "vary").split(", ").any(|name| name == "origin"), "{answer:?}");
    assert_eq!(header(answer, "x-request-id").len(), 36, "{answer:?}");
}

#[tokio::test]
async fn a_browser_that_asks_first_is_told_what_a_page_may_send() {
    let server = server(&[]).await;
    let ada = server.register("ada").await;
    let long = format!("/v1/rooms?q={}", "a".repeat(9_000));
    for origin in [APP, DEV] {
        // For paths and methods that there are not, too: else the page could not read the 404, 405 or 414 that follows.
        for (path, method) in [
            ("/v1/rooms", "POST"),
            ("/v1/rooms/lobby", "PATCH"),
            ("/v1/rooms/lobby/members/bob", "PUT"),
            ("/v1/rooms/lobby", "DELETE"),
            ("/v1/events?after=abc", "GET"),
            ("/v1/nothing", "GET"),
            ("/v1/login", "PUT"),
            (long.as_str(), "GET"),
        ] {
            let answer = preflight(origin, &ada, path, method).await;
            assert_eq!((answer.status, answer.body.as_str()), (204, ""), "{path}: {answer:?}");
            is_readable(&answer, origin);
            let allowed = header(&answer, "access-control-allow-methods").to_uppercase();
            assert!(allowed.split(", ").any(|allowed| allowed == method), "{method}: {answer:?}");
            // `*` stands for all that a library may add, but for `Authorization`, and not in browsers before 2019.
            let allowed = header(&answer, "access-control-allow-headers");
            for name in ["accept", "authorization", "cache-control", "content-type", "last-event-id", "*"] {
                assert!(allowed.split(", ").any(|allowed| allowed == name), "{name}: {answer:?}");
            }
            assert_eq!(header(&answer, "access-control-max-age"), "7200");
            let vary = "origin, access-control-request-method, access-control-request-headers";
            assert_eq!(header(&answer, "vary"), vary);
        }
    }
    let plain = raw::request(&ada, "OPTIONS /v1/rooms", &format!("Origin: {APP}\r\n"), b"").await;
    assert_eq!(plain.verdict(), (405, "method_not_allowed".into()), "it asks for nothing");
}

#[tokio::test]
async fn a_page_of_a_listed_origin_reads_every_answer() {
    let server = server(&[]).await;
    let ada = server.register("ada").await;
    ada.creates_room("lobby").await;
    let json = "Content-Type: application/json\r\n";
    let zipped = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    let large = vec![b'a'; 70_000];
    let long = format!("GET /v1/rooms?q={}", "a".repeat(9_000));
    for (line, headers, body, status) in [
        ("GET /v1/users/me", "", &b""[..], 200),
        ("HEAD /v1/users/me", "", b"", 200),
        ("POST /v1/rooms/lobby/messages", json, b"{\"body\":\"Hello\"}", 201),
        ("DELETE /v1/rooms/lobby", "Cookie: other=1\r\n", b"", 204),
        ("POST /v1/rooms", json, b"{", 400),
        ("GET /v1/rooms?limit=1000", "", b"", 400),
        ("GET /v1/rooms/nowhere", "", b"", 404),
        ("GET /v1/nothing", "", b"", 404),
        ("GET /assets/nothing.js", "", b"", 404),
        ("PUT /v1/login", "", b"", 405),
        ("POST /elsewhere", "", b"", 405),
        ("POST /v1/rooms", json, &large, 413),
        (long.as_str(), "", b"", 414),
        ("POST /v1/rooms", zipped, b"{}", 415),
        ("GET /openapi.json", "", b"", 200),
        ("GET /readyz", "", b"", 200),
        ("GET /", "", b"", 200),
    ] {
        let answer = from(DEV, &ada, line, headers, body).await;
        assert_eq!(answer.status, status, "{line:.40}: {answer:?}");
        is_readable(&answer, DEV);
    }
    let page = from(APP, &ada, "GET /", "Accept-Encoding: br\r\n", b"").await;
    assert_eq!(header(&page, "vary"), "accept-encoding, origin");
    let stranger = raw::request(&ada, "GET /v1/users/me", &format!("Origin: {APP}\r\n"), b"").await;
    assert_eq!(stranger.verdict(), (401, "unauthenticated".into()));
    is_readable(&stranger, APP);
    assert_eq!(header(&stranger, "www-authenticate"), "bearer");
}

#[tokio::test]
async fn a_page_of_a_listed_origin_reads_when_to_come_back() {
    if spread::skips("rates hold for each node") {
        return;
    }
    let limits = [("PARLOR_LIMITS__ENABLED", "true"), ("PARLOR_LIMITS__READS_PER_USER", "1, 1/h")];
    let server = server(&limits).await;
    let ada = server.register("ada").await;
    from(APP, &ada, "GET /v1/users/me", "", b"").await;
    let answer = from(APP, &ada, "GET /v1/users/me", "", b"").await;
    assert_eq!(answer.verdict(), (429, "too_many_requests".into()));
    is_readable(&answer, APP);
    assert!(header(&answer, "retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 1_000), "{answer:?}");
}

#[tokio::test]
async fn a_page_of_a_listed_origin_follows_a_stream_and_resumes() {
    let server = server(&[]).await;
    let ada = server.register("ada").await;
    ada.creates_room("lobby").await;
    let mut first = ada.opening("/v1/rooms/lobby/events").header("Origin", APP).open().await;
    assert_eq!(first.head.header("access-control-allow-origin"), APP);
    assert_eq!(first.head.header("vary"), "Origin");
    ada.posts("lobby", "one").await;
    first.hello().await;
    let cursor = first.next().await.cursor().to_owned();
    drop(first);
    ada.posts("lobby", "two").await;
    let again = ada.opening("/v1/rooms/lobby/events").header("Origin", APP).last_event_id(&cursor);
    let mut again = again.open().await;
    again.hello().await;
    assert_eq!(again.next().await.data["message"]["body"], "two");
    let refused = from(APP, &ada, "GET /v1/rooms/nowhere/events", "", b"").await;
    assert_eq!(refused.verdict(), (404, "room_not_found".into()));
    is_readable(&refused, APP);
}

#[tokio::test]
async fn a_foreign_origin_meets_a_server_without_a_list() {
    let (server, without) = (server(&[]).await, Server::start().await);
    let ada = server.register("ada").await;
    is_readable(&preflight(APP, &ada, "/v1/rooms", "POST").await, APP);
    let nobody = without.register("ada").await;
    let but_for_vary = |answer: &Raw| {
        let differs =
            |line: &&str| !["vary", "date", "x-request-id"].iter().any(|name| line.starts_with(name));
        answer.head.lines().filter(differs).map(str::to_owned).collect::<Vec<_>>()
    };
    for origin in FOREIGN {
        for (line, status) in [("GET /v1/users/me", 200), ("GET /v1/nothing", 404)] {
            let (answer, plain) =
                (from(origin, &ada, line, "", b"").await, from(origin, &nobody, line, "", b"").await);
            assert_eq!(
                (answer.status, header(&answer, "vary")),
                (status, "origin".into()),
                "{origin}: {answer:?}"
            );
            assert_eq!(but_for_vary(&answer), but_for_vary(&plain), "{origin}");
            assert_eq!(header(&plain, "vary"), "");
        }
        let asked = preflight(origin, &ada, "/v1/rooms", "POST").await;
        assert_eq!(asked.verdict(), (405, "method_not_allowed".into()), "{origin}");
        assert!(!asked.head.contains("access-control"), "{origin}: {asked:?}");
        assert_eq!(header(&asked, "vary"), "origin", "{origin}");
    }
    let two = raw::request(&ada, "GET /v1/server", &format!("Origin: {APP}\r\nOrigin: {APP}\r\n"), b"").await;
    assert!(!two.head.contains("access-control"), "{two:?}");
    let asked = preflight(APP, &nobody, "/v1/rooms", "POST").await;
    assert_eq!(
        (asked.status, asked.head.contains("access-control")),
        (405, false),
        "none is listed by default"
    );
}

#[tokio::test]
async fn cookies_are_not_for_pages_of_listed_origins() {
    let server = server(&[]).await;
    let ada = server.register("ada").await;
    let browser = server.browser();
    let body = json!({ "username": "ada", "password": PASSWORD, "transport": "cookie" });
    let signed_in = browser.post("/v1/login", body).await;
    let set = signed_in.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let jar = set.map(|cookie| cookie.split(';').next().unwrap()).collect::<Vec<_>>().join("; ");
    let own = format!("Cookie: {jar}\r\nSec-Fetch-Site: same-origin\r\n");
    assert_eq!(raw::request(&ada, "GET /v1/users/me", &own, b"").await.status, 200);
    // A page on another port of the same host is of the same site, so that browsers do send it cookies.
    for site in ["Sec-Fetch-Site: same-site\r\n", "Sec-Fetch-Site: cross-site\r\n", ""] {
        let headers = format!("Origin: {DEV}\r\nCookie: {jar}\r\n{site}Content-Type: application/json\r\n");
        for line in
            ["GET /v1/users/me", "GET /v1/events", "POST /v1/rooms", "POST /v1/refresh", "POST /v1/logout"]
        {
            let answer = raw::request(&ada, line, &headers, b"{}").await;
            assert_eq!(answer.verdict(), (403, "cross_origin".into()), "{line}: {answer:?}");
            is_readable(&answer, DEV);
        }
    }
    browser.get("/v1/users/me").await.ok(200);
}

#[tokio::test]
async fn a_list_with_mistakes_keeps_the_server_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let list = "https://app.example.org, *, https://app.example.org/chat";
    let ended = parlor(&["serve"], &[("PARLOR_CORS__ORIGINS", list)], "", folder.path()).await;
    assert_ne!(ended.code, Some(0));
    let complaint = "cors.origins has \"*\", \"https://app.example.org/chat\"; expected: a list of origins";
    assert!(ended.stderr.contains(complaint), "{}", ended.stderr);
}
