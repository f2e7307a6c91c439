//! What is acknowledged is on the disk of PostgreSQL: whatever its settings become, when its disk is full, and when the connection
//! is cut in the middle of a commit.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::log::{Watched, assert_dense, history, messages, until_said};
use crate::support::postgres::Database;
use crate::support::{Client, DEADLINE, Figures, Person, Server, SmallDisk, wait_for};

async fn is_ready(whom: &Client, wanted: u16) {
    wait_for("it is ready, or not", || async { whom.get("/readyz").await.status == wanted }).await;
}

/// The lines of a log that have these words.
fn lines(log: &str, words: &str) -> usize {
    log.lines().filter(|line| line.contains(words)).count()
}

async fn is_refused(person: &Person, path: &str, body: &str) {
    let refused = person.post(path, json!({ "body": body })).await;
    assert!(!refused.header("retry-after").is_empty(), "{refused:?}");
    assert_eq!(refused.status, 503, "{}", refused.text);
}

#[tokio::test]
async fn nothing_is_acknowledged_by_a_server_whose_commits_may_be_lost_since_a_reconnect() {
    let database = Database::create().await;
    let server = Server::start_with(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    let Watched { mut ada, bob, room, mut stream, .. } = Watched::begins(&server).await;
    let path = format!("/v1/rooms/{}/messages", room.id);
    database.alters("SET synchronous_commit = off").await;
    for post in 0..20 {
        is_refused(&ada, &path, &format!("not kept {post}")).await;
    }
    // The same for what adds no entry to the log.
    let refresh = json!({ "refresh_token": ada.refresh_token });
    assert_eq!(ada.post("/v1/refresh", refresh).await.status, 503);
    is_ready(&ada, 503).await;
    assert_eq!(history(&bob, &room).await.len(), 1, "reading goes on");
    let log = server.log();
    // One for writes to the log and one for the others, each beside one for the lost connection.
    assert!((1..=2).contains(&lines(&log, "synchronous_commit is off")), "{log}");
    assert!(lines(&log, "writing fails") <= 4, "{log}");

    database.alters("RESET synchronous_commit").await;
    is_ready(&ada, 200).await;
    ada.refreshes().await;
    ada.posts(&room, "kept").await;
    assert_eq!(messages(&until_said(&mut stream, "kept").await).len(), 1);
    wait_for("it says so", || async { server.log().contains("writing works again") }).await;
}

#[tokio::test]
async fn a_reload_that_turns_synchronous_commits_off_does_not_reach_open_connections() {
    let database = Database::create_alone().await;
    let server = Server::start_with(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    let Watched { ada, room, .. } = Watched::begins(&server).await;
    database.run_as_superuser("ALTER SYSTEM SET synchronous_commit = off").await;
    database.run_as_superuser("SELECT pg_reload_conf()").await;
    wait_for("it is in force", || async { database.run("SHOW synchronous_commit").await.trim() == "off" })
        .await;
    // The commits of this table are seen by the settings that its writer had.
    database
        .run(
            "CREATE TABLE seen (setting TEXT);
             CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
             CREATE TRIGGER see AFTER INSERT ON messages FOR EACH STATEMENT EXECUTE FUNCTION see();",
        )
        .await;
    ada.posts(&room, "after the reload").await;
    assert_eq!(database.run("SELECT DISTINCT setting FROM seen").await.trim(), "on");
}

#[tokio::test]
async fn a_postgresql_that_is_down_is_one_line_of_the_log_and_its_return_another() {
    let database = Database::create_alone().await;
    let server = Server::start_with(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    let Watched { ada, room, .. } = Watched::begins(&server).await;
    let path = format!("/v1/rooms/{}/messages", room.id);
    for turn in 1..=2 {
        database.stops().await;
        for post in 0..30 {
            is_refused(&ada, &path, &format!("not kept {post}")).await;
        }
        is_ready(&ada, 503).await;
        database.starts().await;
        is_ready(&ada, 200).await;
        ada.posts(&room, "kept").await;
        wait_for("it says so", || async { lines(&server.log(), "writing works again") == turn }).await;
        let log = server.log();
        assert_eq!(lines(&log, "nothing is written"), turn, "{log}");
        assert!(lines(&log, "the log cannot be read") <= turn, "{log}");
    }
}

#[tokio::test]
async fn a_node_that_does_not_hear_other_nodes_says_so_once_and_once_when_it_does_again() {
    let database = Database::create_alone().await;
    let env = [("PARLOR_STORAGE__URL", &*database.url()), ("PARLOR_METRICS__LISTEN", "127.0.0.1:0")];
    let server = Server::start_with(&env).await;
    database.stops().await;
    // It tries to listen again each second.
    let tries_often = || async { Figures::of(&server).await.get("parlor_log_age_seconds", &[]) > 5.0 };
    wait_for("it has tried to listen several times", tries_often).await;
    assert_eq!(lines(&server.log(), "other nodes are not heard"), 1, "{}", server.log());
    database.starts().await;
    let is_back = || async { lines(&server.log(), "other nodes are heard again") == 1 };
    wait_for("it says so", is_back).await;
    assert_eq!(lines(&server.log(), "other nodes are not heard"), 1, "{}", server.log());
}

#[tokio::test]
async fn a_node_that_writes_to_a_database_without_what_it_has_read_refuses_writes_and_keeps_nobody_waiting() {
    let database = Database::create().await;
    let mut server = Server::start_with(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    database.run("UPDATE log SET identity = 'another server'").await;
    server.restart().await;
    let Watched { ada, room, .. } = Watched::begins(&server).await;
    let path = format!("/v1/rooms/{}/messages", room.id);
    let epoch = database.run("SELECT epoch FROM epochs WHERE number = 2").await;
    database
        .run("DELETE FROM epochs WHERE number = 2; UPDATE log SET epoch = (SELECT epoch FROM epochs WHERE number = 1)")
        .await;
    for post in 0..3 {
        let body = format!("not kept {post}");
        let refused = is_refused(&ada, &path, &body);
        tokio::time::timeout(DEADLINE, refused).await.expect("it is answered");
    }
    let epoch = epoch.trim();
    database.run(&format!("INSERT INTO epochs VALUES (2, {epoch}, 1); UPDATE log SET epoch = {epoch}")).await;
    ada.posts(&room, "kept").await;
}

#[tokio::test]
async fn a_full_disk_of_postgresql_refuses_writes_and_nothing_else_and_needs_no_restart() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
    let Some(disk) = SmallDisk::of_size(folder.path(), "24m") else { return };
    let database = Database::create_alone_in(disk.path().join("database")).await;
    let server = Server::start_with(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    let Watched { ada, bob, room, before, mut stream } = Watched::begins(&server).await;
    let path = format!("/v1/rooms/{}/messages", room.id);
    let body = "x".repeat(4_000);

    disk.fill();
    let (mut kept, mut refused) = (0, 0);
    // Tables have some room inside.
    while refused < 20 {
        let answer = ada.post(&path, json!({ "body": body, "client_id": format!("id-{kept}") })).await;
        if answer.status == 201 {
            kept += 1;
            assert!(kept < 2_000, "the disk never fills");
        } else {
            answer.problem(507, "storage_full");
            refused += 1;
        }
    }
    is_ready(&ada, 503).await;
    assert_eq!(history(&bob, &room).await.len(), kept + 1);
    let mut late = bob.streams_from(&room, &before).await;
    late.hello().await;
    until_said(&mut late, "before").await;
    ada.get("/livez").await.ok(200);

    disk.make_room();
    is_ready(&ada, 200).await;
    ada.post(&path, json!({ "body": body, "client_id": format!("id-{kept}") })).await.ok(201);
    ada.posts(&room, "the end").await;
    let frames = until_said(&mut stream, "the end").await;
    assert_dense(&frames, &bob);
    assert_eq!(frames.len(), kept + 2);
    let all = history(&bob, &room).await;
    assert_eq!(messages(&frames)[..], all[1..], "what was refused is nowhere");
    let mut log = bob.streams_from(&room, &before).await;
    log.hello().await;
    assert_eq!(messages(&until_said(&mut log, "the end").await), all);
}

/// What the proxy does to the next connection that commits.
const NOTHING: u8 = 0;
/// Cuts it when PostgreSQL has answered, before the answer is passed on.
const AFTER: u8 = 1;
/// Cuts it before the COMMIT is passed on.
const BEFORE: u8 = 2;

/// What the client sends to commit, by the protocol of PostgreSQL.
const COMMIT: &[u8] = b"COMMIT\0";

/// Stands between a server and PostgreSQL.
struct Proxy {
    address: SocketAddr,
    cuts: Arc<AtomicU8>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, cuts) = (listener.local_addr().unwrap(), Arc::new(AtomicU8::new(NOTHING)));
        let all = cuts.clone();
        let accepting = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(carry(client, port, all.clone()));
            }
        });
        Self { address, cuts, accepting }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Passes on what both ends say, until one of them ends or the connection is cut.
async fn carry(mut client: TcpStream, port: u16, cuts: Arc<AtomicU8>) -> std::io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    let (mut up, mut down) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let said = &up[..read?];
                if said.is_empty() {
                    return Ok(());
                }
                let commits = said.windows(COMMIT.len()).any(|bytes| bytes == COMMIT);
                match if commits { cuts.swap(NOTHING, Ordering::AcqRel) } else { NOTHING } {
                    BEFORE => return Ok(()),
                    AFTER => {
                        server.write_all(said).await?;
                        let mut answer = Vec::new();
                        while !answer.windows(COMMIT.len()).any(|bytes| bytes == COMMIT) {
                            let count = server.read(&mut down).await?;
                            answer.extend_from_slice(&down[..count]);
                        }
                        return Ok(());
                    }
                    _ => server.write_all(said).await?,
                }
            }
            read = server.read(&mut down) => {
                let said = &down[..read?];
                if said.is_empty() {
                    return Ok(());
                }
                client.write_all(said).await?;
            }
        }
    }
}

