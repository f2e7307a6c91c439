//! What a process has used, read from /proc: time on the CPU and memory.

use std::collections::HashMap;
use std::fs;

/// A server under measurement: one process, or a master with workers.
#[derive(Clone, Debug)]
pub struct Processes(Vec<u32>);

impl Processes {
    pub fn one(pid: u32) -> Self {
        Self(vec![pid])
    }

    /// A process and its present children.
    pub fn family(pid: u32) -> Self {
        Self(std::iter::once(pid).chain(children(pid)).collect())
    }

    /// Seconds on the CPU since the start, of user and kernel. In steps of a clock tick, usually 10 ms.
    pub fn cpu(&self) -> f64 {
        let ticks: u64 = self.0.iter().map(|pid| ticks_of(*pid)).sum();
        ticks as f64 / rustix::param::clock_ticks_per_second() as f64
    }

    /// The same to the nanosecond, but without threads that have ended: for short stretches.
    pub fn cpu_of_threads(&self) -> f64 {
        let nanos = self.0.iter().map(|pid| nanos_of(*pid).expect("the process runs"));
        nanos.sum::<u64>() as f64 / 1e9
    }

    /// Resident memory in KiB; what processes share is counted once.
    pub fn memory(&self) -> f64 {
        let of_one = |pid: &u32| {
            let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("/proc");
            let line = rollup.lines().find(|line| line.starts_with("Pss:")).expect("Pss");
            line.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok()).expect("a number")
        };
        self.0.iter().map(of_one).sum()
    }
}

/// Nanoseconds on the CPU of a process and of each of its present children. Children may come and go.
pub fn nanos_of_family(pid: u32) -> HashMap<u32, u64> {
    let family = std::iter::once(pid).chain(children(pid));
    family.filter_map(|pid| Some((pid, nanos_of(pid)?))).collect()
}

fn children(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("/proc");
    children.split_whitespace().map(|child| child.parse().expect("a process id")).collect()
}

fn ticks_of(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    // The name in parentheses may hold spaces; utime and stime are the 12th and 13th field after it.
    let (_, rest) = stat.rsplit_once(')').expect("a name");
    let fields: Vec<&str> = rest.split_whitespace().collect();
    [fields[11], fields[12]].iter().map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

/// None if the process has ended.
fn nanos_of(pid: u32) -> Option<u64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let of_one = |thread: fs::DirEntry| {
        // A thread that has just ended has no files there any more.
        let stat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        stat.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some(threads.filter_map(|thread| of_one(thread.ok()?)).sum())
}
