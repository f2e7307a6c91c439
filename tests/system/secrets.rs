//! The keys of the server: which start is given new ones, which is refused and what it says, and how they are changed. All of it
//! over the program itself, because a refused start is a line of its output.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::support::postgres::{self, Database};
use crate::support::{Finished, PASSWORD, Server, parlor};

/// Where keys are unless `auth.secrets_file` names another file.
fn default_file(server: &Server) -> PathBuf {
    server.data().join("secrets.toml")
}

/// What `parlor secrets new` prints.
async fn new_secrets() -> String {
    let printed = parlor(&["secrets", "new"], &[], "", &std::env::temp_dir()).await;
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    printed.stdout
}

fn write_private(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
}

/// A file of keys taken apart: what comes before the token keys, and each of them.
fn parts(text: &str) -> (String, Vec<String>) {
    let mut parts = text.split("\n[[token_keys]]\n").map(str::to_owned);
    let root = parts.next().unwrap();
    (root, parts.map(|key| format!("\n[[token_keys]]\n{key}")).collect())
}

fn value<'t>(text: &'t str, key: &str) -> &'t str {
    let begin = format!("{key} = \"");
    let line = text.lines().find_map(|line| line.strip_prefix(&begin)).unwrap();
    line.trim_end_matches('"')
}

/// A start that does not get as far as the ready line.
async fn starts(server: &Server, env: &[(&str, &str)]) -> Finished {
    server.command_with(&["serve", "--listen", "127.0.0.1:0"], env, "").await
}

/// Asserts that the start was refused by one line with these words.
#[track_caller]
fn refused(finished: &Finished, words: &[&str]) {
    let Finished { code, stdout, stderr } = finished;
    assert_eq!((*code, stdout.as_str()), (Some(1), ""), "{stderr}");
    let lines: Vec<_> = stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(lines.len(), 1, "{stderr}");
    for word in words {
        assert!(lines[0].contains(word), "{word:?} is missing in: {}", lines[0]);
    }
    assert!(lines[0].contains(".toml"), "the file is missing in: {}", lines[0]);
}

/// The ids of the keys that the database knows, and how many epochs it has begun.
async fn known(server: &Server) -> (Vec<String>, i64) {
    let epochs = server.queries("SELECT count(*) FROM epochs").await;
    (server.queries("SELECT id FROM keys ORDER BY id").await, epochs[0].parse().unwrap())
}

async fn forgets_keys(server: &Server) {
    let finished = server.command(&["secrets", "forget"], "").await;
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}

#[tokio::test]
async fn a_first_start_makes_keys_and_the_database_knows_them_without_having_them() {
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    server.stop().await;
    let text = fs::read_to_string(default_file(&server)).unwrap();
    let (ids, _) = known(&server).await;
    assert_eq!(ids.len(), 2);
    assert!(ids.contains(&"root".to_owned()) && ids.contains(&value(&text, "kid").to_owned()), "{ids:?}");

    if !postgres::is_chosen() {
        let database = fs::read(server.data().join("parlor.db")).unwrap();
        let has = |bytes: &[u8]| database.windows(bytes.len()).any(|window| window == bytes);
        assert!(has(value(&text, "kid").as_bytes()));
        for key in ["root", "secret"] {
            let secret = value(&text, key);
            assert!(!has(secret.as_bytes()) && !has(&URL_SAFE_NO_PAD.decode(secret).unwrap()), "{key}");
        }
    }

    server.restart().await;
    ada.get("/v1/users/me").await.ok(200);
    server.stop().await;
    assert_eq!(known(&server).await.0, ids);
    assert_eq!(fs::read_to_string(default_file(&server)).unwrap(), text);
}

