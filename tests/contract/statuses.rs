//! Every refusal and failure that the document lists, met at every operation that lists it: what the head of a request can
//! have wrong, slow bodies, rates, a broken store, one that hangs and one that is full. What an operation refuses by its own
//! rules is tested with it; `table` looks whether anything is left.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::table;
use crate::support::strace::Strace;
use crate::support::{
    Client, PASSWORD, Person, Room, Server, SmallDisk, postgres, published, reached, spread,
};

/// How often something that is bound to fail may succeed before.
const TRIES: usize = 200;

const EMOJI: &str = "%F0%9F%91%8D";

const TABLES_OF_SQLITE: &str =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
const TABLES_OF_POSTGRES: &str = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
const BREAKS_ON_POSTGRES: &str =
    "CREATE FUNCTION breaks() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''broken''; END'";

/// An operation, ready to be asked for. Its body is the example of the document.
struct Call {
    id: &'static str,
    method: Method,
    path: String,
    body: Option<Value>,
}

/// A server with somebody who owns a room with a message in it, and somebody else. Nobody has a username of the examples.
struct Scene {
    server: Server,
    linus: Person,
    room: Room,
    message: String,
    /// Another one, which he has pinned and reacts to.
    kept: String,
    /// What Linus has not read.
    unread: String,
}

impl Scene {
    async fn on(server: Server) -> Self {
        let linus = server.register("linus").await;
        server.register("grace").await;
        let room = linus.creates_room("hall").await;
        let message = linus.posts(&room, "hello").await["id"].as_str().unwrap().to_owned();
        let kept = linus.posts(&room, "kept").await["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/rooms/{}/messages/{kept}", room.id);
        linus.put_nothing(&format!("{path}/pin")).await.ok(204);
        linus.put_nothing(&format!("{path}/reactions/{EMOJI}")).await.ok(200);
        let lena = server.register("lena").await;
        lena.joins(&room).await;
        let unread = lena.posts(&room, "hello").await["id"].as_str().unwrap().to_owned();
        Self { server, linus, room, message, kept, unread }
    }

    /// All operations that list the status and can be brought to it.
    fn calls(&self, status: u16) -> Vec<Call> {
        let call = |(path, method, operation): (&str, &str, &'static Value)| {
            let id = operation["operationId"].as_str().unwrap();
            // Of another message there would be nothing to take away.
            let is_of_kept = ["unpinMessage", "removeReaction"].contains(&id);
            let message = if is_of_kept { &self.kept } else { &self.message };
            let path = path.replace("{room}", &self.room.id).replace("{message}", message);
            let path = path.replace("{emoji}", EMOJI);
            let path = path.replace("{username}", "grace").replace("{session}", &self.linus.session);
            let body = match id {
                // The example's token is nobody's, which is a 401, and does not get as far as the store.
                "refresh" if status != 401 => json!({ "refresh_token": self.linus.refresh_token }),
                "markRead" => json!({ "message": self.unread }),
                "markUnread" => json!({ "message": self.message }),
                _ => operation["requestBody"]["content"]["application/json"]["example"].clone(),
            };
            Call {
                id,
                method: method.to_uppercase().parse().unwrap(),
                path,
                body: (!body.is_null()).then_some(body),
            }
        };
        let calls: Vec<Call> =
            published().operations().filter(|one| can_give(one, status)).map(call).collect();
        assert!(calls.len() > 3, "only {} operations list {status}", calls.len());
        calls
    }

    /// Asks for all, one after the other, and wants this status of each.
    async fn each_gives(&self, status: u16, ask: impl AsyncFn(&Call) -> u16) {
        for call in self.calls(status) {
            assert_eq!(ask(&call).await, status, "{}", call.id);
        }
    }
}

/// Whether the operation lists the status and can be brought to it.
fn can_give((_, _, operation): &(&str, &str, &Value), status: u16) -> bool {
    let id = operation["operationId"].as_str().unwrap();
    operation["responses"].get(status.to_string()).is_some() && table::reason(id, status).is_none()
}

/// Says that no operation could be brought to the problem, because only root can do what that needs.
fn skip_all(status: u16, code: &str) {
    reached::skip(reached::PROBLEM, code);
    for (_, _, operation) in published().operations().filter(|one| can_give(one, status)) {
        reached::skip(operation["operationId"].as_str().unwrap(), &status.to_string());
    }
}

