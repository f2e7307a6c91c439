//! Start to ready, idle memory, and the size of the binary.

use super::quantile;
use super::server::Server;

const STARTS: usize = 11;

pub fn run() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut times = Vec::new();
    for _ in 0..STARTS {
        times.push(Server::start(folder.path()).ready_after.as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let server = Server::start(folder.path());
    let binary = std::fs::metadata(env!("CARGO_BIN_EXE_parlor")).expect("the binary").len();
    println!("start to ready      {:8.1} ms (median of {STARTS}; each after a kill)", quantile(&times, 0.5));
    println!("idle memory         {:8.1} MiB", server.memory());
    println!("binary              {:8.1} MiB", binary as f64 / (1024.0 * 1024.0));
}