#[tokio::test]
async fn keys_of_another_server_are_refused_until_the_known_ones_are_forgotten() {
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    server.stop().await;
    let file = default_file(&server);
    let (own, before) = (fs::read_to_string(&file).unwrap(), known(&server).await);

    let other = new_secrets().await;
    write_private(&file, &other);
    let words = ["the root is another one", "put back the file", "parlor secrets forget"];
    refused(&starts(&server, &[]).await, &words);
    assert_eq!(known(&server).await, before, "a refused start changes nothing");

    write_private(&file, &own);
    server.restart().await;
    ada.get("/v1/users/me").await.ok(200);
    server.stop().await;

    write_private(&file, &other);
    forgets_keys(&server).await;
    server.restart().await;
    ada.get("/v1/users/me").await.problem(401, "unauthenticated");
    server.sign_in("ada").await;
    server.stop().await;
    write_private(&file, &own);
    refused(&starts(&server, &[]).await, &words);
}

#[tokio::test]
async fn a_lost_file_is_told_and_not_replaced_in_silence() {
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    server.stop().await;
    let file = default_file(&server);
    let own = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let words = ["there are no keys in", "put back the file", "parlor secrets forget"];
    refused(&starts(&server, &[]).await, &words);
    assert!(!file.exists(), "nothing stands in the place of the file that has to come back");

    // Commands do not need it.
    let added = server.command(&["user", "add", "bob"], PASSWORD).await;
    assert_eq!(added.code, Some(0), "{}", added.stderr);
    assert!(!file.exists());

    write_private(&file, &own);
    server.restart().await;
    ada.get("/v1/users/me").await.ok(200);
    server.sign_in("bob").await;
    server.stop().await;

    fs::remove_file(&file).unwrap();
    forgets_keys(&server).await;
    server.restart().await;
    ada.get("/v1/users/me").await.problem(401, "unauthenticated");
    server.sign_in("ada").await;
    assert_ne!(fs::read_to_string(&file).unwrap(), own);
}

#[tokio::test]
async fn a_key_is_added_last_and_then_put_first_and_nobody_is_signed_out() {
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    server.stop().await;
    let file = default_file(&server);
    let (root, old) = parts(&fs::read_to_string(&file).unwrap());
    let (_, new) = parts(&new_secrets().await);
    let (old, new) = (&old[0], &new[0]);

    // As on the node that is the first to sign with it.
    write_private(&file, &format!("{root}{new}{old}"));
    server.restart().await;
    ada.get("/v1/users/me").await.ok(200);
    let early = server.sign_in("ada").await;
    server.stop().await;
    assert_eq!(known(&server).await.0.len(), 3, "the key that was added is known");

    // As on a node that does not sign with it yet.
    write_private(&file, &format!("{root}{old}{new}"));
    server.restart().await;
    early.get("/v1/users/me").await.ok(200);
    let mut late = server.sign_in("ada").await;
    server.stop().await;

    write_private(&file, &format!("{root}{new}{old}"));
    server.restart().await;
    for person in [&ada, &early, &late] {
        person.get("/v1/users/me").await.ok(200);
    }
    server.stop().await;

    write_private(&file, &format!("{root}{new}"));
    server.restart().await;
    early.get("/v1/users/me").await.ok(200);
    late.get("/v1/users/me").await.problem(401, "unauthenticated");
    late.refreshes().await;
}

#[tokio::test]
async fn token_keys_that_no_other_node_would_know_are_refused() {
    let mut server = Server::start().await;
    server.stop().await;
    let file = default_file(&server);
    let own = fs::read_to_string(&file).unwrap();
    let (root, _) = parts(&own);
    let (_, other) = parts(&new_secrets().await);

    write_private(&file, &format!("{root}{}", other[0]));
    refused(&starts(&server, &[]).await, &["none of the token keys is known", "beside a known one"]);

    let (kid, secret) = (value(&own, "kid").to_owned(), value(&own, "secret").to_owned());
    write_private(&file, &own.replace(&secret, value(&other[0], "secret")));
    refused(&starts(&server, &[]).await, &[&format!("token key {kid} is another one")]);

    write_private(&file, &own);
    server.restart().await;
}

