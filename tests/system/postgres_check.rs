//! What `parlor check` says of a PostgreSQL database that cannot be used: one line, which a start says, too. It changes nothing.

use std::fs;

use crate::support::postgres::Database;
use crate::support::{Finished, PASSWORD, Server, parlor};

/// A database and the folder that the program is run in.
struct Tried {
    database: Database,
    folder: tempfile::TempDir,
}

impl Tried {
    async fn new() -> Self {
        Self { database: Database::create().await, folder: tempfile::tempdir().unwrap() }
    }

    async fn runs(&self, args: &[&str], env: &[(&str, &str)]) -> Finished {
        let url = self.database.url();
        let env = [&[("PARLOR_STORAGE__URL", url.as_str())], env].concat();
        parlor(&[args, &["--data", "data"]].concat(), &env, "", self.folder.path()).await
    }

    /// Asserts that both a check and a start are refused by one line with these words.
    async fn is_refused(&self, words: &[&str], env: &[(&str, &str)]) {
        for args in [&["check"][..], &["serve", "--listen", "127.0.0.1:0"]] {
            let finished = self.runs(args, env).await;
            let Finished { code, stderr, .. } = &finished;
            assert_eq!(*code, Some(1), "{args:?} {words:?}: {stderr}");
            let lines: Vec<_> = stderr.lines().filter(|line| line.starts_with("error: ")).collect();
            assert_eq!(lines.len(), 1, "{stderr}");
            for word in words {
                assert!(lines[0].contains(word), "{args:?}: {word:?} is missing in: {}", lines[0]);
            }
            assert!(!stderr.contains("p@ss") && !stderr.contains("p%40ss"), "{stderr}");
        }
    }

    /// Asserts that a check finds nothing wrong.
    async fn is_good(&self, env: &[(&str, &str)]) {
        let finished = self.runs(&["check"], env).await;
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert!(finished.stdout.contains("# the database can be used: parlor_"), "{}", finished.stdout);
    }

