//! `parlor copy`: what was in the embedded database is in PostgreSQL, and clients notice nothing of it.

use std::collections::BTreeMap;

use crate::support::log::{history, now, until_said};
use crate::support::postgres::{self, Database};
use crate::support::{Finished, Server, Sql, parlor};

const URL: &str = "PARLOR_STORAGE__URL";

async fn copies(server: &Server, to: &Database) -> Finished {
    let from = server.data();
    let args = ["copy", "--from", from.to_str().unwrap(), "--to", &to.url()];
    parlor(&args, &[], "", server.folder()).await
}

#[tokio::test]
async fn everything_moves_to_postgres_and_streams_resume_at_their_cursors() {
    if postgres::skips("it begins with the embedded database") {
        return;
    }
    let mut server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("room").await;
    bob.joins(&room).await;
    ada.posts(&room, "before the cursor").await;
    let cursor = now(&ada).await;
    for turn in 0..50 {
        bob.posts(&room, &format!("after the cursor, {turn}")).await;
    }
    bob.leaves(&room).await;
    ada.posts(&room, "the end").await;
    let page = history(&ada, &room).await;

    let database = Database::create().await;
    let refused = copies(&server, &database).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("is in use by another parlor process"), "{}", refused.stderr);
    server.stop().await;
    let copied = copies(&server, &database).await;
    assert_eq!(copied.code, Some(0), "{}", copied.stderr);
    let there: BTreeMap<&str, i64> = copied
        .stdout
        .lines()
        .filter_map(|line| line.split_once(": ").and_then(|(table, rows)| Some((table, rows.parse().ok()?))))
        .collect();
    let file = Sql::open_to_read(server.data());
    for table in
        ["users", "credentials", "sessions", "rooms", "members", "messages", "events", "epochs", "keys"]
    {
        let rows: i64 = file.value(&format!("SELECT count(*) FROM {table}"));
        assert!(rows > 0, "{table}");
        assert_eq!(there.get(table), Some(&rows), "{}", copied.stdout);
        assert_eq!(database.run(&format!("SELECT count(*) FROM {table}")).await.trim(), rows.to_string());
    }
    // A table that is new is not forgotten, except by those that a copy makes anew.
    let schema = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let tables: Vec<String> = file.rows(schema, [], |row| row.get(0));
    for table in tables.iter().filter(|table| !["migrations", "trial"].contains(&table.as_str())) {
        assert!(there.contains_key(table.as_str()), "{table} is not copied");
    }
    let again = copies(&server, &database).await;
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("is not empty; create a new one and name that"), "{}", again.stderr);

    server.restart_with(&[(URL, &database.url())]).await;
    // With the tokens from before, at the cursor from before.
    let mut stream = ada.opening(&format!("/v1/events?after={cursor}")).open().await;
    assert_eq!(stream.hello().await["type"], "hello");
    let frames = until_said(&mut stream, "the end").await;
    assert_eq!(frames.len(), 52, "50 posts, a leave and the end");
    assert_eq!(history(&ada, &room).await, page);
    ada.posts(&room, "goes on").await;
    until_said(&mut stream, "goes on").await;
    bob.get(&format!("/v1/rooms/{}/messages", room.id)).await.problem(403, "not_a_member");
}

#[tokio::test]
async fn a_copy_that_cannot_be_made_says_why_in_one_line_without_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let copy = async |from: &str, to: &str| {
        parlor(&["copy", "--from", from, "--to", to], &[], "", folder.path()).await
    };
    for (to, words) in [
        ("postgres://ada:geheim@127.0.0.1:1/nowhere", "there is no database in the folder"),
        ("mysql://ada:geheim@127.0.0.1/nowhere", "there is no database in the folder"),
    ] {
        let finished = copy("nothing", to).await;
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        assert!(finished.stderr.contains(words), "{}", finished.stderr);
        assert!(!finished.stderr.contains("geheim"), "{}", finished.stderr);
    }
    assert!(!folder.path().join("nothing").exists(), "nothing was made");
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/parlor.db"), "").unwrap();
    let finished = copy("data", "mysql://ada:geheim@127.0.0.1/nowhere").await;
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("error: --to: it is not a PostgreSQL URL"), "{}", finished.stderr);
    assert!(!finished.stderr.contains("geheim"), "{}", finished.stderr);
}
