//! One PostgreSQL for all tests of this process, made when the first test asks for it, and a database of its own for each server.
//! A test that stops PostgreSQL gets one of its own. Made by Debian's programs in a temporary folder, it listens on loopback. Knows no tables.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use rustix::process::getuid;

use super::port::free_port;
use super::wait_for;

/// The password of both roles, with characters that a URL must escape.
const PASSWORD: &str = "p@ss:w/rd%1";
const PASSWORD_IN_URL: &str = "p%40ss%3Aw%2Frd%251";

/// Makes the cluster in the folder `data`, starts it, says so, and then does what each line of its standard input says: `stop` or
/// `start` that one; make a `standby` of it on another port, in a folder with that name; `promote` the standby. That input ends
/// at the latest with the test process, in whatever way it ends. Then PostgreSQL ends and the folder is removed. The
/// arguments after the first three are a command that runs another as somebody who is not root, because PostgreSQL refuses to run
/// as root. The locale sorts otherwise than by bytes, as that of most databases does. Autovacuum would look through each database of
/// each test, and a start after a crash would sync each of its files.
const SUPERVISOR: &str = r#"
bin=$1 port=$2 password=$3
shift 3
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cd "$folder"
printf %s "$password" >password
chmod 644 password
mkdir -m 700 data standby
if [ $# -gt 0 ]; then chmod 711 . && chown 65534:65534 data standby; fi
settings="-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 -c shared_buffers=64MB"
settings="$settings -c autovacuum=off -c recovery_init_sync_method=syncfs"
if "$@" "$bin/initdb" -D data -U postgres -A scram-sha-256 --pwfile=password --no-sync -E UTF8 \
    --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US >log 2>&1 </dev/null &&
  "$@" "$bin/pg_ctl" -D data -l data/log -w -t 60 -o "$settings -c port=$port" start >>log 2>&1 </dev/null
then
  echo ready
  while read -r command other; do
    case $command in
      stop) "$@" "$bin/pg_ctl" -D data -m immediate -w stop ;;
      start) "$@" "$bin/pg_ctl" -D data -l data/log -w -t 60 -o "$settings -c port=$port" start ;;
      standby)
        PGPASSWORD=$password "$@" "$bin/pg_basebackup" -h 127.0.0.1 -p "$port" -U postgres -D standby -R -c fast --no-sync &&
          "$@" "$bin/pg_ctl" -D standby -l standby/log -w -t 60 -o "$settings -c port=$other" start ;;
      promote) "$@" "$bin/pg_ctl" -D standby -w -t 60 promote ;;
    esac >>log 2>&1 </dev/null
    echo "done $?"
  done
  for cluster in data standby; do
    "$@" "$bin/pg_ctl" -D $cluster -m immediate -w stop >/dev/null 2>&1
  done
else
  cat log data/log 2>/dev/null
fi
"#;

/// A PostgreSQL of the tests.
struct Postgres {
    bin: PathBuf,
    port: u16,
    /// PostgreSQL ends when the supervisor's standard input is closed. A static is never dropped: the kernel closes it when the
    /// process ends.
    supervisor: Mutex<Supervisor>,
}

/// That of all tests but those that stop theirs.
static SHARED: OnceLock<Arc<Postgres>> = OnceLock::new();

struct Supervisor {
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    _process: Child,
}

/// An empty database, removed at the end of the test. Its owner is a role without other rights.
pub struct Database {
    postgres: Arc<Postgres>,
    name: String,
}

/// Whether servers run on PostgreSQL in this run of the tests.
pub fn is_chosen() -> bool {
    match std::env::var("PARLOR_TEST_STORE").as_deref() {
        Ok("postgres" | "nodes") => true,
        Ok("sqlite") | Err(std::env::VarError::NotPresent) => false,
        other => panic!("PARLOR_TEST_STORE is postgres, nodes or sqlite, not {other:?}"),
    }
}

