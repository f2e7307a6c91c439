//! NATS servers, made by Debian's program on loopback. They keep nothing and end with the test process, in whatever way that ends.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use rustix::process::{Pid, Signal, kill_process_group};

use super::port::free_port;

/// Runs the command of its arguments until its standard input ends, which it does at the latest with the test process.
const SUPERVISOR: &str = r#""$@" & cat >/dev/null; kill -9 $! 2>/dev/null"#;

/// A NATS server that can be ended and started again on the same port.
pub struct Nats {
    port: u16,
    args: Vec<String>,
    supervisor: Option<Child>,
}

impl Nats {
    /// The URL of one for all tests, which no test ends. Clusters of Parlor do not hear each other there.
    pub fn shared() -> String {
        static SHARED: OnceLock<Nats> = OnceLock::new();
        SHARED.get_or_init(|| Nats::start(&[])).url()
    }

    /// One with these arguments, besides those that say where it listens.
    pub fn start(args: &[&str]) -> Self {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let mut nats = Self { port: free_port(), args, supervisor: None };
        nats.starts();
        nats
    }

    /// One that does not run yet.
    pub fn planned() -> Self {
        Self { port: free_port(), args: Vec::new(), supervisor: None }
    }

    /// Starts it, and waits until it listens.
    pub fn starts(&mut self) {
        let mut supervisor = Command::new("sh");
        supervisor.args(["-c", SUPERVISOR, "sh"]).arg(program());
        supervisor.args(["--addr", "127.0.0.1", "--port", &self.port.to_string()]).args(&self.args);
        // In a group of its own, a Ctrl-C at the terminal does not end it before it has cleaned up.
        supervisor.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut supervisor = supervisor.spawn().expect("sh starts");
        let log = supervisor.stderr.take().expect("stderr is piped");
        self.supervisor = Some(supervisor);
        let mut lines = BufReader::new(log).lines().map_while(Result::ok);
        let mut said = Vec::new();
        while !said.last().is_some_and(|line: &String| line.contains("Server is ready")) {
            said.push(
                lines.next().unwrap_or_else(|| panic!("nats-server does not start:\n{}", said.join("\n"))),
            );
        }
        // It must not wait for somebody who reads its log.
        std::thread::spawn(move || lines.for_each(drop));
    }

    /// Stops it where it is: it keeps its connections, and neither reads nor answers.
    pub fn stands_still(&self) {
        self.signal(Signal::STOP);
    }

    fn signal(&self, what: Signal) {
        let Some(supervisor) = &self.supervisor else { return };
        let group = Pid::from_child(supervisor);
        kill_process_group(group, what).expect("the group of the server is there");
    }

    /// Ends it at once.
    pub fn stops(&mut self) {
        // One that stands still would not notice.
        self.signal(Signal::CONT);
        let Some(mut supervisor) = self.supervisor.take() else { return };
        drop(supervisor.stdin.take());
        supervisor.wait().expect("sh can be waited for");
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// What `cluster.bus` is set to.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.stops();
    }
}

/// Debian puts it where only root looks.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into()])
        .map(|folder| folder.join("nats-server"))
        .find(|program| program.exists())
        .expect("nats-server is not installed (Debian: sudo apt-get install nats-server); `make test` installs it for root")
}
