//! The program run to its end: for commands other than `serve`, and for starts that must fail.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A command that takes longer hangs, or serves where it should have refused.
const DEADLINE: Duration = Duration::from_secs(20);

/// Exit code and output of a command.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs `parlor` with the arguments, variables and standard input given, in the folder given, and no other `PARLOR_*`
/// variable. A command that does not end is killed, and the test fails.
pub async fn parlor(args: &[&str], env: &[(&str, &str)], stdin: &str, folder: &std::path::Path) -> Finished {
    let mut child = command(env, &[])
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let pid = child.id();
    // A command that refuses its arguments never reads this.
    let _ = child.stdin.take().expect("stdin is piped").write_all(stdin.as_bytes());
    let read = |mut pipe: Box<dyn Read + Send>| {
        tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            pipe.read_to_end(&mut bytes)
                .map(|_| String::from_utf8_lossy(&bytes).into_owned())
                .unwrap_or_default()
        })
    };
    let stdout = read(Box::new(child.stdout.take().expect("stdout is piped")));
    let stderr = read(Box::new(child.stderr.take().expect("stderr is piped")));
    let status = tokio::task::spawn_blocking(move || child.wait());
    let Ok(status) = tokio::time::timeout(DEADLINE, status).await else {
        signal(pid, rustix::process::Signal::KILL);
        panic!("parlor {args:?} did not end within {DEADLINE:?}: {}", stderr.await.unwrap_or_default());
    };
    Finished {
        code: status.expect("the waiting thread ends").expect("the child can be waited for").code(),
        stdout: stdout.await.expect("stdout is read"),
        stderr: stderr.await.expect("stderr is read"),
    }
}

/// The binary without what the tester's own environment says to it. A launcher is a command that becomes the program, and
/// keeps its process id.
pub(super) fn command(env: &[(&str, &str)], launcher: &[String]) -> Command {
    let words: Vec<&str> =
        launcher.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_parlor")]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("PARLOR") {
            command.env_remove(name);
        }
    }
    command.envs(env.iter().copied());
    command
}

pub(super) fn signal(pid: u32, signal: rustix::process::Signal) {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).expect("a child has a pid");
    // It may have ended by itself; its exit code tells.
    let _ = rustix::process::kill_process(pid, signal);
}