/// Whether the test is to be skipped because it is about SQLite's own ways; prints the reason.
pub fn skips(reason: &str) -> bool {
    if is_chosen() {
        println!("skipped on PostgreSQL: {reason}");
    }
    is_chosen()
}

impl Postgres {
    /// The one of all tests.
    fn shared() -> &'static Arc<Self> {
        SHARED.get_or_init(|| Arc::new(Self::start()))
    }

    fn is_shared(self: &Arc<Self>) -> bool {
        SHARED.get().is_some_and(|shared| Arc::ptr_eq(shared, self))
    }

    fn start() -> Self {
        let bin = programs();
        let port = free_port();
        let mut supervisor = Command::new("sh");
        supervisor.args(["-c", SUPERVISOR, "sh"]).arg(&bin).args([&port.to_string(), PASSWORD]);
        if getuid().is_root() {
            // The user nobody, who has no files.
            supervisor.args(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
        }
        // In a group of its own, a Ctrl-C at the terminal does not end it before it has cleaned up.
        supervisor.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut supervisor = supervisor.spawn().expect("sh starts");
        let commands = supervisor.stdin.take().expect("stdin is piped");
        let mut answers = BufReader::new(supervisor.stdout.take().expect("stdout is piped"));
        let mut said = String::new();
        answers.read_line(&mut said).expect("it says text");
        if said != "ready\n" {
            answers.read_to_string(&mut said).expect("it says text");
            panic!("PostgreSQL does not start:\n{said}");
        }
        let supervisor = Mutex::new(Supervisor { commands, answers, _process: supervisor });
        let postgres = Self { bin, port, supervisor };
        postgres.run(&format!("CREATE ROLE parlor LOGIN PASSWORD '{PASSWORD}'"));
        postgres
    }

    /// Runs a statement as the superuser.
    fn run(&self, statement: &str) {
        self.psql(self.port, "postgres", "postgres", statement).expect("the statement can be run");
    }

    /// Runs statements, each in a transaction of its own; gives the rows, or what went wrong.
    fn psql(&self, port: u16, role: &str, database: &str, statements: &str) -> Result<String, String> {
        let mut psql = self.command(port, role, database).spawn().expect("psql starts");
        psql.stdin.take().expect("stdin is piped").write_all(statements.as_bytes()).expect("psql reads");
        let finished = psql.wait_with_output().expect("psql ends");
        let text = |bytes| String::from_utf8(bytes).expect("the database is UTF-8");
        if finished.status.success() { Ok(text(finished.stdout)) } else { Err(text(finished.stderr)) }
    }

    fn command(&self, port: u16, role: &str, database: &str) -> Command {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &port.to_string()])
            .args(["-U", role, "-d", database, "-f", "-"])
            .env("PGPASSWORD", PASSWORD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        psql
    }
}

impl Database {
    /// Starts PostgreSQL if no test has done so before, which takes seconds.
    pub async fn create() -> Self {
        let create = || Self::create_in(Postgres::shared().clone());
        tokio::task::spawn_blocking(create).await.expect("the database is made")
    }

    /// In a PostgreSQL of its own, which the test may stop. That one ends with the database.
    pub async fn create_alone() -> Self {
        let create = || Self::create_in(Arc::new(Postgres::start()));
        tokio::task::spawn_blocking(create).await.expect("the database is made")
    }

    /// The same with its tables in a folder, which is made for it. Only root can make it.
    pub async fn create_alone_in(folder: PathBuf) -> Self {
        let create = move || {
            std::fs::create_dir(&folder).expect("the folder can be made");
            std::os::unix::fs::chown(&folder, Some(65534), Some(65534)).expect("root can give it away");
            let postgres = Arc::new(Postgres::start());
            postgres.run(&format!("CREATE TABLESPACE apart LOCATION '{}'", folder.display()));
            Self::create_with(postgres, "TABLESPACE apart")
        };
        tokio::task::spawn_blocking(create).await.expect("the database is made")
    }

