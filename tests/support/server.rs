//! A server process of one test: its own port, its own data folder, killed at the latest when the test ends.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::Signal;
use tempfile::{NamedTempFile, TempDir};

use super::client::Client;
use super::person::Person;
use super::port::free_address;
use super::postgres;
use super::postgres::Transaction;
use super::program::{Finished, command, parlor, signal};
use super::spread::{self, Front};
use super::sql::Sql;
use super::{DEADLINE, PASSWORD};

/// Longer than the server's own time to shut down.
const STOPS_WITHIN: std::time::Duration = std::time::Duration::from_secs(20);

/// Breaks a part of the server down: `PART:WORDS`, once an event has these words.
pub const BREAKS: &str = "PARLOR_TEST_BREAKS";

/// Names the file whose seconds are added to the true time.
const CLOCK: &str = "PARLOR_TEST_CLOCK";

/// The origin that browsers see. Nodes behind one address must be told it, as behind any proxy.
const PUBLIC_URL: &str = "PARLOR_SERVER__PUBLIC_URL";

/// A running server, or one that was stopped and can be started again. In a run that is spread over two nodes it is both of them.
pub struct Server {
    folder: TempDir,
    env: Vec<(String, String)>,
    /// Where it keeps everything in a run on PostgreSQL; else in the data folder.
    database: Option<postgres::Database>,
    /// The command that becomes the program; none: it is started as it is.
    launcher: Vec<String>,
    address: SocketAddr,
    child: Option<Child>,
    log: Arc<Mutex<String>>,
    /// What the server's clock adds to the true time.
    clock: Option<NamedTempFile>,
    is_heard: bool,
    /// Standard error of a server that nobody listens to.
    unread: Option<ChildStderr>,
    /// The other of two nodes, and the address in front of both.
    pair: Option<(Box<Server>, Front)>,
}

/// A transaction of another program, which ends when this is dropped.
pub enum Lock {
    Sqlite(Sql),
    Postgres(Transaction),
}

impl Server {
    /// A fresh server on a free port, with rate limits off.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with variables over the defaults of tests, such as `("PARLOR_AUTH__ACCESS_TOKEN_SECONDS", "2")`.
    pub async fn start_with(env: &[(&str, &str)]) -> Self {
        Self::launch(Vec::new(), env, true).await
    }

    /// The same with a log that is a pipe which nobody reads, until [`Server::is_heard_again`].
    pub async fn start_unheard(env: &[(&str, &str)]) -> Self {
        Self::launch(Vec::new(), env, false).await
    }

    /// The same under a hard limit of open descriptors.
    pub async fn start_with_descriptors(most: u32, env: &[(&str, &str)]) -> Self {
        Self::launch(vec!["prlimit".to_owned(), format!("--nofile={most}:{most}")], env, true).await
    }

    /// The same with a umask of 0, which leaves new files open to everybody.
    pub async fn start_without_umask() -> Self {
        let launcher = ["sh", "-c", "umask 0 && exec \"$0\" \"$@\""];
        Self::launch(launcher.map(str::to_owned).to_vec(), &[], true).await
    }

    /// The same with standard error on a device that is always full.
    pub async fn start_with_full_stderr(env: &[(&str, &str)]) -> Self {
        let launcher = ["sh", "-c", "exec \"$0\" \"$@\" 2>/dev/full"];
        Self::launch(launcher.map(str::to_owned).to_vec(), env, true).await
    }

    /// The same with a clock that the test moves.
    #[cfg(debug_assertions)]
    pub async fn start_with_clock(env: &[(&str, &str)]) -> Self {
        let (clock, name) = new_clock();
        let mut server = Self::start_with(&[env, &[(CLOCK, &name)]].concat()).await;
        server.clock = Some(clock);
        server
    }

    /// Another node of [`Server::starts_another_node`], with a clock of its own that the test moves.
    #[cfg(debug_assertions)]
    pub async fn starts_another_node_with_clock(&self) -> Self {
        let (clock, name) = new_clock();
        let mut node = self.another_node(&[(CLOCK.to_owned(), name)]);
        node.clock = Some(clock);
        node.run().await;
        node
    }

    /// Sets the server's clock to the true time and so many seconds, from now on. What the server measures by the monotonic
    /// clock goes on as before, as when an operator sets the clock of the machine.
    #[cfg(debug_assertions)]
    pub fn moves_clock(&self, seconds: i64) {
        let clock = self.clock.as_ref().expect("it was started with a clock to move").path();
        // Moved into its place, so that the server never reads half of it.
        let next = self.folder().join("clock");
        std::fs::write(&next, seconds.to_string()).expect("a file can be written");
        std::fs::rename(next, clock).expect("a file can be moved");
    }

