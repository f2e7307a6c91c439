//! A program that is not Parlor's and serves on loopback. It ends with the bench, in whatever way that ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Starts the program, says its process id, and ends it when the standard input is closed. Then the folder goes, too.
const SUPERVISOR: &str = r#"
folder=$1 signal=$2
shift 2
"$@" >"$folder/log" 2>&1 </dev/null &
echo $!
read -r _
kill -s "$signal" $!
wait $!
rm -rf "$folder"
"#;

pub struct Program {
    supervisor: Child,
    pub pid: u32,
    folder: TempDir,
}

impl Program {
    /// Runs a command. The signal is what ends it.
    pub fn start(folder: TempDir, signal: &str, command: &[String]) -> Self {
        let mut supervisor = Command::new("sh");
        supervisor.args(["-c", SUPERVISOR, "sh"]).arg(folder.path()).arg(signal).args(command);
        // In a group of its own, a Ctrl-C at the terminal does not end it before it has cleaned up.
        supervisor.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut supervisor = supervisor.spawn().expect("sh starts");
        let mut pid = String::new();
        let output = supervisor.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut pid).expect("a process id");
        Self { supervisor, pid: pid.trim().parse().expect("a process id"), folder }
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn is_running(&self) -> bool {
        Path::new(&format!("/proc/{}", self.pid)).exists()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.supervisor.stdin.take());
        let _ = self.supervisor.wait();
    }
}

/// A port that nobody listens on. Programs that do not choose one by themselves are given it.
pub fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    free.expect("a free port").port()
}

/// Where a program is among some folders and those of PATH.
pub fn find(program: &str, folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all: Vec<_> = folders.chain(std::env::split_paths(&path)).collect();
    all.into_iter().map(|folder| folder.join(program)).find(|file| file.exists())
}