#[tokio::test]
async fn a_post_that_is_cut_off_in_the_middle_of_its_commit_is_unsure_and_sent_again_it_is_there_once() {
    let database = Database::create().await;
    let proxy = Proxy::before(Database::port()).await;
    let url = database.url().replace(&Database::port().to_string(), &proxy.address.port().to_string());
    let server = Server::start_with(&[("PARLOR_STORAGE__URL", &url)]).await;
    let Watched { ada, bob, room, mut stream, .. } = Watched::begins(&server).await;
    let path = format!("/v1/rooms/{}/messages", room.id);
    for turn in 0..5 {
        for (cut, again) in [(AFTER, 200), (BEFORE, 201)] {
            let id = format!("{turn}-{cut}");
            let post = json!({ "body": id, "client_id": id });
            proxy.cuts.store(cut, Ordering::Release);
            ada.post(&path, post.clone()).await.problem(503, "outcome_unknown");
            assert_eq!(proxy.cuts.load(Ordering::Acquire), NOTHING, "it was cut");
            ada.post(&path, post).await.ok(again);
        }
    }
    ada.posts(&room, "the end").await;
    let frames = until_said(&mut stream, "the end").await;
    assert_dense(&frames, &bob);
    let all = history(&bob, &room).await;
    assert_eq!(messages(&frames)[..], all[1..]);
    assert_eq!(all.len(), 12, "each is there once");
    assert!(!server.log().contains("the database has lost"), "the database is the same as before");
}
