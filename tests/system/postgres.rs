//! The PostgreSQL that tests are given: it leaves nothing behind, however the tests end.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};

use crate::support::postgres::Database;
use crate::support::{DEADLINE, wait_for};

/// Set in the process that the test starts and kills.
const IS_KILLED: &str = "PARLOR_TEST_IS_KILLED";

#[tokio::test]
async fn postgresql_ends_with_the_tests_that_it_was_started_for_even_if_they_are_killed() {
    if std::env::var_os(IS_KILLED).is_some() {
        let _database = Database::create().await;
        // In a line of its own, after what the test runner has begun to write.
        println!("\nlistens on {}", Database::port());
        return std::future::pending().await;
    }
    let folder = tempfile::tempdir().unwrap();
    let name =
        "system::postgres::postgresql_ends_with_the_tests_that_it_was_started_for_even_if_they_are_killed";
    let mut tests = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .envs([(IS_KILLED, "1".as_ref()), ("TMPDIR", folder.path().as_os_str())])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(tests.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut port = lines.filter_map(|line| line.strip_prefix("listens on ")?.parse().ok());
    let reading = tokio::task::spawn_blocking(move || port.next().expect("it says where PostgreSQL listens"));
    let port: u16 = tokio::time::timeout(DEADLINE, reading).await.expect("it starts in time").unwrap();
    let listens = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
    let is_empty = || std::fs::read_dir(folder.path()).unwrap().next().is_none();
    assert!(listens() && !is_empty());

    tests.kill().unwrap();
    tests.wait().unwrap();
    wait_for("nothing listens and nothing is kept", || async { !listens() && is_empty() }).await;
}
