//! PostgreSQL as it is without any configuration: made by Debian's programs in a temporary folder, listening on loopback, synced
//! commits. It ends when it is dropped.

use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::getuid;
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use super::program::{Program, find, free_port};
use crate::process;

/// The user nobody, who has no files. PostgreSQL refuses to run as root.
const NOBODY: u32 = 65_534;
/// How many times its start is waited for.
const LOOKS: u32 = 600;
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub struct Postgres {
    program: Program,
    port: u16,
}

/// A database of a role without other rights.
pub struct Database {
    pub url: String,
}

/// Whether PostgreSQL can be started here.
pub fn is_installed() -> bool {
    initdb().is_some()
}

impl Postgres {
    pub async fn start() -> Self {
        let (initdb, port) = (initdb().expect("PostgreSQL is installed"), free_port());
        let folder = tempfile::tempdir().expect("a folder");
        let as_whom = prepare(&folder);
        let data = text(folder.path().join("data"));
        let run = |program: PathBuf, options: &[&str]| {
            let of_program = [text(program), "-D".into(), data.clone()];
            let options = options.iter().map(|option| (*option).to_owned());
            as_whom.iter().cloned().chain(of_program).chain(options).collect::<Vec<_>>()
        };
        let server = run(
            initdb.with_file_name("postgres"),
            &["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-p", &port.to_string()],
        );
        let options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"];
        let making = run(initdb, &options);
        let made = Command::new(&making[0]).args(&making[1..]).current_dir(folder.path()).output();
        let made = made.expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));

        // SIGQUIT ends it at once; nobody needs what is in it.
        let this = Self { program: Program::start(folder, "QUIT", &server), port };
        this.wait().await.batch_execute("CREATE ROLE parlor LOGIN").await.expect("a role");
        this
    }

    /// Waits until it answers.
    async fn wait(&self) -> Client {
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres", self.port);
        for _ in 0..LOOKS {
            if let Ok((client, connection)) = tokio_postgres::connect(&url, NoTls).await {
                tokio::spawn(connection);
                return client;
            }
            assert!(self.program.is_running(), "PostgreSQL ended: {}", self.program.log());
            tokio::time::sleep(LOOK_EVERY).await;
        }
        panic!("PostgreSQL does not answer: {}", self.program.log());
    }

    /// An empty database.
    pub async fn create(&self, name: &str) -> Database {
        let create = format!("CREATE DATABASE \"{name}\" OWNER parlor TEMPLATE template0");
        self.wait().await.batch_execute(&create).await.expect("a database");
        Database { url: format!("postgres://parlor@127.0.0.1:{}/{name}", self.port) }
    }

    /// What its processes have used so far.
    pub fn usage(&self) -> Usage {
        Usage(process::nanos_of_family(self.program.pid))
    }
}

/// Time on the CPU of each process, in nanoseconds.
pub struct Usage(HashMap<u32, u64>);

impl Usage {
    /// Seconds on the CPU since an earlier look, of the processes that still run.
    pub fn since(&self, earlier: &Self) -> f64 {
        let used = self.0.iter().map(|(pid, nanos)| nanos.saturating_sub(*earlier.0.get(pid).unwrap_or(&0)));
        used.sum::<u64>() as f64 / 1e9
    }
}

impl Database {
    pub async fn connect(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.expect("a connection");
        tokio::spawn(connection);
        client
    }
}

/// Lets the user under whom PostgreSQL runs make its files. Gives the beginning of a command that runs another as that user.
fn prepare(folder: &TempDir) -> Vec<String> {
    if !getuid().is_root() {
        return vec!["env".into()];
    }
    let open = |path: &std::path::Path| fs::set_permissions(path, Permissions::from_mode(0o711));
    open(folder.path()).expect("permissions");
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("a folder");
    chown(&data, Some(NOBODY), Some(NOBODY)).expect("root may");
    let command = [
        "setpriv".to_owned(),
        format!("--reuid={NOBODY}"),
        format!("--regid={NOBODY}"),
        "--clear-groups".to_owned(),
    ];
    command.to_vec()
}

fn text(path: PathBuf) -> String {
    path.into_os_string().into_string().expect("a path in UTF-8")
}

/// The newest version here.
fn initdb() -> Option<PathBuf> {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<_> = installed.map(|version| version.path()).collect();
    versions.sort_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    find("initdb", versions.into_iter().rev().map(|version| version.join("bin")))
}
