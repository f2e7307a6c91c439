//! How the engine runs each statement of the store: by which index it finds what it needs, and that it sorts nothing. A
//! statement that is not listed here fails, and so does one that stands outside the lists of `storage`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use parlor::storage::{STATEMENTS, Statement};

use super::plan_list::{EXCEPTIONS, PLANS};
use crate::support::Sql;
use crate::support::store::OpenStore;

#[tokio::test]
async fn every_statement_of_the_store_is_run_as_it_is_meant_to_be() {
    let mut wrong = String::new();
    let plans = plans().await;
    for (name, plan) in &plans {
        match PLANS.iter().find(|(known, _)| known == name) {
            Some((_, meant)) if meant == plan => {}
            Some(_) => write!(wrong, "\n{name} is run in another way: {plan:#?}").unwrap(),
            None => write!(wrong, "\n{name} is not listed; it is run so: {plan:#?}").unwrap(),
        }
    }
    for (name, _) in PLANS {
        if plans.iter().all(|(known, _)| known != name) {
            write!(wrong, "\n{name} is listed, and there is no such statement").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test]
async fn no_statement_reads_a_table_whole_or_sorts_without_a_reason() {
    let plans = plans().await;
    assert!(plans.len() > 60, "only {} statements", plans.len());
    let mut wrong = String::new();
    for (name, plan) in &plans {
        for step in plan.iter().filter(|step| is_costly(step)) {
            let is_excused =
                |(of, what, _): &&(&str, &str, &str)| (of.is_empty() || of == name) && what == step;
            if !EXCEPTIONS.iter().any(|exception| is_excused(&exception)) {
                write!(wrong, "\n{name}: {step}").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[tokio::test]
async fn a_scan_and_a_sort_are_seen() {
    let parlor = OpenStore::new().await;
    let database = Sql::open_to_read(&parlor.folder);
    for (sql, seen) in [
        ("SELECT id FROM messages WHERE body = $1", "SCAN messages"),
        ("SELECT 1 FROM messages g ORDER BY g.id", "SCAN g USING COVERING INDEX sqlite_autoindex_messages_1"),
        ("SELECT id FROM messages WHERE room_id = $1 ORDER BY seq", "USE TEMP B-TREE FOR ORDER BY"),
        ("SELECT 1; UPDATE rooms SET head = 0 WHERE topic IS NULL", "SCAN rooms"),
    ] {
        let plan = plan(&database, sql);
        assert!(plan.iter().any(|step| step == seen && is_costly(step)), "{sql}: {plan:?}");
    }
}

#[test]
fn all_sql_of_the_store_stands_in_the_lists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/storage");
    let mut wrong = String::new();
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        // What asks PostgreSQL about itself has no plan on SQLite, and a copy reads each table whole.
        let is_other = path.starts_with(folder.join("postgres")) || path.ends_with("copy.rs");
        if path.extension().is_none_or(|end| end != "rs") || is_other {
            continue;
        }
        let file = path.strip_prefix(&folder).unwrap().with_extension("");
        let file = file.to_str().unwrap().replace('/', "::");
        let text = fs::read_to_string(&path).unwrap();
        for line in outside_lists(&text) {
            write!(wrong, "\n{file}.rs: {line}").unwrap();
        }
        let is_listed = STATEMENTS
            .iter()
            .copied()
            .flatten()
            .any(|listed| short(listed).starts_with(&format!("{file}::")));
        if text.lines().any(|line| line == LIST) && !is_listed {
            write!(wrong, "\n{file}.rs: its list is not in STATEMENTS").unwrap();
        }
    }
    assert!(wrong.is_empty(), "SQL that no plan is asked for:{wrong}");
}

#[test]
fn sql_outside_the_lists_is_seen() {
    let seen = |text: &str| !outside_lists(text).is_empty();
    assert!(seen("sql.execute(\"SELECT 1\")"));
    assert!(seen("sql.execute(\"select 1\")"));
    assert!(seen("const LOOK: &str = \"\\\n    UPDATE rooms SET head = 1\";"));
    assert!(seen("concat!(\"DELETE \", \"FROM rooms\")"));
    assert!(seen("sql.execute(\"BEGIN; INSERT INTO rooms\")"));
    assert!(seen("statements! {\n    ONE = \"SELECT 1\";\n}\nlet two = \"SELECT 2\";"));
    assert!(!seen("statements! {\n    ONE = \"SELECT 1\";\n}\n"));
    assert!(!seen("sql.execute(\"BEGIN IMMEDIATE\")"));
    assert!(!seen("/// SELECT\nlet text = \"please select one\";"));
}

const LIST: &str = "statements! {";

/// Lines outside the lists in which SQL that reads or writes begins.
fn outside_lists(text: &str) -> Vec<&str> {
    let (mut found, mut is_in_list, mut before) = (Vec::new(), false, "");
    for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
        is_in_list = if is_in_list { line != "}" } else { line == LIST };
        // A text may begin on the line before: `"\`.
        let begins = if before.trim_end().ends_with("\"\\") {
            format!("\"{}", line.trim_start())
        } else {
            line.into()
        };
        if !is_in_list && begins_sql(&begins.to_lowercase()) {
            found.push(line);
        }
        before = line;
    }
    found
}

fn begins_sql(line: &str) -> bool {
    let verbs = ["select ", "insert ", "update ", "delete ", "replace ", "with "];
    verbs.iter().any(|verb| ["\"", "; "].iter().any(|before| line.contains(&format!("{before}{verb}"))))
}

/// `rooms::DIRECTORY` for the name with all its modules.
fn short(statement: &Statement) -> &str {
    statement.name.trim_start_matches("parlor::storage::")
}

async fn plans() -> Vec<(&'static str, Vec<String>)> {
    let parlor = OpenStore::new().await;
    let database = Sql::open_to_read(&parlor.folder);
    let mut plans = Vec::new();
    for statement in STATEMENTS.iter().copied().flatten() {
        plans.push((short(statement), plan(&database, statement.for_sqlite)));
    }
    plans
}

/// The steps that find rows or sort them.
fn plan(database: &Sql, sql: &str) -> Vec<String> {
    let mut plan: Vec<_> = sql.split(';').flat_map(|part| database.plan(part.trim())).collect();
    plan.retain(|step| ["SEARCH ", "SCAN ", "USE TEMP "].iter().any(|kind| step.starts_with(kind)));
    // What a part of the statement has made is bounded by what that part has read.
    plan.retain(|step| !PARTS.contains(&step.as_str()));
    plan
}

/// Names of the parts of statements, which `EXPLAIN QUERY PLAN` tells of as if they were tables.
const PARTS: &[&str] = &[
    "SCAN CONSTANT ROW",
    "SCAN page",
    "SCAN piece",
    "SCAN owners",
    "SCAN one",
    "SCAN two",
    "SCAN three",
    "SCAN own",
    "SCAN deleted",
];

fn is_costly(step: &str) -> bool {
    step.starts_with("SCAN ") || step.starts_with("USE TEMP ")
}
