//! strace on a running server: what it asks the kernel, and what the kernel is made to answer. Knows no paths of the API.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{Server, wait_for};

/// A trace that goes on until it is stopped, or the server ends.
pub struct Strace(Child);

impl Strace {
    /// Attaches to every thread of the server; `args` say what to trace or to tamper with. None, and a line that says so,
    /// where strace is missing and only root could install it.
    pub async fn attach(server: &Server, args: &[&str], output: &Path) -> Option<Self> {
        if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
            assert!(
                !rustix::process::getuid().is_root(),
                "strace is not installed: `make test` does that for root"
            );
            println!("skipped: strace is not installed, and only root can install it");
            return None;
        }
        let mut strace = Command::new("strace");
        strace.arg("-f").args(args).arg("-o").arg(output).args(["-p", &server.pid().to_string()]);
        let strace = Self(strace.stderr(Stdio::null()).spawn().expect("strace starts"));
        let tasks = format!("/proc/{}/task", server.pid());
        wait_for("strace has attached to every thread", || async {
            std::fs::read_dir(&tasks).expect("the server runs").flatten().all(|task| {
                let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
                !status.contains("TracerPid:\t0\n")
            })
        })
        .await;
        Some(strace)
    }

    /// Lets the server go and waits until the trace is written.
    pub fn stop(mut self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.0.id()).expect("a pid"));
        let _ = rustix::process::kill_process(pid.expect("a child has a pid"), rustix::process::Signal::INT);
        self.0.wait().expect("strace ends");
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
