//! The command line: what it prints, how it ends, and that a mistake costs one clear line and nothing else.

use std::fs;
use std::io::{BufRead, BufReader};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

use crate::support::port::free_address;
use crate::support::{Finished, PASSWORD, Server, parlor, postgres, wait_for};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Asserts that the command failed with this code and one error that contains these words, and wrote nothing to standard output.
#[track_caller]
fn failed(finished: &Finished, code: i32, words: &[&str]) {
    let Finished { stdout, stderr, .. } = finished;
    assert_eq!(finished.code, Some(code), "{stderr}");
    assert_eq!(stdout, "");
    let errors: Vec<_> = stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "one error is wanted:\n{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word:?} is missing in:\n{stderr}");
    }
    assert!(!stderr.contains("panicked"), "{stderr}");
}

#[tokio::test]
async fn the_version_is_printed() {
    let finished = parlor(&["--version"], &[], "", folder().path()).await;
    assert_eq!(
        (finished.code, finished.stdout),
        (Some(0), format!("parlor {}\n", env!("CARGO_PKG_VERSION")))
    );
}

#[tokio::test]
async fn a_wrong_option_is_refused() {
    let finished = parlor(&["serve", "--port", "80"], &[], "", folder().path()).await;
    failed(&finished, 2, &["--port", "Usage: parlor serve"]);
}

#[tokio::test]
async fn a_right_configuration_is_shown() {
    let folder = folder();
    fs::write(folder.path().join("ours.toml"), "[server]\nname = \"Ours\"\n").unwrap();
    let env = [("PARLOR_STREAMS__HEARTBEAT_SECONDS", "5")];

    let finished = parlor(&["check", "--config", "ours.toml"], &env, "", folder.path()).await;

    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    for line in [
        "configuration is valid",
        "server.name = \"Ours\"  # ours.toml",
        "streams.heartbeat_seconds = \"5\"  # PARLOR_STREAMS__HEARTBEAT_SECONDS",
        "storage.data = \"data\"",
    ] {
        assert!(
            finished.stdout.lines().any(|shown| shown == line),
            "{line:?} is missing in:\n{}",
            finished.stdout
        );
    }
}

#[tokio::test]
async fn misspelt_keys_are_all_reported_and_nothing_is_touched() {
    let folder = folder();
    fs::write(
        folder.path().join("ours.toml"),
        "[server]\nlisen = \"127.0.0.1:0\"\n[limit]\nenabled = false\n",
    )
    .unwrap();
    let env = [("PARLOR_STORAGE__DATE", "elsewhere"), ("PARLOR_LOG__RETENTION_DAYS", "0")];

    for command in ["serve", "check"] {
        let finished = parlor(&[command, "--config", "ours.toml"], &env, "", folder.path()).await;
        let words = [
            "4 mistakes",
            "there is no key server.lisen; did you mean listen?",
            "there is no section [limit]; did you mean limits?",
            "PARLOR_STORAGE__DATE; did you mean PARLOR_STORAGE__DATA?",
            "log.retention_days is \"0\"; expected: a whole number of days from 1 to 3650",
        ];
        failed(&finished, 2, &words);
    }
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 1, "only the configuration file is there");
}

#[tokio::test]
async fn a_wrong_value_is_reported_also_where_another_overrides_it() {
    let folder = folder();
    let file =
        "[server]\nlisten = \"nowhere\"\nname = 7\n[log]\nretention_days = \"long\"\n[storage]\ndata = 1\n";
    fs::write(folder.path().join("ours.toml"), file).unwrap();
    let env = [
        ("PARLOR_SERVER__NAME", "Ours"),
        ("PARLOR_LOG__RETENTION_DAYS", "1"),
        ("PARLOR_SERVER__LISTEN", "8080"),
        ("PARLOR_STORAGE__DATA", "data"),
    ];
    let serve = ["serve", "--config", "ours.toml", "--listen", "127.0.0.1:0", "--data", "elsewhere"];
    let finished = parlor(&serve, &env, "", folder.path()).await;
    let words = [
        "5 mistakes",
        "ours.toml: server.listen is \"nowhere\"; expected: an IP address and a port",
        "PARLOR_SERVER__LISTEN: server.listen is \"8080\"; expected: an IP address and a port",
        "ours.toml: server.name is 7; expected: a text",
        "ours.toml: log.retention_days is \"long\"; expected: a whole number of days",
        "ours.toml: storage.data is 1; expected: a path",
    ];
    failed(&finished, 2, &words);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was made");
}