#[tokio::test]
async fn what_secrets_new_prints_is_a_file_that_can_be_named() {
    let (first, second) = (new_secrets().await, new_secrets().await);
    for key in ["root", "kid", "secret"] {
        assert_ne!(value(&first, key), value(&second, key));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shared.toml");
    write_private(&file, &first);
    let named = [("PARLOR_AUTH__SECRETS_FILE", file.to_str().unwrap())];
    let mut server = Server::start_with(&named).await;
    let ada = server.register("ada").await;
    assert!(!default_file(&server).exists());
    server.restart().await;
    ada.get("/v1/users/me").await.ok(200);
    server.stop().await;
    assert!(known(&server).await.0.contains(&value(&first, "kid").to_owned()));

    write_private(&file, &second);
    refused(&starts(&server, &named).await, &["shared.toml", "the root is another one"]);
}

#[tokio::test]
async fn a_named_file_that_cannot_be_used_is_refused_before_anything_is_made() {
    let mut server = Server::start().await;
    server.stop().await;
    fs::remove_dir_all(server.data()).unwrap();
    let file = server.folder().join("named.toml");
    let env = [("PARLOR_AUTH__SECRETS_FILE", file.to_str().unwrap())];

    refused(&starts(&server, &env).await, &["there is no file", "auth.secrets_file", "parlor secrets new"]);
    assert!(!file.exists(), "a file that was named is never made");
    let good = new_secrets().await;
    let (root, keys) = parts(&good);
    let many = keys[0].replace("kid = \"", "kid = \"x");
    for bad in [
        String::new(),
        root.clone(),
        good.replace("secret", "key"),
        good.replace(value(&good, "root"), "hunter2"),
        format!("{good}{}", keys[0]),
        good.replace(value(&good, "kid"), "root"),
        format!("{good}{many}{}{}", many.replace("\"x", "\"y"), many.replace("\"x", "\"z")),
    ] {
        write_private(&file, &bad);
        let finished = starts(&server, &env).await;
        refused(&finished, &["named.toml is not a file of keys", "parlor secrets new"]);
        assert!(!finished.stderr.contains("hunter2"), "{}", finished.stderr);
    }
    write_private(&file, &good);
    for mode in [0o640, 0o604] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        refused(&starts(&server, &env).await, &["named.toml can be read by others", "chmod 600"]);
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o700)).unwrap();
    refused(&starts(&server, &env).await, &["named.toml cannot be read"]);
    assert!(!server.data().exists(), "nothing was made");
}

#[tokio::test]
async fn nodes_of_one_database_need_the_same_file() {
    let database = Database::create().await;
    let url = database.url();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shared.toml");
    write_private(&file, &new_secrets().await);
    let shared =
        [("PARLOR_STORAGE__URL", url.as_str()), ("PARLOR_AUTH__SECRETS_FILE", file.to_str().unwrap())];
    // Both start on an empty database.
    let (mut one, two) = tokio::join!(Server::start_with(&shared), Server::start_with(&shared));
    let ada = one.register("ada").await;
    ada.through(two.address()).get("/v1/users/me").await.ok(200);

    // A node that was not given the file has none in its data folder, and must not make one.
    one.stop().await;
    let without = one
        .command_with(&["serve", "--listen", "127.0.0.1:0"], &[("PARLOR_AUTH__SECRETS_FILE", "")], "")
        .await;
    refused(&without, &["there are no keys in", "secrets.toml"]);
    assert!(!without.stderr.contains("p%40ss"), "{}", without.stderr);
    assert!(!default_file(&one).exists());
    one.restart().await;
    ada.get("/v1/users/me").await.ok(200);
}

#[tokio::test]
async fn of_nodes_that_make_keys_of_their_own_at_the_same_time_one_is_served() {
    let database = Database::create().await;
    let url = database.url();
    let folder = tempfile::tempdir().unwrap();
    let starts = |name: &'static str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_parlor"));
        program.args(["serve", "--listen", "127.0.0.1:0", "--data", name]).current_dir(folder.path());
        program.env("PARLOR_STORAGE__URL", &url).stdout(Stdio::piped()).stderr(Stdio::null());
        tokio::task::spawn_blocking(move || {
            let mut child = program.spawn().unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            child.kill().unwrap();
            child.wait().unwrap();
            line.starts_with("listening on ")
        })
    };
    let (one, two) = tokio::join!(starts("one"), starts("two"));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(one != two, "exactly one serves: {one} {two}");
}
