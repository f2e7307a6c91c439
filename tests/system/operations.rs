//! What docs/operations.md tells people to do works: the unit of systemd is right, and the copies that it calls backups are.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::support::log::{history, says};
use crate::support::{PASSWORD, Server, postgres, wait_for};

/// Runs a tool that `make test` installs for root. None, and a line that says so, where it is missing.
fn tool(name: &str, args: &[&str], folder: &Path) -> Option<(bool, String)> {
    let Ok(ended) = Command::new(name).args(args).current_dir(folder).output() else {
        assert!(
            !rustix::process::getuid().is_root(),
            "{name} is not installed: `make test` does that for root"
        );
        println!("skipped: {name} is not installed, and only root can install it");
        return None;
    };
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    Some((ended.status.success(), said))
}

#[test]
fn systemd_understands_each_line_of_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let printed = include_str!("../../docs/parlor.service");
    // It also looks whether the program is there.
    let unit = printed
        .replace("ExecStart=/usr/local/bin/parlor ", &format!("ExecStart={} ", env!("CARGO_BIN_EXE_parlor")));
    assert_ne!(unit, printed);
    for (text, is_right) in [(unit.clone(), true), (unit.replace("RestartSec", "RestartSecond"), false)] {
        fs::write(folder.path().join("parlor.service"), text).unwrap();
        let args = ["verify", "--man=no", "./parlor.service"];
        let Some((_, said)) = tool("systemd-analyze", &args, folder.path()) else { return };
        // An unknown line is a warning, and a success.
        let complaints: Vec<_> = said.lines().filter(|line| line.contains("parlor.service")).collect();
        assert_eq!(complaints.is_empty(), is_right, "{said}");
    }
}

#[tokio::test]
async fn a_copy_that_sqlite_makes_of_a_busy_server_is_a_backup() {
    if postgres::skips("the copy is made of SQLite's file") {
        return;
    }
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    for turn in 0..50 {
        ada.posts(&room, &format!("before {turn}")).await;
    }
    let (poster, path) = (ada.clone(), format!("/v1/rooms/{}/messages", room.id));
    let posting = tokio::spawn(async move {
        for turn in 0.. {
            poster.post(&path, json!({ "body": format!("meanwhile {turn}") })).await.ok(201);
        }
    });
    let is_busy = || async { ada.reads_page(&room, "limit=1").await["last_seq"].as_i64() > Some(60) };
    wait_for("somebody posts", is_busy).await;
    let mut backup = Server::start().await;
    backup.stop().await;
    for entry in fs::read_dir(backup.data()).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let into = format!("VACUUM INTO '{}'", backup.data().join("parlor.db").display());
    let Some((copied, said)) = tool("sqlite3", &["parlor.db", &into], &server.data()) else { return };
    assert!(copied, "{said}");
    fs::copy(server.data().join("secrets.toml"), backup.data().join("secrets.toml")).unwrap();
    let after = ada.posts(&room, "after").await;
    let lost = ada.reads_page(&room, "limit=1").await["cursor"].as_str().unwrap().to_owned();
    posting.abort();

    backup.restart().await;
    let ada = ada.through(backup.address());
    assert_eq!(ada.get("/v1/users/me").await.ok(200)["username"], "ada", "sessions go on");
    let login = json!({ "username": "ada", "password": PASSWORD });
    backup.anonymous().post("/v1/login", login).await.ok(200);
    let kept = history(&ada, &room).await;
    let bodies: Vec<_> = kept.iter().map(|message| message["body"].as_str().unwrap()).collect();
    assert!((0..50).all(|turn| bodies.contains(&format!("before {turn}").as_str())), "{bodies:?}");
    assert!(!bodies.contains(&"after"), "it was posted after the copy: {after}");
    let mut stream = ada.opening(&format!("/v1/rooms/{}/events?after={lost}", room.id)).open().await;
    assert_eq!(stream.reset().await["reason"], "unknown_cursor", "nobody sees a mixture of two pasts");
    ada.posts(&room, "life goes on").await;
    assert!(says(&stream.next().await, "life goes on"));
}