impl Call {
    async fn by(&self, asker: &Client) -> u16 {
        if self.id.starts_with("stream") {
            return asker.opening(&self.path).status().await;
        }
        self.with(asker, "", &[]).await
    }

    async fn with(&self, asker: &Client, query: &str, headers: &[(&str, &str)]) -> u16 {
        let path = format!("{}{query}", self.path);
        asker.request(self.method.clone(), &path, self.body.clone(), headers).await.status
    }

    /// With a body of our own, which may be shorter than it says.
    async fn with_body(&self, asker: &Client, media_type: &str, length: usize, body: &str) -> u16 {
        let token = asker.bearer().map(|token| format!("Authorization: Bearer {token}\r\n"));
        let head = format!(
            "{} {} HTTP/1.1\r\nHost: parlor\r\nConnection: close\r\nContent-Type: {media_type}\r\n{}Content-Length: {length}\r\n\r\n",
            self.method,
            self.path,
            token.unwrap_or_default()
        );
        let answer = asker.exchange((head + body).as_bytes()).await;
        answer.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}

#[tokio::test]
async fn every_operation_looks_at_the_head_of_a_request() {
    let scene = Scene::on(Server::start().await).await;
    let (linus, nobody) = (&*scene.linus, scene.server.anonymous());
    let long = format!("?{}", "x".repeat(9_000));
    scene.each_gives(400, async |call| call.with(linus, "?x=y", &[]).await).await;
    scene.each_gives(414, async |call| call.with(linus, &long, &[]).await).await;
    // Nobody here has the username of the examples.
    scene.each_gives(401, async |call| call.with(&nobody, "", &[]).await).await;
    let cookie = format!("parlor_access_{}=x", scene.server.address().port());
    let from_elsewhere = [("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")];
    scene.each_gives(403, async |call| call.with(&nobody, "", &from_elsewhere).await).await;
}

#[tokio::test]
async fn every_operation_with_a_body_looks_at_its_size_and_its_type() {
    let scene = Scene::on(Server::start().await).await;
    let linus = &*scene.linus;
    let long = "x".repeat(70_000);
    scene
        .each_gives(413, async |call| call.with_body(linus, "application/json", long.len(), &long).await)
        .await;
    scene.each_gives(415, async |call| call.with_body(linus, "text/plain", 2, "{}").await).await;
}

#[tokio::test]
async fn every_operation_with_a_body_waits_for_it_only_so_long() {
    let scene = Scene::on(Server::start_with(&[("PARLOR_LIMITS__BODY_SECONDS", "1")]).await).await;
    let calls = scene.calls(408);
    let slow = |call: &'static Call| call.with_body(&scene.linus, "application/json", 60, "{");
    let calls: &'static [Call] = calls.leak();
    for (call, status) in calls.iter().zip(join_all(calls.iter().map(slow)).await) {
        assert_eq!(status, 408, "{}", call.id);
    }
}

#[tokio::test]
async fn every_operation_with_a_rate_has_a_last_time() {
    if spread::skips("rates hold for each node") {
        return;
    }
    let rates = [
        "LOGIN_PER_ACCOUNT",
        "LOGIN_PER_ADDRESS",
        "REGISTER_PER_ADDRESS",
        "REFRESH_PER_SESSION",
        "POST_PER_USER",
        "EDIT_PER_USER",
        "REACT_PER_USER",
        "JOIN_PER_USER",
        "MARK_PER_USER",
        "READS_PER_USER",
        "STREAM_OPENS_PER_USER",
    ];
    let names = rates.map(|rate| format!("PARLOR_LIMITS__{rate}"));
    let mut env: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "3, 1/h")).collect();
    env.push(("PARLOR_LIMITS__ENABLED", "true"));
    let scene = Scene::on(Server::start_with(&env).await).await;
    // Linus must stay signed in.
    let grace = scene.server.sign_in("grace").await;
    for mut call in scene.calls(429) {
        if call.id == "endSession" {
            call.path = format!("/v1/sessions/{}", grace.session);
        }
        let asker = if call.id == "logout" { &grace } else { &scene.linus };
        let mut last = 0;
        for _ in 0..=3 {
            last = call.by(asker).await;
        }
        assert_eq!(last, 429, "{}", call.id);
    }
}