#[tokio::test]
async fn a_configuration_file_that_is_not_there_is_a_mistake() {
    let finished = parlor(&["serve", "--config", "nowhere.toml"], &[], "", folder().path()).await;
    failed(&finished, 2, &["nowhere.toml cannot be read"]);
}

#[tokio::test]
async fn what_the_log_cannot_be_asked_for_is_a_mistake() {
    let check = async |wanted| parlor(&["check"], &[("PARLOR_LOG", wanted)], "", folder().path()).await;
    for wanted in
        ["nonsense", "parlor", "parlor=loud", "=debug", "parlor=debug=info", "debug;hyper=warn", "3"]
    {
        let finished = check(wanted).await;
        let given = format!("PARLOR_LOG is {wanted:?}; expected: off, error, warn, info, debug or trace");
        failed(&finished, 2, &[&given]);
    }
    for wanted in ["", "off", "WARN", "parlor=debug", "debug,hyper=warn, parlor::live=trace"] {
        let finished = check(wanted).await;
        assert_eq!(finished.code, Some(0), "{wanted}: {}", finished.stderr);
    }
}

#[tokio::test]
async fn the_log_tells_as_much_as_it_is_asked_for() {
    for (wanted, tells) in
        [("", true), ("warn", false), ("warn,parlor=info", true), ("info,parlor=warn", false)]
    {
        let mut server = Server::start_with(&[("PARLOR_LOG", wanted)]).await;
        server.stop().await;
        assert_eq!(server.log().contains("INFO parlor::app: stopping"), tells, "{wanted}:\n{}", server.log());
    }
}

#[tokio::test]
async fn a_file_in_the_place_of_the_data_folder_is_named() {
    let folder = folder();
    fs::write(folder.path().join("data"), "").unwrap();
    let finished =
        parlor(&["serve", "--data", "data", "--listen", "127.0.0.1:0"], &[], "", folder.path()).await;
    failed(&finished, 1, &["data"]);
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let server = Server::start().await;
    let address = server.address().to_string();
    let folder = folder();

    let finished = parlor(&["serve", "--data", "data", "--listen", &address], &[], "", folder.path()).await;

    failed(&finished, 1, &[&address]);
    server.anonymous().get("/v1/server").await.ok(200);
}

#[tokio::test]
async fn a_second_process_on_the_same_data_is_refused() {
    if postgres::skips("several processes may use one database") {
        return;
    }
    let server = Server::start().await;
    let data = server.data();
    let data = data.to_str().unwrap();

    let serving =
        parlor(&["serve", "--data", data, "--listen", "127.0.0.1:0"], &[], "", server.folder()).await;
    failed(&serving, 1, &[data]);
    let adding = parlor(&["user", "add", "ada", "--data", data], &[], PASSWORD, server.folder()).await;
    failed(&adding, 1, &[data]);

    server.register("ada").await;
}

#[tokio::test]
async fn a_user_added_on_the_command_line_signs_in() {
    let mut server = Server::start_with(&[("PARLOR_ACCOUNTS__REGISTRATION", "closed")]).await;
    let credentials = json!({ "username": "ada", "password": PASSWORD });
    server.anonymous().post("/v1/users", credentials.clone()).await.problem(403, "registration_closed");
    server.stop().await;

    let add = ["user", "add", "ada", "--admin", "--display-name", "Ada L."];
    let added = server.command(&add, &format!("{PASSWORD}\n")).await;
    assert_eq!((added.code, added.stdout.as_str()), (Some(0), "added ada\n"), "{}", added.stderr);
    let again = server.command(&add, &format!("{PASSWORD}\n")).await;
    failed(&again, 1, &["ada"]);

    server.restart().await;
    let ada = server.sign_in("ada").await;
    assert_eq!(ada.get("/v1/users/me").await.ok(200)["display_name"], "Ada L.");
}

