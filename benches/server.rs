//! A server under measurement: the built binary with a data folder of its own, limits off.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::process::Processes;

pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// From the start of the process to its ready line.
    pub ready_after: Duration,
}

impl Server {
    pub fn start(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// The same with variables over the defaults, such as `("PARLOR_STORAGE__URL", ...)`.
    pub fn start_with(data: &Path, env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_parlor"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data);
        Self::run(
            command
                .env("PARLOR_LIMITS__ENABLED", "false")
                .env("PARLOR_LOG", "error")
                .envs(env.iter().copied()),
        )
    }

    /// Runs a program that says where it listens as Parlor does.
    pub fn run(command: &mut Command) -> Self {
        let began = Instant::now();
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a ready line");
        let ready_after = began.elapsed();
        let address =
            line.trim().strip_prefix("listening on http://").expect("the ready line names the address");
        Self { address: address.parse().expect("an address"), child, ready_after }
    }

    pub fn processes(&self) -> Processes {
        Processes::one(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