#[tokio::test]
async fn every_operation_on_a_store_that_is_broken_says_that_the_server_failed() {
    let scene = Scene::on(Server::start().await).await;
    let grace = scene.server.sign_in("grace").await;
    let (attic, cellar) = (grace.creates_room("attic").await, grace.creates_room("cellar").await);
    scene.linus.joins(&cellar).await;
    let is_on_postgres = scene.server.database().is_some();
    let tables =
        scene.server.queries(if is_on_postgres { TABLES_OF_POSTGRES } else { TABLES_OF_SQLITE }).await;
    let in_each = async |statement: &str| {
        let each: String = tables.iter().map(|table| statement.replace('@', table)).collect();
        scene.server.runs_sql(&each).await;
    };
    // First nothing can be written, then there is nothing to read.
    if is_on_postgres {
        scene.server.runs_sql(BREAKS_ON_POSTGRES).await;
    }
    for change in ["INSERT", "UPDATE", "DELETE"] {
        let does = if is_on_postgres {
            "FOR EACH STATEMENT EXECUTE FUNCTION breaks()"
        } else {
            "BEGIN SELECT RAISE(ABORT, 'broken'); END"
        };
        in_each(&format!("CREATE TRIGGER @_{change} BEFORE {change} ON @ {does};\n")).await;
    }
    let (reads, writes): (Vec<Call>, Vec<Call>) =
        scene.calls(500).into_iter().partition(|call| call.method == Method::GET);
    for mut call in writes {
        if call.id == "login" {
            call.body = Some(json!({ "username": "linus", "password": PASSWORD }));
        }
        // In the scene's own room there would be nothing to write.
        match call.id {
            "joinRoom" => call.path = format!("/v1/rooms/{}/join", attic.id),
            "leaveRoom" => call.path = format!("/v1/rooms/{}/leave", cellar.id),
            _ => {}
        }
        assert_eq!(call.by(&scene.linus).await, 500, "{}", call.id);
    }
    in_each("ALTER TABLE @ RENAME TO @_lost;\n").await;
    for call in reads {
        assert_eq!(call.by(&scene.linus).await, 500, "{}", call.id);
    }
}

#[tokio::test]
async fn every_operation_on_a_disk_that_hangs_is_given_up() {
    let scene = Scene::on(Server::start_with(&[("PARLOR_LIMITS__REQUEST_SECONDS", "1")]).await).await;
    if let Some(database) = scene.server.database() {
        let tables = scene.server.queries(TABLES_OF_POSTGRES).await.join(", ");
        let _lock = database.holds(&format!("LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")).await;
        return is_given_up(&scene).await;
    }
    // Every transaction, also one that reads, begins by locking a part of a file.
    let delay = ["-e", "trace=fcntl", "-e", "inject=fcntl:delay_enter=5s"];
    let trace = scene.server.folder().join("trace");
    let Some(strace) = Strace::attach(&scene.server, &delay, &trace).await else {
        return skip_all(503, "timed_out");
    };
    is_given_up(&scene).await;
    drop(strace);
}

async fn is_given_up(scene: &Scene) {
    let calls = scene.calls(503);
    let statuses = join_all(calls.iter().map(|call| call.by(&scene.linus))).await;
    for (call, status) in calls.iter().zip(statuses) {
        assert_eq!(status, 503, "{}", call.id);
    }
}

#[tokio::test]
async fn every_operation_that_writes_says_that_the_disk_is_full() {
    if postgres::skips("the database is not on the disk that is filled") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let Some((disk, server)) = SmallDisk::with_server(folder.path(), &[]).await else {
        return skip_all(507, "storage_full");
    };
    let scene = Scene::on(server).await;
    let grace = scene.server.sign_in("grace").await;
    let (attic, cellar) = (grace.creates_room("attic").await, grace.creates_room("cellar").await);
    scene.linus.joins(&cellar).await;
    disk.fill();
    // The log's file may have some room inside.
    let path = format!("/v1/rooms/{}/messages", scene.room.id);
    let post = json!({ "body": "x".repeat(4_000) });
    let mut refused = 0;
    for _ in 0..TRIES {
        refused += usize::from(scene.linus.post(&path, post.clone()).await.status == 507);
    }
    assert!(refused > TRIES / 2, "the disk never fills");
    for mut call in scene.calls(507) {
        match call.id {
            "login" => call.body = Some(json!({ "username": "linus", "password": PASSWORD })),
            "joinRoom" => call.path = format!("/v1/rooms/{}/join", attic.id),
            "leaveRoom" => call.path = format!("/v1/rooms/{}/leave", cellar.id),
            _ => {}
        }
        assert_eq!(call.by(&scene.linus).await, 507, "{}", call.id);
    }
}
