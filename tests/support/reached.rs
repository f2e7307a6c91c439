//! Which documented answers the tests have met: one line for each operation and status, and for each code of a problem,
//! appended by every process of a run, so that they can be judged once all have ended. `make test` begins with none.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

/// An operationId and a status, or [`PROBLEM`] and a code.
pub type Cell = (String, String);

/// Stands for the operation where a code is noted.
pub const PROBLEM: &str = "problem";
/// Stands behind what a test would have met if it had not been skipped.
const SKIPPED: &str = " skipped";

fn path() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("reached")
}

/// Notes that an operation was answered with this status, or that a problem had this code.
pub(super) fn note(operation: &str, status: &str) {
    keep(format!("{operation} {status}"));
}

/// Notes that a test which meets this was skipped, because only root can run it.
pub fn skip(operation: &str, status: &str) {
    assert!(!rustix::process::getuid().is_root(), "root can do everything that a test needs");
    keep(format!("{operation} {status}{SKIPPED}"));
}

fn keep(line: String) {
    static NOTED: OnceLock<Mutex<(BTreeSet<String>, File)>> = OnceLock::new();
    let open = || {
        let file = OpenOptions::new().create(true).append(true).open(path());
        Mutex::new((BTreeSet::new(), file.expect("cargo made the folder")))
    };
    let mut noted = NOTED.get_or_init(open).lock().expect("nothing panics with it");
    let (lines, file) = &mut *noted;
    if !lines.contains(&line) {
        // One write: lines of processes that run at the same time do not mix.
        file.write_all(format!("{line}\n").as_bytes()).expect("the note can be kept");
        lines.insert(line);
    }
}

/// All that was met, and all that was skipped, since the notes were last thrown away.
pub fn noted() -> (BTreeSet<Cell>, BTreeSet<Cell>) {
    let text = std::fs::read_to_string(path()).unwrap_or_default();
    let cell = |line: &str| line.split_once(' ').map(|(operation, status)| (operation.into(), status.into()));
    let (skipped, met): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| line.ends_with(SKIPPED));
    let skipped = skipped.into_iter().filter_map(|line| cell(line.trim_end_matches(SKIPPED)));
    (met.into_iter().filter_map(cell).collect(), skipped.collect())
}