    fn create_in(postgres: Arc<Postgres>) -> Self {
        Self::create_with(postgres, "")
    }

    fn create_with(postgres: Arc<Postgres>, options: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("parlor_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        postgres.run(&format!("CREATE DATABASE {name} OWNER parlor TEMPLATE template0 {options}"));
        Self { postgres, name }
    }

    /// Ends its PostgreSQL as a power cut would: `pg_ctl stop -m immediate`.
    pub async fn stops(&self) {
        self.tells_supervisor("stop".into()).await;
    }

    /// Starts its PostgreSQL again, on the same port.
    pub async fn starts(&self) {
        self.tells_supervisor("start".into()).await;
    }

    /// Makes a standby of its PostgreSQL, which follows from now on without being waited for.
    pub async fn gets_standby(&self) -> Standby {
        let port = free_port();
        self.tells_supervisor(format!("standby {port}")).await;
        Standby { postgres: self.postgres.clone(), database: self.name.clone(), port }
    }

    /// Waits for the standby at each commit from now on.
    pub async fn waits_for_its_standby(&self) {
        self.run_as_superuser("ALTER SYSTEM SET synchronous_standby_names = '*'; SELECT pg_reload_conf()")
            .await;
        wait_for("commits wait for the standby", || async {
            self.run_as_superuser("SELECT sync_state FROM pg_stat_replication").await == "sync\n"
        })
        .await;
    }

    async fn tells_supervisor(&self, command: String) {
        assert!(!self.postgres.is_shared(), "other tests use this PostgreSQL");
        tells_supervisor(self.postgres.clone(), command).await;
    }

    /// What `storage.url` is set to.
    pub fn url(&self) -> String {
        self.url_through(&[self.address()])
    }

    /// The same on another way to it, such as through a proxy. Of several addresses one leads to a server that takes writes.
    pub fn url_through(&self, addresses: &[SocketAddr]) -> String {
        let hosts: Vec<_> = addresses.iter().map(SocketAddr::to_string).collect();
        format!("postgres://parlor:{PASSWORD_IN_URL}@{}/{}", hosts.join(","), self.name)
    }

    /// Where its PostgreSQL listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.postgres.port))
    }

    /// Whether the password of its URL is in a text, in either form.
    pub fn is_betrayed_by(text: &str) -> bool {
        text.contains(PASSWORD) || text.contains(PASSWORD_IN_URL)
    }

    /// Where PostgreSQL listens.
    pub fn port() -> u16 {
        Postgres::shared().port
    }

    /// Runs statements as the role of the server, each in a transaction of its own; gives the rows, one a line, with `|` between
    /// columns.
    pub async fn run(&self, statements: &str) -> String {
        self.try_run(statements).await.unwrap_or_else(|said| panic!("{statements}\n{said}"))
    }

    /// The same as the superuser.
    pub async fn run_as_superuser(&self, statements: &str) -> String {
        let (postgres, name, owned) = (self.postgres.clone(), self.name.clone(), statements.to_owned());
        let run = move || postgres.psql(postgres.port, "postgres", &name, &owned);
        let ran = tokio::task::spawn_blocking(run).await.expect("psql runs them");
        ran.unwrap_or_else(|said| panic!("{statements}\n{said}"))
    }

    /// Sets what holds for connections that are opened from now on, and ends those of the server.
    pub async fn alters(&self, change: &str) {
        self.run_as_superuser(&format!("ALTER DATABASE {} {change}", self.name)).await;
        self.ends_connections().await;
    }

