//! Browsers: tokens in cookies that script cannot read, and pages of other sites that must not use them.

use reqwest::Method;
use serde_json::json;

use super::raw;
use crate::support::{Answer, Client, PASSWORD, Server};

/// Sign-in with cookies.
async fn signs_in(browser: &Client, username: &str) -> Answer {
    let body = json!({ "username": username, "password": PASSWORD, "transport": "cookie" });
    browser.post("/v1/login", body).await
}

fn cookies(answer: &Answer) -> Vec<String> {
    answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

/// What a browser sends back.
fn jar(answer: &Answer) -> String {
    let set = cookies(answer);
    set.iter().map(|cookie| cookie.split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn cookies_carry_the_tokens_and_the_body_does_not() {
    let server = Server::start().await;
    server.register("ada").await;
    let browser = server.browser();
    let answer = signs_in(&browser, "ada").await;
    let [access, refresh] = cookies(&answer).try_into().unwrap();
    let port = server.address().port();
    assert!(access.starts_with(&format!("parlor_access_{port}=ey")), "{access}");
    assert!(access.ends_with("; HttpOnly; SameSite=Strict; Path=/; Max-Age=900"), "{access}");
    assert!(refresh.starts_with(&format!("parlor_refresh_{port}=")), "{refresh}");
    assert!(refresh.ends_with("; HttpOnly; SameSite=Strict; Path=/; Max-Age=1209600"), "{refresh}");
    let body = answer.ok(200);
    assert_eq!((body.get("access_token"), body.get("refresh_token")), (None, None));
    assert_eq!(browser.get("/v1/users/me").await.ok(200)["username"], "ada");

    let answer = browser.post("/v1/refresh", json!({})).await;
    assert_eq!(cookies(&answer).len(), 2);
    assert_eq!(answer.ok(200).get("refresh_token"), None);
    browser.get("/v1/users/me").await.ok(200);

    let answer = browser.post_nothing("/v1/logout").await;
    assert!(
        cookies(&answer)
            .iter()
            .all(|cookie| cookie.ends_with("=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0")),
        "{answer:?}"
    );
    assert_eq!(answer.status, 204);
    browser.get("/v1/users/me").await.problem(401, "unauthenticated");
    browser.post("/v1/refresh", json!({})).await.problem(401, "invalid_refresh_token");
}

#[tokio::test]
async fn pages_of_other_sites_cannot_use_the_cookies() {
    let server = Server::start().await;
    server.register("ada").await;
    let browser = server.browser();
    let jar = jar(&signs_in(&browser, "ada").await);
    let origin = server.url();
    let is_allowed = |headers: String| {
        let (client, jar) = (server.anonymous(), jar.clone());
        async move {
            let headers = format!("Cookie: {jar}\r\n{headers}");
            let read = raw::request(&client, "GET /v1/users/me", &headers, b"").await.verdict();
            let json = format!("{headers}Content-Type: application/json\r\n");
            let write = raw::request(&client, "PATCH /v1/users/me", &json, b"{}").await.verdict();
            let stream = raw::request(&client, "HEAD /v1/events", &headers, b"").await.status;
            assert_eq!(read, write, "{headers}");
            assert_eq!(read.0, stream, "{headers}");
            assert!(read.0 == 200 || read == (403, "cross_origin".into()), "{headers}: {read:?}");
            read.0 == 200
        }
    };
    assert!(is_allowed("Sec-Fetch-Site: same-origin\r\n".into()).await);
    assert!(is_allowed(format!("Origin: {origin}\r\n")).await);
    for headers in [
        String::new(),
        "Sec-Fetch-Site: cross-site\r\n".into(),
        "Sec-Fetch-Site: same-site\r\n".into(),
        "Sec-Fetch-Site: none\r\n".into(),
        format!("Sec-Fetch-Site: cross-site\r\nOrigin: {origin}\r\n"),
        "Origin: null\r\n".into(),
        "Origin: https://evil.example\r\n".into(),
        format!("Origin: {origin}.evil.example\r\n"),
        format!("Origin: {origin}0\r\n"),
        format!("Referer: {origin}/\r\n"),
    ] {
        assert!(!is_allowed(headers.clone()).await, "{headers}");
    }
    for path in ["/v1/refresh", "/v1/logout", "/v1/login", "/v1/rooms/lobby/join"] {
        let headers =
            format!("Cookie: {jar}\r\nContent-Type: application/json\r\nSec-Fetch-Site: cross-site\r\n");
        let answer = raw::request(&server.anonymous(), &format!("POST {path}"), &headers, b"{}").await;
        assert_eq!(answer.verdict(), (403, "cross_origin".into()), "{path}");
    }
    browser.get("/v1/users/me").await.ok(200);
}

#[tokio::test]
async fn a_bearer_header_decides_over_the_cookie() {
    let server = Server::start().await;
    server.register("ada").await;
    let bob = server.register("bob").await;
    let browser = server.browser();
    signs_in(&browser, "ada").await.ok(200);
    let as_bob = browser.bearing(bob.token());
    assert_eq!(as_bob.get("/v1/users/me").await.ok(200)["username"], "bob");
    browser.bearing("nonsense").get("/v1/users/me").await.problem(401, "unauthenticated");
    assert_eq!(as_bob.post_nothing("/v1/logout").await.status, 204);
    bob.get("/v1/users/me").await.problem(401, "unauthenticated");
    let ada = json!({ "username": "ada", "password": PASSWORD });
    server.anonymous().bearing("nonsense").post("/v1/login", ada).await.ok(200);
}

#[tokio::test]
async fn the_address_that_browsers_use_decides_about_cookies() {
    let https = Server::start_with(&[
        ("PARLOR_SERVER__PUBLIC_URL", "https://chat.example"),
        ("PARLOR_ACCOUNTS__REGISTRATION", "open"),
    ])
    .await;
    https.register("ada").await;
    let answer = signs_in(&https.browser(), "ada").await;
    for (cookie, name) in cookies(&answer).iter().zip(["__Host-parlor_access=", "__Host-parlor_refresh="]) {
        assert!(cookie.starts_with(name) && cookie.contains("; Secure;"), "{cookie}");
        assert!(!cookie.contains("Domain"), "{cookie}");
    }
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");

    let plain = Server::start_with(&[
        ("PARLOR_SERVER__PUBLIC_URL", "http://chat.example"),
        ("PARLOR_ACCOUNTS__REGISTRATION", "open"),
    ])
    .await;
    plain.register("ada").await;
    let answer = signs_in(&plain.browser(), "ada").await;
    assert_eq!(cookies(&answer), Vec::<String>::new());
    assert_eq!(answer.header("strict-transport-security"), "");
    answer.problem(400, "insecure_transport");
}

#[tokio::test]
async fn tokens_are_given_back_the_way_they_came() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let token = json!({ "refresh_token": ada.refresh_token });
    let answer = server.browser().request(Method::POST, "/v1/refresh", Some(token), &[]).await;
    assert_eq!(cookies(&answer), Vec::<String>::new());
    assert!(answer.ok(200)["refresh_token"].is_string());
    let nothing = server.anonymous().post("/v1/refresh", json!({})).await;
    nothing.problem(401, "invalid_refresh_token");
    let gone = json!({ "refresh_token": "nonsense" });
    assert_eq!(server.anonymous().post("/v1/logout", gone).await.status, 204);
    assert_eq!(server.anonymous().post_nothing("/v1/logout").await.status, 204);
}

#[tokio::test]
async fn a_page_of_another_site_signs_nobody_in_or_out_by_cookies() {
    let listed = "https://app.example.org";
    let server = Server::start_with(&[("PARLOR_CORS__ORIGINS", listed)]).await;
    server.register("ada").await;
    let body =
        |transport| json!({ "username": "ada", "password": PASSWORD, "transport": transport }).to_string();
    let login = async |headers: &str, transport| {
        let headers = format!("Content-Type: application/json\r\n{headers}");
        raw::request(&server.anonymous(), "POST /v1/login", &headers, body(transport).as_bytes()).await
    };
    let ours = [format!("Origin: {}\r\n", server.url()), "Sec-Fetch-Site: same-origin\r\n".to_owned()];
    let foreign = [
        String::new(),
        "Origin: null\r\n".to_owned(),
        format!("Origin: {listed}\r\n"),
        format!("Origin: {listed}\r\nSec-Fetch-Site: cross-site\r\n"),
        format!("Origin: {}\r\nSec-Fetch-Site: same-site\r\n", server.url()),
        "Origin: https://evil.example\r\n".to_owned(),
    ];
    for headers in &foreign {
        let answer = login(headers, "cookie").await;
        assert_eq!(answer.verdict(), (403, "cross_origin".into()), "{headers}");
        assert!(!answer.head.contains("set-cookie"), "{answer:?}");
        let bearer = login(headers, "bearer").await;
        assert_eq!((bearer.status, bearer.head.contains("set-cookie")), (200, false), "{headers}");
    }
    for headers in &ours {
        assert!(login(headers, "cookie").await.head.contains("set-cookie: parlor_refresh_"), "{headers}");
        let out = raw::request(&server.anonymous(), "POST /v1/logout", headers, b"").await;
        assert_eq!((out.status, out.head.matches("max-age=0").count()), (204, 2), "{headers}");
    }
    // Its form brings no cookies along, but browsers would keep those of the answer.
    for headers in &foreign[1..] {
        let out = raw::request(&server.anonymous(), "POST /v1/logout", headers, b"").await;
        assert_eq!((out.status, out.head.contains("set-cookie")), (204, false), "{headers}");
    }
}

#[tokio::test]
async fn a_page_at_an_address_that_the_server_does_not_know_is_told_so_before_it_signs_in() {
    let server = Server::start().await;
    server.register("ada").await;
    let port = server.address().port();
    let body = json!({ "username": "ada", "password": PASSWORD, "transport": "cookie" }).to_string();
    // Plain http at another name, as browsers send it: no Fetch Metadata.
    let headers = format!("Content-Type: application/json\r\nOrigin: http://parlor.example:{port}\r\n");
    let answer = raw::request(&server.anonymous(), "POST /v1/login", &headers, body.as_bytes()).await;
    assert_eq!(answer.verdict(), (403, "cross_origin".into()));
    assert!(answer.json()["detail"].as_str().unwrap().contains("`server.public_url`"), "{}", answer.body);
    assert!(!answer.head.contains("set-cookie"), "{}", answer.head);

    // Behind a proxy that speaks https, where the server knows only its own end.
    let everywhere =
        [("PARLOR_SERVER__PUBLIC_URL", "http://10.0.0.1:80"), ("PARLOR_ACCOUNTS__REGISTRATION", "open")];
    let server = Server::start_with(&everywhere).await;
    server.register("ada").await;
    let problem = signs_in(&server.browser(), "ada").await.problem(400, "insecure_transport");
    assert!(problem["detail"].as_str().unwrap().contains("`server.public_url`"), "{problem}");
}

#[tokio::test]
async fn a_password_that_a_proxy_asks_for_does_not_shut_the_cookies_out() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    ada.creates_room("lobby").await;
    let browser = server.browser();
    for scheme in ["Basic YWRhOnNlc2FtZQ==", "basic YWRhOnNlc2FtZQ==", "Digest username=\"ada\"", "Negotiate"]
    {
        let proxied = [("authorization", scheme)];
        let ask = async |method, path: &str, body| browser.request(method, path, body, &proxied).await;
        let login = json!({ "username": "ada", "password": PASSWORD, "transport": "cookie" });
        let signed_in = ask(Method::POST, "/v1/login", Some(login)).await;
        let jar = jar(&signed_in);
        signed_in.ok(200);
        ask(Method::GET, "/v1/users/me", None).await.ok(200);
        ask(Method::PATCH, "/v1/users/me", Some(json!({}))).await.ok(200);
        for path in ["/v1/events", "/v1/rooms/lobby/events"] {
            let stream = server.anonymous().opening(path).header("Authorization", scheme);
            let stream = stream.header("Cookie", &jar).header("Sec-Fetch-Site", "same-origin");
            stream.open().await.hello().await;
        }
        ask(Method::POST, "/v1/refresh", Some(json!({}))).await.ok(200);
        ask(Method::GET, "/v1/users/me", None).await.ok(200);
        ask(Method::POST, "/v1/logout", None).await.ok(204);
        ask(Method::GET, "/v1/users/me", None).await.problem(401, "unauthenticated");
    }
    signs_in(&browser, "ada").await.ok(200);
    for bearer in ["Bearer", "bearer ", "BEARER x"] {
        let headers = [("authorization", bearer)];
        let answer = browser.request(Method::GET, "/v1/users/me", None, &headers).await;
        answer.problem(401, "unauthenticated");
    }
    browser.get("/v1/users/me").await.ok(200);
}

#[tokio::test]
async fn cookies_without_secure_are_given_only_to_plain_pages_on_loopback() {
    let server = Server::start().await;
    server.register("ada").await;
    let port = server.address().port();
    let body = json!({ "username": "ada", "password": PASSWORD, "transport": "cookie" }).to_string();
    let login = async |origin: &str| {
        let headers =
            format!("Content-Type: application/json\r\nSec-Fetch-Site: same-origin\r\nOrigin: {origin}\r\n");
        raw::request(&server.anonymous(), "POST /v1/login", &headers, body.as_bytes()).await
    };
    // A proxy speaks https, and the configuration does not say so.
    for origin in [
        "https://chat.example.org".to_owned(),
        "https://chat.example.org.".to_owned(),
        format!("https://127.0.0.1:{port}"),
        "http://chat.example.org".to_owned(),
        "http://chat_1.example.org".to_owned(),
    ] {
        let answer = login(&origin).await;
        assert_eq!(answer.verdict(), (403, "cross_origin".into()), "{origin}");
        assert!(answer.json()["detail"].as_str().unwrap().contains("`server.public_url`"), "{}", answer.body);
        assert!(!answer.head.contains("set-cookie"), "{}", answer.head);
    }
    // Another name of this machine, and a port that was forwarded.
    for origin in [server.url(), format!("http://localhost:{port}"), "http://127.0.0.1:9999".to_owned()] {
        let answer = login(&origin).await;
        assert_eq!(answer.status, 200, "{origin}: {}", answer.body);
        assert!(answer.head.contains("set-cookie: parlor_refresh_"), "{}", answer.head);
    }
}

#[tokio::test]
async fn credentials_of_another_scheme_need_not_be_text() {
    let server = Server::start().await;
    server.register("ada").await;
    let jar = jar(&signs_in(&server.browser(), "ada").await);
    let asks = async |authorization: &[u8]| {
        let head = format!(
            "GET /v1/users/me HTTP/1.1\r\nHost: parlor\r\nConnection: close\r\nCookie: {jar}\r\n\
             Sec-Fetch-Site: same-origin\r\nAuthorization: "
        );
        let request = [head.as_bytes(), authorization, b"\r\n\r\n"].concat();
        raw::send(&server.anonymous(), &request).await
    };
    for other in [&b"Digest username=\"J\xe4son\""[..], b"Basic \xe4", b"Negotiat\xe4 x", b"\xe4"] {
        let answer = asks(other).await;
        assert_eq!(answer.status, 200, "{other:?}: {}", answer.body);
    }
    for bearer in [&b"Bearer J\xe4son"[..], b"bearer \xe4"] {
        assert_eq!(asks(bearer).await.verdict(), (401, "unauthenticated".into()), "{bearer:?}");
    }
}