    async fn tables(&self) -> String {
        self.database.run("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await
    }
}

#[tokio::test]
async fn a_check_of_an_empty_database_finds_it_good_and_makes_nothing() {
    let tried = Tried::new().await;
    tried.is_good(&[]).await;
    assert_eq!(tried.tables().await.trim(), "0");
    assert!(!tried.folder.path().join("data").exists(), "no keys are made");
}

#[tokio::test]
async fn a_database_with_the_tables_of_another_program_is_refused() {
    let tried = Tried::new().await;
    for (makes, takes) in [
        ("CREATE TABLE customers (id BIGINT)", "DROP TABLE customers"),
        ("CREATE TABLE migrations (version BIGINT)", "DROP TABLE migrations"),
        ("CREATE VIEW one AS SELECT 1", "DROP VIEW one"),
    ] {
        tried.database.run(makes).await;
        tried.is_refused(&["has tables of another program", "create a new database"], &[]).await;
        tried.database.run(takes).await;
        tried.is_good(&[]).await;
    }
}

#[tokio::test]
async fn a_schema_of_a_newer_version_is_refused() {
    let database = Database::create().await;
    let mut server = Server::start_with(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    server.stop().await;
    let good = server.command(&["check"], "").await;
    assert_eq!(good.code, Some(0), "{}", good.stderr);
    database.run("INSERT INTO migrations SELECT max(version) + 1, false FROM migrations").await;
    for args in [&["check"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let finished = server.command(args, "").await;
        assert_eq!(finished.code, Some(1), "{}", finished.stderr);
        assert!(finished.stderr.contains("was written by a newer parlor (schema 2)"), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn keys_of_another_cluster_are_told_by_a_check() {
    let database = Database::create().await;
    let mut server = Server::start_with(&[("PARLOR_STORAGE__URL", &database.url())]).await;
    server.stop().await;
    let file = server.data().join("secrets.toml");
    let own = fs::read_to_string(&file).unwrap();
    let other = parlor(&["secrets", "new"], &[], "", server.folder()).await.stdout;
    let secret = |text: &str| {
        text.lines().find_map(|line| line.strip_prefix("secret = ")).expect("a token key").to_owned()
    };
    let told = async |words: &str| {
        let finished = server.command(&["check"], "").await;
        assert_eq!(finished.code, Some(1), "{words}: {}", finished.stdout);
        let lines: Vec<_> = finished.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(lines.len() == 1 && lines[0].contains(words), "{}", finished.stderr);
    };
    fs::write(&file, &other).unwrap();
    told("the root is another one").await;
    fs::write(&file, own.replace(&secret(&own), &secret(&other))).unwrap();
    told("is another one than it was").await;
    let kept = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    told("there are no keys in").await;
    assert!(!file.exists(), "a check makes none");
    fs::write(&file, kept).unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    told("chmod 600").await;
    let known = database.run("SELECT count(*) FROM keys").await;
    assert_eq!(known.trim(), "2", "a check teaches the database nothing");
}

#[tokio::test]
async fn a_role_without_the_rights_is_refused() {
    let database = Database::create_alone().await;
    let folder = tempfile::tempdir().unwrap();
    let tried = Tried { database, folder };
    let (url, folder) = (tried.database.url(), tried.folder.path());
    let added = parlor(&["user", "add", "ada"], &[("PARLOR_STORAGE__URL", &url)], PASSWORD, folder).await;
    assert_eq!(added.code, Some(0), "{}", added.stderr);
    let superuser = async |statement: &str| tried.database.run_as_superuser(statement).await;
    superuser("ALTER SCHEMA public OWNER TO postgres; REVOKE CREATE ON SCHEMA public FROM PUBLIC, parlor")
        .await;
    tried.is_refused(&["the role parlor may not create tables", "GRANT"], &[]).await;
    superuser("GRANT CREATE ON SCHEMA public TO parlor").await;
    tried.is_good(&[]).await;
    // A table of somebody else beside ours does no harm.
    superuser("CREATE TABLE notes (text TEXT); ALTER TABLE notes OWNER TO postgres").await;
    tried.is_good(&[]).await;
    superuser("ALTER TABLE messages OWNER TO postgres; ALTER TABLE events OWNER TO postgres; GRANT SELECT ON messages TO parlor")
        .await;
    tried.is_refused(&["the role parlor may not read and write events, messages", "GRANT"], &[]).await;
}

#[tokio::test]
async fn settings_that_lose_commits_are_refused() {
    let tried = Tried::new().await;
    for setting in ["off", "local"] {
        tried.database.alters(&format!("SET synchronous_commit = {setting}")).await;
        tried.is_refused(&[&format!("synchronous_commit is {setting}")], &[]).await;
    }
    tried.database.alters("RESET synchronous_commit").await;
    tried.database.alters("SET default_transaction_read_only = on").await;
    // A start waits for a server that may become the primary.
    let finished = tried.runs(&["check"], &[]).await;
    assert_eq!(finished.code, Some(1), "{}", finished.stdout);
    assert!(finished.stderr.contains("does not allow writes"), "{}", finished.stderr);
}

#[cfg(debug_assertions)]
#[tokio::test]
async fn a_clock_that_is_an_hour_off_is_refused() {
    let tried = Tried::new().await;
    let clock = tried.folder.path().join("clock");
    for seconds in ["3600", "-3600"] {
        fs::write(&clock, seconds).unwrap();
        tried
            .is_refused(&["clock", "s apart", "NTP"], &[("PARLOR_TEST_CLOCK", clock.to_str().unwrap())])
            .await;
    }
}

#[tokio::test]
async fn a_wrong_password_and_a_lack_of_connections_are_told_by_a_check() {
    let tried = Tried::new().await;
    let wrong = tried.database.url().replace("p%40ss", "wrong");
    tried
        .is_refused(&["password authentication failed", "(28P01)"], &[("PARLOR_STORAGE__URL", &wrong)])
        .await;
    let nowhere = tried.database.url().replace("/parlor_", "/nowhere_");
    tried.is_refused(&["does not exist", "(3D000)"], &[("PARLOR_STORAGE__URL", &nowhere)]).await;
    tried.database.alters("CONNECTION LIMIT 0").await;
    let finished = tried.runs(&["check"], &[]).await;
    assert_eq!(finished.code, Some(1), "{}", finished.stdout);
    assert!(
        finished.stderr.contains("too many connections") && finished.stderr.contains("(53300)"),
        "{}",
        finished.stderr
    );
}
