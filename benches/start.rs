//! Start to ready, idle memory, and the size of the binary.

use super::server::Server;
use super::table::{Row, Table, Target, median};

const STARTS: usize = 11;

#[allow(clippy::unused_async, reason = "run as all the others are")]
pub async fn run(table: &mut Table) {
    let folder = tempfile::tempdir().expect("a folder");
    let starts = (0..STARTS).map(|_| Server::start(folder.path()).ready_after.as_secs_f64() * 1e3);
    let starts: Vec<_> = starts.collect();
    let server = Server::start(folder.path());
    let memory = server.processes().memory() / 1024.0;
    let binary = std::fs::metadata(env!("CARGO_BIN_EXE_parlor")).expect("the binary").len();
    let binary = binary as f64 / (1024.0 * 1024.0);
    for (name, value, unit, most) in [
        ("start to ready, each after a kill", median(&starts), " ms", 100.0),
        ("idle memory", memory, " MiB", 15.0),
        ("binary", binary, " MiB", 20.0),
    ] {
        let row = Row::figure(name, value, unit, Target::AtMost(most));
        table.add(row.parlor(format!("{value:.1}{unit}")).yardstick("-"));
    }
}
