//! Which documented answers the tests have met: one line for each operation and status, appended by every process of a run,
//! so that they can be judged once all have ended. `make test` begins with none.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

/// An operationId and a status.
pub type Cell = (String, String);

fn path() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("reached")
}

/// Notes that an operation was answered with this status.
pub(super) fn note(operation: &str, status: u16) {
    static NOTED: OnceLock<Mutex<(BTreeSet<Cell>, File)>> = OnceLock::new();
    let open = || {
        let file = OpenOptions::new().create(true).append(true).open(path());
        Mutex::new((BTreeSet::new(), file.expect("cargo made the folder")))
    };
    let mut noted = NOTED.get_or_init(open).lock().expect("nothing panics with it");
    let (cells, file) = &mut *noted;
    if cells.insert((operation.to_owned(), status.to_string())) {
        // One write: lines of processes that run at the same time do not mix.
        file.write_all(format!("{operation} {status}\n").as_bytes()).expect("the note can be kept");
    }
}

/// All that was noted since the notes were last thrown away.
pub fn noted() -> BTreeSet<Cell> {
    let text = std::fs::read_to_string(path()).unwrap_or_default();
    let cell = |line: &str| line.split_once(' ').map(|(operation, status)| (operation.into(), status.into()));
    text.lines().filter_map(cell).collect()
}