    async fn launch(launcher: Vec<String>, env: &[(&str, &str)], is_heard: bool) -> Self {
        let mut all = vec![("PARLOR_LIMITS__ENABLED".to_owned(), "false".to_owned())];
        let database = if postgres::is_chosen() { Some(postgres::Database::create().await) } else { None };
        all.extend(database.iter().map(|database| ("PARLOR_STORAGE__URL".to_owned(), database.url())));
        let front = spread::is_chosen().then(Front::listens);
        all.extend(front.iter().map(|(_, address)| (PUBLIC_URL.to_owned(), format!("http://{address}"))));
        all.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let mut server = Self::planned(all);
        (server.database, server.launcher, server.is_heard) = (database, launcher, is_heard);
        server.run_alone().await;
        if let Some((listener, _)) = front {
            let mut other = server.another_node(&[]);
            (other.launcher, other.is_heard) = (server.launcher.clone(), is_heard);
            other.run_alone().await;
            let front = Front::before(listener, [server.address, other.address]);
            server.pair = Some((Box::new(other), front));
        }
        server
    }

    /// A server that has not been started.
    fn planned(env: Vec<(String, String)>) -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder for the test"),
            env,
            database: None,
            launcher: Vec::new(),
            address: free_address(),
            child: None,
            log: Arc::default(),
            clock: None,
            is_heard: true,
            unread: None,
            pair: None,
        }
    }

    /// Starts another node on the same PostgreSQL database, with the same keys and the same variables.
    pub async fn starts_another_node(&self) -> Self {
        self.starts_another_node_with(&[]).await
    }

    /// The same with other variables over those of this node.
    pub async fn starts_another_node_with(&self, env: &[(&str, &str)]) -> Self {
        let env: Vec<_> = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut node = self.another_node(&env);
        node.run().await;
        node
    }

    fn another_node(&self, env: &[(String, String)]) -> Self {
        let keys = self.data().join("secrets.toml");
        let keys = keys.to_str().expect("the name is text").to_owned();
        Self::planned([&self.env[..], &[("PARLOR_AUTH__SECRETS_FILE".to_owned(), keys)], env].concat())
    }

    /// Starts both nodes, or the only one.
    async fn run(&mut self) {
        self.run_alone().await;
        if let Some((other, _)) = &mut self.pair {
            other.run_alone().await;
        }
    }

    /// Starts the process on the known port and waits for its ready line.
    async fn run_alone(&mut self) {
        assert!(self.child.is_none(), "the server runs already");
        let env: Vec<(&str, &str)> =
            self.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut child = command(&env, &self.launcher)
            .arg("serve")
            .arg("--data")
            .arg(self.data())
            .args(["--listen", &self.address.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        self.child = Some(child);
        if self.is_heard {
            keep(stderr, &self.log);
        } else {
            self.unread = Some(stderr);
        }
        let (sender, ready) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(stdout).read_line(&mut line);
            let _ = sender.send(line);
        });
        let line = tokio::time::timeout(DEADLINE, ready).await;
        let line = line.expect("the ready line comes in time").expect("the reading thread answers");
        let address =
            line.trim_end().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        self.address =
            address.unwrap_or_else(|| panic!("no ready line, but {line:?}; the log:\n{}", self.log()));
    }

    /// Ends the process as a crash would: SIGKILL, nothing is finished.
    pub async fn kill(&mut self) {
        self.end(Signal::KILL).await;
    }

    /// Asks the process to end (SIGTERM) and gives its exit status.
    pub async fn stop(&mut self) -> ExitStatus {
        self.end(Signal::TERM).await
    }

    /// Ends the process as the end of the terminal does that it was started from (SIGHUP).
    pub async fn hangs_up(&mut self) -> ExitStatus {
        self.end(Signal::HUP).await
    }

    /// Begins to read a log that nobody has read so far.
    pub fn is_heard_again(&mut self) {
        keep(self.unread.take().expect("nobody reads it"), &self.log);
        if let Some((other, _)) = &mut self.pair {
            other.is_heard_again();
        }
    }

    /// Waits until the process has ended without being asked to, and gives its exit status.
    pub async fn ends_by_itself(&mut self) -> ExitStatus {
        self.gone().await
    }

    /// Stops the process where it is (SIGSTOP); nothing is lost, and nothing happens until it goes on.
    pub fn pause(&self) {
        self.gets(Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub fn go_on(&self) {
        self.gets(Signal::CONT);
    }

    /// Sends the signal and waits until the process is gone.
    async fn end(&mut self, how: Signal) -> ExitStatus {
        self.gets(how);
        self.gone().await
    }

    fn gets(&self, what: Signal) {
        signal(self.pid(), what);
        if let Some((other, _)) = &self.pair {
            other.gets(what);
        }
    }

    /// The exit status of the first node that failed, if one did.
    async fn gone(&mut self) -> ExitStatus {
        let status = self.gone_alone().await;
        match &mut self.pair {
            Some((other, _)) => Some(other.gone_alone().await).filter(|_| status.success()).unwrap_or(status),
            None => status,
        }
    }

    async fn gone_alone(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("the server runs");
        let pid = child.id();
        let status = tokio::task::spawn_blocking(move || child.wait());
        let Ok(status) = tokio::time::timeout(STOPS_WITHIN, status).await else {
            signal(pid, Signal::KILL);
            panic!("the server did not end within {STOPS_WITHIN:?}; the log:\n{}", self.log());
        };
        status.expect("the waiting thread ends").expect("the child can be waited for")
    }

    /// Starts it again on the same port and data; kills it first if it still runs.
    pub async fn restart(&mut self) {
        if self.child.is_some() {
            self.kill().await;
        }
        self.run().await;
    }

    /// Starts it again with this in its environment, too.
    pub async fn restart_with(&mut self, env: &[(&str, &str)]) {
        let nodes =
            std::iter::once(&mut self.env).chain(self.pair.iter_mut().map(|(other, _)| &mut other.env));
        for known in nodes {
            known.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        }
        self.restart().await;
    }

    /// Somebody new with an account of that name, signed in by bearer token.
    pub async fn register(&self, username: &str) -> Person {
        Person::register(self.anonymous(), username).await
    }

    /// Somebody who has an account already, in a new session.
    pub async fn sign_in(&self, username: &str) -> Person {
        Person::sign_in(self.anonymous(), username, PASSWORD).await
    }

    /// Somebody without an account.
    pub fn anonymous(&self) -> Client {
        Client::new(self.address())
    }

    /// A browser on a page of this server: keeps cookies, and says that its requests are same-origin.
    pub fn browser(&self) -> Client {
        Client::browser(self.address())
    }

    pub fn address(&self) -> SocketAddr {
        self.pair.as_ref().map_or(self.address, |(_, front)| front.address)
    }

    /// `http://ADDR:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The database in a run on PostgreSQL.
    pub fn database(&self) -> Option<&postgres::Database> {
        self.database.as_ref()
    }

    /// Reads its database as another program would; gives the rows, with `|` between columns and bytes as PostgreSQL shows them.
    pub async fn queries(&self, query: &str) -> Vec<String> {
        match &self.database {
            Some(database) => database.run(query).await.lines().map(str::to_owned).collect(),
            None => Sql::open_to_read(self.data()).lines(query),
        }
    }

    /// Changes its database as another program would.
    pub async fn runs_sql(&self, statements: &str) {
        match &self.database {
            Some(database) => _ = database.run(statements).await,
            None => Sql::open(self.data()).run(statements),
        }
    }

    /// Another program keeps the server from writing, until the lock is dropped. What only reads goes on.
    pub async fn is_locked_by_another(&self) -> Lock {
        if let Some(database) = &self.database {
            return Lock::Postgres(database.holds("LOCK TABLE log, trial, sessions IN EXCLUSIVE MODE").await);
        }
        let other = Sql::open(self.data());
        other.run("BEGIN IMMEDIATE");
        Lock::Sqlite(other)
    }

    /// Runs a command on what the server keeps, as its operator does.
    pub async fn command(&self, args: &[&str], stdin: &str) -> Finished {
        self.command_with(args, &[], stdin).await
    }

    /// The same with variables beside those of the server.
    pub async fn command_with(&self, args: &[&str], env: &[(&str, &str)], stdin: &str) -> Finished {
        let own = self.env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let env: Vec<_> = own.chain(env.iter().copied()).collect();
        let data = self.data();
        let data = ["--data", data.to_str().expect("the name is text")];
        parlor(&[args, &data].concat(), &env, stdin, self.folder()).await
    }

    /// The folder around the data folder, for what a test keeps beside it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("the server runs").id()
    }

    /// What it wrote to standard error so far, over all its starts; of two nodes one after the other.
    pub fn log(&self) -> String {
        let others = self.pair.as_ref().map(|(other, _)| other.log()).unwrap_or_default();
        self.log.lock().expect("the log is only appended to").clone() + &others
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The other node goes first, and looks at its own log.
        self.pair = None;
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let log = self.log();
        let is_broken_on_purpose = self.env.iter().any(|(name, _)| name == BREAKS);
        if std::thread::panicking() {
            eprintln!("--- the server's log\n{log}---");
        } else if !is_broken_on_purpose {
            assert!(!log.contains("panicked at"), "something panicked in the server:\n{log}");
        }
    }
}

/// A file for a clock that shows the true time until it is moved, and its name.
#[cfg(debug_assertions)]
fn new_clock() -> (NamedTempFile, String) {
    let clock = NamedTempFile::new().expect("a file for the clock");
    let name = clock.path().to_str().expect("the name is text").to_owned();
    (clock, name)
}

/// Appends what the process says to the log, until it ends.
fn keep(stderr: impl Read + Send + 'static, log: &Arc<Mutex<String>>) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let mut log = log.lock().expect("the log is only appended to");
            log.push_str(&line);
            log.push('\n');
        }
    });
}