#[tokio::test]
async fn accounts_with_wrong_names_or_passwords_are_not_added() {
    let folder = folder();
    for (name, password) in
        [("ada", ""), ("ada", "short\n"), ("ada", "000000000000\n"), ("Not A Name", PASSWORD)]
    {
        let finished = parlor(&["user", "add", name, "--data", "data"], &[], password, folder.path()).await;
        failed(&finished, 1, &[]);
        assert!(password.len() < 4 || !finished.stderr.contains(password.trim()), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn a_new_password_set_on_the_command_line_replaces_the_old_one() {
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    ada.get("/v1/users/me").await.ok(200);
    server.stop().await;

    // Typed where letters are decomposed. The sign-in below composes them.
    let new = "a\u{308}nother horse, a\u{308}nother staple";
    let changed = server.command(&["user", "password", "ada"], &format!("{new}\r\n")).await;
    assert_eq!(changed.code, Some(0), "{}", changed.stderr);
    let unknown = server.command(&["user", "password", "bob"], new).await;
    failed(&unknown, 1, &["bob"]);

    server.restart().await;
    let sign_in = |password: &str| {
        let body = json!({ "username": "ada", "password": password });
        let anybody = server.anonymous();
        async move { anybody.post("/v1/login", body).await }
    };
    sign_in("\u{e4}nother horse, \u{e4}nother staple").await.ok(200);
    sign_in(PASSWORD).await.problem(401, "wrong_credentials");
    ada.get("/v1/users/me").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn the_ready_line_is_all_that_serve_prints_and_sigterm_ends_it_well() {
    let mut server = Server::start().await;
    let status = server.stop().await;
    assert_eq!(status.code(), Some(0), "{}", server.log());
}

#[tokio::test]
async fn the_end_of_the_terminal_ends_the_server_as_sigterm_does() {
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    let mut stream = ada.streams(&room).await;
    stream.hello().await;
    let status = server.hangs_up().await;
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert_eq!(stream.bye().await, "shutdown");
}

#[tokio::test]
async fn a_server_that_was_started_to_outlive_its_terminal_does() {
    let folder = folder();
    let mut child = std::process::Command::new("sh")
        .args([
            "-c",
            "trap '' HUP; exec \"$0\" serve --data data --listen 127.0.0.1:0",
            env!("CARGO_BIN_EXE_parlor"),
        ])
        .current_dir(folder.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on "), "{line}");
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::HUP).unwrap();
    // Two pending signals may be delivered in either order, so the second is sent after the first was handled.
    wait_for("the signal is not pending any more", || async {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        status.lines().any(|line| line == "ShdPnd:\t0000000000000000")
    })
    .await;
    assert_eq!(child.try_wait().unwrap(), None, "it goes on");
    kill_process(pid, Signal::TERM).unwrap();
    let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_ready_line_that_nobody_can_read_stops_no_server() {
    let folder = folder();
    let address = free_address();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_parlor"))
        .args(["serve", "--data", "data", "--listen", &address.to_string()])
        .current_dir(folder.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // The reader closes the pipe before anything is written.
    drop(child.stdout.take());
    wait_for("it answers", || async { tokio::net::TcpStream::connect(address).await.is_ok() }).await;
    let answer = crate::support::http1::exchange(address, b"GET /livez HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200 "), "{answer}");
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let status = tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn clearing_away_much_does_not_hold_up_the_end() {
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("large").await;
    ada.delete(&format!("/v1/rooms/{}", room.id)).await.ok(204);
    server.stop().await;
    let random = if server.database().is_some() { "gen_random_uuid()" } else { "randomblob(16)" };
    let filling = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) \
                   INSERT INTO messages (position, id, room_id, seq, author_id, body, created_at) \
                   SELECT 1000 + i, {random}, r.id, 1000 + i, r.created_by, 'gone', r.created_at FROM n, rooms r"
    );
    server.runs_sql(&filling).await;

    server.restart().await;
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.log());
    let left = server.queries("SELECT count(*) FROM messages").await;
    assert_ne!(left, ["0"], "the rest is for the next start");
}
