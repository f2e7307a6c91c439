//! The table of operations and statuses: each answer that the document lists was met by some test of the run, or there is a
//! reason why none can; and so was each code of a problem. `make test` looks at it last of all, when every test has noted what
//! it met, or what it would have met if root had run it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use crate::support::{published, reached};

/// Cells that no test reaches, and why.
const UNREACHED: &[(&str, &[u16], &str)] = &[
    (
        "getServer",
        &[429, 500, 503],
        "asks neither the store nor a rate; a client has to be ready for what a later version or a defect gives",
    ),
    ("getLivez", &[500, 503], "asks nobody at all: only a defect could give it"),
    ("getReadyz", &[500], "a store that fails is what it is asked about: 503"),
];

/// Why no test reaches the cell; none where one does.
pub fn reason(operation: &str, status: u16) -> Option<&'static str> {
    let row = UNREACHED.iter().find(|(id, statuses, _)| *id == operation && statuses.contains(&status));
    row.map(|(.., why)| *why)
}

/// All cells of the document.
fn documented() -> BTreeSet<reached::Cell> {
    let cells = published().operations().flat_map(|(_, _, operation)| {
        let id = operation["operationId"].as_str().unwrap();
        operation["responses"].as_object().unwrap().keys().map(move |status| (id.to_owned(), status.clone()))
    });
    cells.collect()
}

/// All problems of the document.
fn problems() -> impl Iterator<Item = reached::Cell> {
    let examples = published().json["components"]["examples"].as_object().unwrap();
    examples.keys().map(|code| (reached::PROBLEM.to_owned(), code.clone()))
}

#[test]
fn reasons_are_given_for_what_is_documented() {
    for (operation, statuses, _) in UNREACHED {
        for status in *statuses {
            let cell = ((*operation).to_owned(), status.to_string());
            assert!(documented().contains(&cell), "{operation} does not list {status}");
        }
    }
}

#[test]
#[ignore = "judges a whole run: `make test` asks for it at the end"]
fn every_cell_was_reached_or_has_a_reason() {
    let (documented, (reached, skipped)) = (documented(), reached::noted());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("operations.md");
    std::fs::write(&path, markdown(&documented, &reached)).unwrap();

    let mut wrong = Vec::new();
    for cell @ (operation, status) in &documented {
        match (reached.contains(cell), reason(operation, status.parse().unwrap())) {
            (false, None) if skipped.contains(cell) => println!("skipped: {operation} {status}"),
            (false, None) => wrong.push(format!("{operation} {status}: no test meets it")),
            (true, Some(_)) => wrong.push(format!("{operation} {status}: has a reason, and was met")),
            _ => {}
        }
    }
    for cell in problems().filter(|cell| !reached.contains(cell) && !skipped.contains(cell)) {
        wrong.push(format!("{} {}: no test meets it", cell.0, cell.1));
    }
    println!(
        "{} answers of {} operations: {}",
        documented.len(),
        operations(&documented).len(),
        path.display()
    );
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn operations(documented: &BTreeSet<reached::Cell>) -> BTreeSet<&str> {
    documented.iter().map(|(operation, _)| operation.as_str()).collect()
}

fn markdown(documented: &BTreeSet<reached::Cell>, reached: &BTreeSet<reached::Cell>) -> String {
    let statuses: BTreeSet<&str> = documented.iter().map(|(_, status)| status.as_str()).collect();
    let mut text =
        "x: met by a test. r: not, for a reason. -: not. Empty: not documented.\n\n| operation".to_owned();
    for status in &statuses {
        let _ = write!(text, " | {status}");
    }
    let _ = write!(text, " |\n|{}\n", " --- |".repeat(statuses.len() + 1));
    for operation in operations(documented) {
        let _ = write!(text, "| {operation}");
        for status in &statuses {
            let cell = (operation.to_owned(), (*status).to_owned());
            let mark = match (documented.contains(&cell), reached.contains(&cell)) {
                (false, _) => "",
                (true, true) => "x",
                (true, false) if reason(operation, status.parse().unwrap()).is_some() => "r",
                (true, false) => "-",
            };
            let _ = write!(text, " | {mark}");
        }
        text.push_str(" |\n");
    }
    text.push_str("\nReasons:\n\n");
    for (operation, statuses, why) in UNREACHED {
        let _ = writeln!(text, "- {operation} {statuses:?}: {why}");
    }
    text
}
