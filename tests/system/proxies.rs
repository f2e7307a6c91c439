//! Parlor behind nginx, Caddy and `HAProxy` with the files of docs/proxies: a browser signs in over TLS, streams pass at once
//! and stay open, and the proxy's word on who is where counts. The browser is curl, which speaks HTTP/2 as browsers do.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::support::postgres::Database;
use crate::support::proxy::{Kind, Proxy};
use crate::support::{DEADLINE, PASSWORD, Server, wait_for};

/// What "at once" means where three processes share a busy machine.
const AT_ONCE: Duration = Duration::from_secs(1);
const VERSIONS: [&str; 2] = ["--http1.1", "--http2"];

/// A browser with its jar of cookies, on a page of the proxy.
struct Browser {
    proxy: SocketAddr,
    version: &'static str,
    from: IpAddr,
    folder: TempDir,
}

/// A stream that curl follows, line by line.
struct Lines {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Browser {
    fn new(proxy: &Proxy, version: &'static str, from: u8) -> Self {
        let folder = tempfile::tempdir().expect("a folder for the cookies");
        Self { proxy: proxy.address, version, from: IpAddr::from([127, 0, 0, from]), folder }
    }

    fn curl(&self, path: &str) -> Command {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--insecure", "--no-buffer", self.version])
            .args(["--header", "Sec-Fetch-Site: same-origin", "--cookie-jar", "jar", "--cookie", "jar"])
            .args(["--interface", &self.from.to_string(), &format!("https://{}{path}", self.proxy)])
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        curl
    }

    /// Status, version of HTTP and body of an answer.
    async fn asks(&self, path: &str, body: Option<Value>, headers: &[&str]) -> (u16, String, Value) {
        let mut curl = self.curl(path);
        curl.args(["--max-time", "20", "--write-out", "\n%{http_code} %{http_version}"]);
        for header in headers {
            curl.args(["--header", header]);
        }
        if let Some(body) = body {
            curl.args(["--json", &body.to_string()]);
        }
        let Output { stdout, stderr, .. } =
            tokio::task::spawn_blocking(move || curl.output().expect("curl runs")).await.expect("it ends");
        let stdout = String::from_utf8(stdout).expect("text");
        let (body, end) = stdout.rsplit_once('\n').expect("curl writes a line of its own");
        let (status, version) = end.split_once(' ').expect("two words");
        let complaint = String::from_utf8_lossy(&stderr);
        assert_ne!(status, "000", "{path}: {complaint}");
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        (status.parse().expect("a status"), version.to_owned(), body)
    }

    async fn signs_in(&self, username: &str) {
        let body = json!({ "username": username, "password": PASSWORD, "transport": "cookie" });
        let (status, _, body) = self.asks("/v1/login", Some(body), &[]).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body.get("access_token"), None, "it is in a cookie");
    }

    async fn posts(&self, room: &str, body: &str) {
        let path = format!("/v1/rooms/{room}/messages");
        let (status, _, answer) = self.asks(&path, Some(json!({ "body": body })), &[]).await;
        assert_eq!(status, 201, "{answer}");
    }

    fn streams(&self, path: &str, headers: &[&str]) -> Lines {
        let mut curl = self.curl(path);
        for header in headers {
            curl.args(["--header", header]);
        }
        let mut child = curl.stdout(Stdio::piped()).spawn().expect("curl runs");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Lines { child, lines }
    }
}