    /// Ends all connections of the server.
    pub async fn ends_connections(&self) {
        self.run_as_superuser(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await;
    }

    /// The same where it may fail.
    pub async fn try_run(&self, statements: &str) -> Result<String, String> {
        let (postgres, name, statements) = (self.postgres.clone(), self.name.clone(), statements.to_owned());
        let run = move || postgres.psql(postgres.port, "parlor", &name, &statements);
        tokio::task::spawn_blocking(run).await.expect("psql runs them")
    }
}

/// The copy of a PostgreSQL that follows it. It ends with the database.
pub struct Standby {
    postgres: Arc<Postgres>,
    database: String,
    port: u16,
}

impl Standby {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Makes it a server that takes writes, with what it has of the other one.
    pub async fn is_promoted(&self) {
        tells_supervisor(self.postgres.clone(), "promote".into()).await;
    }

    /// Cuts it off from the other one: it gets nothing more of what that one writes.
    pub async fn is_cut_off(&self) {
        self.run("postgres", "ALTER SYSTEM SET primary_conninfo = ''; SELECT pg_reload_conf()").await;
        wait_for("it does not follow any more", || async {
            self.run("postgres", "SELECT count(*) FROM pg_stat_wal_receiver").await == "0\n"
        })
        .await;
    }

    /// Reads the database in it as the superuser.
    pub async fn reads(&self, query: &'static str) -> String {
        self.run(&self.database, query).await
    }

    async fn run(&self, database: &str, statements: &'static str) -> String {
        let (postgres, port, database) = (self.postgres.clone(), self.port, database.to_owned());
        let run = move || postgres.psql(port, "postgres", &database, statements);
        tokio::task::spawn_blocking(run).await.expect("psql runs them").expect("they can be run")
    }
}

/// A transaction of another program. It ends without a trace when this is dropped.
pub struct Transaction(Child);

impl Database {
    /// Begins a transaction with these statements, which take locks.
    pub async fn holds(&self, statements: &str) -> Transaction {
        let (postgres, name, statements) = (self.postgres.clone(), self.name.clone(), statements.to_owned());
        let begin = move || {
            let mut psql = postgres.command(postgres.port, "parlor", &name).spawn().expect("psql starts");
            let mut stdin = psql.stdin.as_ref().expect("stdin is piped");
            writeln!(stdin, "BEGIN; {statements}; \\echo held").expect("psql reads");
            let said = BufReader::new(psql.stdout.as_mut().expect("stdout is piped")).lines();
            assert!(said.map_while(Result::ok).any(|line| line == "held"), "{statements}");
            Transaction(psql)
        };
        tokio::task::spawn_blocking(begin).await.expect("psql begins")
    }
}

impl Transaction {
    /// Runs more statements in it, without waiting until they are done.
    pub fn goes_on(&mut self, statements: &str) {
        let mut stdin = self.0.stdin.as_ref().expect("stdin is piped");
        writeln!(stdin, "{statements};").expect("psql reads");
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Another PostgreSQL ends with its database, and may be stopped already.
        if self.postgres.is_shared() {
            self.postgres.run(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

async fn tells_supervisor(postgres: Arc<Postgres>, command: String) {
    let tell = move || {
        let mut supervisor = postgres.supervisor.lock().expect("nothing panics with it");
        writeln!(supervisor.commands, "{command}").expect("the supervisor reads");
        let mut answer = String::new();
        supervisor.answers.read_line(&mut answer).expect("the supervisor answers");
        assert_eq!(answer, "done 0\n", "{command}");
    };
    tokio::task::spawn_blocking(tell).await.expect("the supervisor does it");
}

/// The folder of the programs of the newest PostgreSQL here.
fn programs() -> PathBuf {
    let major = |bin: &Path| bin.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debians = installed.map(|version| version.path().join("bin"));
    let others = std::env::var_os("PATH");
    let others: Vec<PathBuf> = others.iter().flat_map(std::env::split_paths).collect();
    debians
        .chain(others)
        .filter(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
        .max_by_key(|bin| major(bin))
        .expect("PostgreSQL 15 or newer is not installed (Debian: sudo apt-get install postgresql); `make test` installs it for root")
}