impl Lines {
    /// The value of the next line with this name; none when the stream has ended.
    async fn next(&mut self, name: &str) -> Option<String> {
        let found = async {
            loop {
                let line = self.lines.recv().await?;
                if let Some(value) = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')) {
                    return Some(value.trim().to_owned());
                }
            }
        };
        timeout(DEADLINE, found).await.expect("a line comes in time")
    }

    /// The data of the next frame that is no ping.
    async fn frame(&mut self) -> Value {
        loop {
            let data = self.next("data").await.expect("the stream goes on");
            let data: Value = serde_json::from_str(&data).expect("data is JSON");
            if data["type"] != "ping" {
                return data;
            }
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server and a proxy before it; `changes` in the proxy's file.
async fn behind(kind: Kind, env: &[(&str, &str)], changes: &[(&str, &str)]) -> Option<(Server, Proxy)> {
    let planned = kind.plan()?;
    let origin = planned.origin();
    let mut all =
        vec![("PARLOR_SERVER__PUBLIC_URL", &*origin), ("PARLOR_SERVER__TRUSTED_PROXIES", "127.0.0.1")];
    all.extend(env);
    let server = Server::start_with(&all).await;
    let proxy = planned.before(server.address(), changes).await;
    Some((server, proxy))
}

#[tokio::test]
async fn a_browser_signs_in_and_hears_everything_through_each_proxy() {
    for kind in Kind::ALL {
        let Some((server, proxy)) = behind(kind, &[], &[]).await else { continue };
        for version in VERSIONS {
            let who = format!("{kind:?} {version}");
            let name = format!("ada-{}", version.replace(['-', '.'], ""));
            let ada = server.register(&name).await;
            let room = ada.creates_room(&name).await.id;
            let browser = Browser::new(&proxy, version, 1);
            browser.signs_in(&name).await;
            let jar = std::fs::read_to_string(browser.folder.path().join("jar")).unwrap();
            assert!(jar.contains("__Host-"), "{who}: the cookies are Secure:\n{jar}");
            let (status, spoken, me) = browser.asks("/v1/users/me", None, &[]).await;
            assert_eq!((status, &me["username"]), (200, &json!(name)), "{who}");
            assert_eq!(spoken, version.trim_start_matches("--http"), "{who}");

            let path = format!("/v1/rooms/{room}/events");
            let mut stream = browser.streams(&path, &[]);
            assert_eq!(stream.frame().await["type"], "hello", "{who}");
            let mut cursor = json!("");
            for turn in 0..5 {
                // Short and long: less and more than a proxy's buffers hold.
                let body = format!("{turn} {}", "x".repeat(turn * 900));
                let posted = Instant::now();
                ada.posts(&room, &body).await;
                let frame = stream.frame().await;
                assert_eq!(frame["message"]["body"], body, "{who}");
                assert!(posted.elapsed() < AT_ONCE, "{who}: a frame took {:?}", posted.elapsed());
                cursor = frame["cursor"].clone();
            }
            drop(stream);
            browser.posts(&room, "missed").await;
            let cursor = format!("Last-Event-ID: {}", cursor.as_str().unwrap());
            let mut stream = browser.streams(&path, &[&cursor]);
            assert_eq!(stream.frame().await["resumed"], true, "{who}");
            assert_eq!(stream.frame().await["message"]["body"], "missed", "{who}");
            browser.posts(&room, "live").await;
            assert_eq!(stream.frame().await["message"]["body"], "live", "{who}");
        }
    }
}

/// Each proxy's own patience with a silent server, as it is printed and as it is here: 3 seconds.
fn impatient(kind: Kind) -> Vec<(&'static str, &'static str)> {
    match kind {
        Kind::Nginx => vec![("proxy_read_timeout 60s;", "proxy_read_timeout 3s;")],
        // It has none.
        Kind::Caddy => vec![],
        Kind::Haproxy | Kind::HaproxyNodes => {
            vec![("timeout client 60s", "timeout client 3s"), ("timeout server 60s", "timeout server 3s")]
        }
    }
}

#[tokio::test]
async fn a_quiet_stream_stays_open_behind_each_proxy_as_its_pings_come_sooner_than_the_timeout() {
    let (mut running, mut streams) = (Vec::new(), Vec::new());
    for kind in Kind::ALL {
        let heartbeat = [("PARLOR_STREAMS__HEARTBEAT_SECONDS", "1")];
        let Some((server, proxy)) = behind(kind, &heartbeat, &impatient(kind)).await else { continue };
        server.register("ada").await;
        for version in VERSIONS {
            let browser = Browser::new(&proxy, version, 1);
            browser.signs_in("ada").await;
            let mut stream = browser.streams("/v1/events", &[]);
            assert_eq!(stream.frame().await["type"], "hello", "{kind:?} {version}");
            streams.push((kind, version, browser, stream));
        }
        running.push((server, proxy));
    }
    let opened = Instant::now();
    // Twice as long as the proxies wait for a server that says nothing.
    while opened.elapsed() < Duration::from_secs(6) && !streams.is_empty() {
        for (kind, version, _, stream) in &mut streams {
            let data = stream.next("data").await;
            assert!(data.is_some(), "{kind:?} {version} cut it after {:?}", opened.elapsed());
        }
    }
}

#[tokio::test]
async fn a_proxy_that_is_less_patient_than_the_heartbeat_cuts_the_stream() {
    for kind in [Kind::Nginx, Kind::Haproxy] {
        let heartbeat = [("PARLOR_STREAMS__HEARTBEAT_SECONDS", "60")];
        let Some((server, proxy)) = behind(kind, &heartbeat, &impatient(kind)).await else { continue };
        server.register("ada").await;
        let browser = Browser::new(&proxy, "--http1.1", 1);
        browser.signs_in("ada").await;
        let mut stream = browser.streams("/v1/events", &[]);
        assert_eq!(stream.frame().await["type"], "hello");
        assert_eq!(stream.next("data").await, None, "{kind:?}: so the timeout of the test before is real");
    }
}

#[tokio::test]
async fn each_proxy_says_where_a_reader_is_and_not_the_reader() {
    for kind in Kind::ALL {
        let env = [
            ("PARLOR_LIMITS__ENABLED", "true"),
            ("PARLOR_LIMITS__OPEN_STREAMS_PER_ADDRESS", "1"),
            ("PARLOR_ACCOUNTS__REGISTRATION", "open"),
        ];
        let Some((server, proxy)) = behind(kind, &env, &[]).await else { continue };
        server.register("ada").await;
        let near = Browser::new(&proxy, "--http2", 2);
        near.signs_in("ada").await;
        let mut stream = near.streams("/v1/events", &[]);
        assert_eq!(stream.frame().await["type"], "hello", "{kind:?}");
        let (status, _, problem) = near.asks("/v1/events", None, &[]).await;
        assert_eq!((status, &problem["code"]), (429, &json!("too_many_requests")), "{kind:?}: one each");
        let (status, ..) = near.asks("/v1/events", None, &["X-Forwarded-For: 192.0.2.7"]).await;
        assert_eq!(status, 429, "{kind:?}: what the reader says of itself means nothing");
        let far = Browser::new(&proxy, "--http2", 3);
        far.signs_in("ada").await;
        let mut stream = far.streams("/v1/events", &[]);
        assert_eq!(stream.frame().await["type"], "hello", "{kind:?}: another address has a place of its own");
    }
}

#[tokio::test]
async fn behind_haproxy_readers_of_a_node_that_is_killed_go_on_at_the_other_and_miss_nothing() {
    let Some(planned) = Kind::HaproxyNodes.plan() else { return };
    let database = Database::create().await;
    let (url, origin) = (database.url(), planned.origin());
    let env = [
        ("PARLOR_STORAGE__URL", &*url),
        ("PARLOR_SERVER__PUBLIC_URL", &*origin),
        ("PARLOR_SERVER__TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let mut one = Server::start_with(&env).await;
    let two = one.starts_another_node().await;
    let second = two.address().to_string();
    let proxy = planned.before(one.address(), &[("10.0.0.12:8080", &second)]).await;

    let ada = two.register("ada").await;
    let room = ada.creates_room("room").await.id;
    let browser = Browser::new(&proxy, "--http2", 1);
    browser.signs_in("ada").await;
    let path = format!("/v1/rooms/{room}/events");
    let mut streams = Vec::new();
    for _ in 0..4 {
        let mut stream = browser.streams(&path, &[]);
        assert_eq!(stream.frame().await["type"], "hello");
        streams.push(stream);
    }
    browser.posts(&room, "before").await;
    let mut cursor = String::new();
    for stream in &mut streams {
        let frame = stream.frame().await;
        assert_eq!(frame["message"]["body"], "before");
        frame["cursor"].as_str().unwrap().clone_into(&mut cursor);
    }

    one.kill().await;
    ada.posts(&room, "meanwhile").await;
    let mut cut_off = 0;
    for stream in &mut streams {
        // Those of the node that is gone end. The others hear it.
        let Some(data) = stream.next("data").await else {
            cut_off += 1;
            let reaches = || async { browser.asks("/v1/users/me", None, &[]).await.0 == 200 };
            wait_for("requests reach the other node", reaches).await;
            *stream = browser.streams(&path, &[&format!("Last-Event-ID: {cursor}")]);
            assert_eq!(stream.frame().await["resumed"], true);
            assert_eq!(stream.frame().await["message"]["body"], "meanwhile");
            continue;
        };
        assert_eq!(serde_json::from_str::<Value>(&data).unwrap()["message"]["body"], "meanwhile");
    }
    assert_eq!(cut_off, 2, "each node had as many streams as the other");
    browser.posts(&room, "after").await;
    for stream in &mut streams {
        assert_eq!(stream.frame().await["message"]["body"], "after");
    }
}
