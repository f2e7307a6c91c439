//! How the engine runs each statement of the store: by which index it finds what it needs, and that it sorts nothing. A
//! statement that is not listed here fails, and so does one that stands outside the lists of `storage`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use parlor::storage::{STATEMENTS, Statement};

use crate::support::Sql;
use crate::support::store::OpenStore;

/// The steps of each statement that read a table or sort, in the words of `EXPLAIN QUERY PLAN`.
const PLANS: &[(&str, &[&str])] = &[
    (
        "access::BY_ID",
        &[
            "SEARCH r USING PRIMARY KEY (id=?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?) LEFT-JOIN",
        ],
    ),
    (
        "access::BY_NAME",
        &[
            "SEARCH r USING INDEX rooms_public_name (name=?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?) LEFT-JOIN",
        ],
    ),
    ("access::HEAD", &["SCAN log"]),
    ("accounts::ADD", &[]),
    ("accounts::ADD_PASSWORD", &[]),
    ("accounts::BY_ID", &["SEARCH users USING PRIMARY KEY (id=?)"]),
    (
        "accounts::CREDENTIALS_BY_ID",
        &["SEARCH u USING PRIMARY KEY (id=?)", "SEARCH c USING PRIMARY KEY (user_id=?)"],
    ),
    (
        "accounts::CREDENTIALS_BY_NAME",
        &[
            "SEARCH u USING INDEX sqlite_autoindex_users_2 (username=?)",
            "SEARCH c USING PRIMARY KEY (user_id=?)",
        ],
    ),
    (
        "accounts::CREDENTIALS_FOR_NETWORK",
        &[
            "SEARCH u USING INDEX sqlite_autoindex_users_2 (username=?)",
            "SEARCH c USING PRIMARY KEY (user_id=?)",
            "SEARCH n USING PRIMARY KEY (user_id=? AND network=?)",
        ],
    ),
    ("accounts::RENAME", &["SEARCH users USING PRIMARY KEY (id=?)"]),
    (
        "accounts::ADVANCE_ROOMS",
        &["SEARCH rooms USING PRIMARY KEY (id=?)", "SEARCH members USING INDEX members_present (user_id=?)"],
    ),
    ("accounts::REPLACE_PASSWORD", &["SEARCH credentials USING PRIMARY KEY (user_id=?)"]),
    (
        "stream_snapshots::OPEN_ROOM_BY_ID",
        &[
            "SCAN l",
            "SEARCH r USING PRIMARY KEY (id=?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?) LEFT-JOIN",
        ],
    ),
    (
        "stream_snapshots::OPEN_ROOM_BY_NAME",
        &[
            "SCAN l",
            "SEARCH r USING INDEX rooms_public_name (name=?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?) LEFT-JOIN",
        ],
    ),
    (
        "stream_snapshots::OPEN_PERSON",
        &["SCAN l", "SEARCH m USING INDEX members_present (user_id=?) LEFT-JOIN"],
    ),
    (
        "events::ROOM_PAGE",
        &["SCAN log", "SEARCH e USING INDEX events_of_room (room_id=? AND position>? AND position<?)"],
    ),
    (
        "personal_events::PERSON_PAGE",
        &[
            "SCAN log",
            "SEARCH m USING INDEX members_present (user_id=?)",
            "SEARCH e USING INDEX events_of_room (room_id=? AND position>? AND position<?)",
            "USE TEMP B-TREE FOR ORDER BY",
            "SEARCH e USING INDEX events_about (ref=? AND position>? AND position<?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=? AND since<?)",
            "SEARCH m USING COVERING INDEX members_who_left (user_id=? AND until>? AND until<?)",
            "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)",
            "USE TEMP B-TREE FOR ORDER BY",
        ],
    ),
    (
        "personal_events::PERSON_DENSITY",
        &[
            "SEARCH m USING INDEX members_present (user_id=?)",
            "SEARCH e USING COVERING INDEX events_of_room (room_id=? AND position>? AND position<?)",
            "SEARCH e USING INDEX events_about (ref=? AND position>? AND position<?)",
            "SEARCH m USING COVERING INDEX members_who_left (user_id=? AND until>? AND until<?)",
            "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)",
        ],
    ),
    (
        "events::ROOM_COUNT",
        &[
            "SEARCH events USING INDEX events_of_room (room_id=? AND position<?)",
            "SEARCH events USING INDEX events_of_room (room_id=? AND position>?)",
        ],
    ),
    (
        "personal_events::OWN_COUNT",
        &["SEARCH e USING INDEX events_about (ref=? AND position>? AND position<?)"],
    ),
    (
        "personal_events::PERSON_COUNT",
        &[
            "SEARCH m USING INDEX members_present (user_id=?)",
            "SEARCH e USING INDEX events_of_room (room_id=? AND position<?)",
            "SEARCH e USING INDEX events_of_room (room_id=? AND position>?)",
            "SEARCH e USING INDEX events_about (ref=? AND position>? AND position<?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=? AND since<?)",
            "SEARCH m USING COVERING INDEX members_who_left (user_id=? AND until>? AND until<?)",
            "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)",
        ],
    ),
    ("events::LOG", &["SEARCH events USING INTEGER PRIMARY KEY (rowid>?)", "SCAN log"]),
    ("following::END_OF_LOG", &["SCAN log"]),
    ("journal::transaction::ANNOUNCE", &[]),
    ("journal::transaction::HEAD", &["SCAN log"]),
    ("journal::transaction::MOVE_HEAD", &["SCAN log"]),
    ("journal::transaction::STORE_EVENT", &[]),
    (
        "members::PAGE",
        &[
            "SEARCH m USING INDEX members_by_name (room_id=? AND username>?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
        ],
    ),
    (
        "members::ONE",
        &[
            "SEARCH u USING PRIMARY KEY (id=?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?)",
        ],
    ),
    (
        "members::OF_PERSON",
        &[
            "SEARCH u USING PRIMARY KEY (id=?)",
            "SEARCH m USING INDEX members_present (user_id=?)",
            "SEARCH r USING PRIMARY KEY (id=?)",
        ],
    ),
    ("members::COUNT_OF_PERSON", &["SEARCH members USING INDEX members_present (user_id=?)"]),
    (
        "members::OWNERS",
        &["SEARCH members USING COVERING INDEX members_by_role (room_id=? AND role=? AND until=?)"],
    ),
    ("members::ADD", &[]),
    ("members::CLOSE", &["SEARCH members USING INDEX members_present (user_id=? AND room_id=?)"]),
    ("members::SET_ROLE", &["SEARCH members USING INDEX members_present (user_id=? AND room_id=?)"]),
    ("members::ADVANCE", &["SEARCH rooms USING PRIMARY KEY (id=?)"]),
    ("members::PERSON_BY_NAME", &["SEARCH users USING INDEX sqlite_autoindex_users_2 (username=?)"]),
    ("members::PERSON_BY_ID", &["SEARCH users USING PRIMARY KEY (id=?)"]),
    (
        "messages::OLDER",
        &[
            "SEARCH g USING INDEX messages_of_room (room_id=? AND position<?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
        ],
    ),
    (
        "messages::NEWER",
        &[
            "SEARCH g USING INDEX messages_of_room (room_id=? AND position>?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
        ],
    ),
    (
        "messages::BEYOND",
        &[
            "SEARCH messages USING COVERING INDEX messages_of_room (room_id=? AND position<?)",
            "SEARCH messages USING COVERING INDEX messages_of_room (room_id=? AND position>?)",
        ],
    ),
    (
        "messages::BY_ID",
        &["SEARCH g USING INDEX sqlite_autoindex_messages_1 (id=?)", "SEARCH u USING PRIMARY KEY (id=?)"],
    ),
    ("keys::KNOWN", &["SCAN keys"]),
    ("keys::LEARN", &[]),
    ("keys::FORGET", &[]),
    ("migrations::TABLE", &[]),
    ("migrations::NEWEST", &["SCAN migrations USING INDEX sqlite_autoindex_migrations_1"]),
    ("migrations::NOTE", &[]),
    ("networks::RECENT", &["SCAN known_networks USING COVERING INDEX known_networks_recent"]),
    ("networks::NOTE", &[]),
    (
        "networks::FORGET_SURPLUS",
        &[
            "SEARCH known_networks USING PRIMARY KEY (user_id=? AND network=?)",
            "SEARCH known_networks USING COVERING INDEX known_networks_of_user (user_id=?)",
        ],
    ),
    ("copy::IS_USED", &["SCAN log"]),
    ("epochs::FIRST_START", &[]),
    ("epochs::BEGIN", &["SCAN log", "SEARCH epochs"]),
    ("epochs::LOG", &["SCAN log"]),
    ("epochs::NOTE", &["SCAN log"]),
    ("epochs::KNOWN", &["SCAN epochs"]),
    (
        "posting::LOOK",
        &[
            "SEARCH r USING PRIMARY KEY (id=?)",
            "SEARCH p USING INDEX rooms_public_name (name=?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?) LEFT-JOIN",
            "SEARCH g USING COVERING INDEX messages_client_id (room_id=? AND author_id=? AND client_id=?) LEFT-JOIN",
        ],
    ),
    (
        "posting::LOOK_IN_SESSION",
        &[
            "SEARCH s USING PRIMARY KEY (id=?)",
            "SEARCH r USING PRIMARY KEY (id=?)",
            "SEARCH p USING INDEX rooms_public_name (name=?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?) LEFT-JOIN",
            "SEARCH g USING COVERING INDEX messages_client_id (room_id=? AND author_id=? AND client_id=?) LEFT-JOIN",
        ],
    ),
    ("posting::MESSAGE", &[]),
    ("posting::ROOM", &["SEARCH rooms USING PRIMARY KEY (id=?)"]),
    (
        "posts::POSTED_BEFORE",
        &[
            "SEARCH g USING INDEX messages_client_id (room_id=? AND author_id=? AND client_id=?)",
            "SEARCH u USING PRIMARY KEY (id=?)",
        ],
    ),
    ("probe::FILL", &[]),
    (
        "purge::OLDEST_EVENTS",
        &[
            "SEARCH events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
            "SCAN log",
            "SEARCH consumers USING COVERING INDEX consumers_by_position",
        ],
    ),
    ("purge::PURGE_EVENTS", &["SEARCH events USING INTEGER PRIMARY KEY (rowid<?)"]),
    ("purge::RAISE_FLOOR", &["SCAN log"]),
    (
        "purge::HAS_OLD_MEMBERSHIPS",
        &["SEARCH members USING COVERING INDEX members_closed (until<?)", "SCAN log"],
    ),
    (
        "purge::PURGE_MEMBERSHIPS",
        &[
            "SEARCH members USING PRIMARY KEY (room_id=? AND user_id=? AND since=?)",
            "SEARCH members USING COVERING INDEX members_closed (until<?)",
            "SCAN log",
        ],
    ),
    ("purge::ROOM_TO_PURGE", &["SEARCH rooms USING INDEX rooms_to_purge (deleted_at>?)"]),
    ("purge::OLDEST_MESSAGES", &["SEARCH messages USING COVERING INDEX messages_of_room (room_id=?)"]),
    (
        "purge::SCRUB_EVENTS",
        &[
            "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)",
            "SEARCH messages USING COVERING INDEX messages_of_room (room_id=? AND position>? AND position<?)",
        ],
    ),
    (
        "purge::PURGE_MESSAGES",
        &["SEARCH messages USING COVERING INDEX messages_of_room (room_id=? AND position>? AND position<?)"],
    ),
    ("purge::NOTE_PURGED", &["SEARCH rooms USING PRIMARY KEY (id=?)"]),
    ("purge::HAS_OLD_SESSIONS", &["SEARCH sessions USING COVERING INDEX sessions_over (expires_at<?)"]),
    (
        "purge::PURGE_SESSIONS",
        &[
            "SEARCH sessions USING PRIMARY KEY (id=?)",
            "SEARCH sessions USING COVERING INDEX sessions_over (expires_at<?)",
        ],
    ),
    ("rooms::IS_DELETED", &["SEARCH rooms USING PRIMARY KEY (id=?)"]),
    (
        "rooms::DIRECTORY",
        &[
            "SEARCH r USING INDEX rooms_public_name (name>?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?) LEFT-JOIN",
        ],
    ),
    (
        "rooms::SEARCH",
        &[
            "SEARCH r USING INDEX rooms_public_name (name>? AND name<?)",
            "SEARCH m USING INDEX members_present (user_id=? AND room_id=?) LEFT-JOIN",
        ],
    ),
    ("rooms::NAME_BEHIND", &["SEARCH rooms USING INDEX rooms_public_name (name>?)"]),
    (
        "rooms::OF_PERSON",
        &["SEARCH m USING INDEX members_present (user_id=?)", "SEARCH r USING PRIMARY KEY (id=?)"],
    ),
    ("rooms::CREATED_BEFORE", &["SEARCH rooms USING INDEX rooms_client_id (created_by=? AND client_id=?)"]),
    ("rooms::CREATE", &[]),
    ("rooms::UPDATE", &["SEARCH rooms USING PRIMARY KEY (id=?)"]),
    ("rooms::CLOSE_MEMBERSHIPS", &["SEARCH members USING PRIMARY KEY (room_id=?)"]),
    ("rooms::DELETE", &["SEARCH rooms USING PRIMARY KEY (id=?)"]),
    ("rooms::OTHER_OF_NAME", &["SEARCH rooms USING INDEX rooms_public_name (name=?)"]),
    ("sessions::STATE", &["SEARCH sessions USING PRIMARY KEY (id=?)"]),
    ("sessions::RECENT", &["SCAN sessions USING INDEX sessions_of_user", "USE TEMP B-TREE FOR ORDER BY"]),
    ("sessions::OF_USER", &["SEARCH sessions USING INDEX sessions_of_user (user_id=?)"]),
    ("sessions::ADD", &["SEARCH credentials USING PRIMARY KEY (user_id=?)"]),
    (
        "sessions::END_SURPLUS",
        &[
            "SEARCH sessions USING PRIMARY KEY (id=?)",
            "SEARCH sessions USING INDEX sessions_of_user (user_id=?)",
        ],
    ),
    ("sessions::LOOK", &["SEARCH s USING PRIMARY KEY (id=?)", "SEARCH u USING PRIMARY KEY (id=?)"]),
    ("sessions::ROTATE", &["SEARCH sessions USING PRIMARY KEY (id=?)"]),
    ("sessions::SEE", &["SEARCH sessions USING PRIMARY KEY (id=?)"]),
    ("sessions::END_OWN", &["SEARCH sessions USING PRIMARY KEY (id=?)"]),
    ("sessions::END", &["SEARCH sessions USING PRIMARY KEY (id=?)"]),
    ("sessions::END_ALL", &["SEARCH sessions USING INDEX sessions_of_user (user_id=?)"]),
];

/// Steps that cost more than what is asked for, or that read a table whole, and why they may.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("", "SCAN log", "the table has one row"),
    ("", "SCAN l", "it is the table `log`, which has one row"),
    (
        "personal_events::PERSON_PAGE",
        "USE TEMP B-TREE FOR ORDER BY",
        "joins the events of many rooms into one order; `end_of_page` bounds how many",
    ),
    ("keys::KNOWN", "SCAN keys", "once, at the start; a row for each key that was ever used"),
    (
        "migrations::NEWEST",
        "SCAN migrations USING INDEX sqlite_autoindex_migrations_1",
        "once, at the start; in the order of the index and with a limit",
    ),
    (
        "networks::RECENT",
        "SCAN known_networks USING COVERING INDEX known_networks_recent",
        "once, at the start; in the order of the index and with a limit",
    ),
    ("epochs::KNOWN", "SCAN epochs", "once, at the start; in the order of the key and with a limit"),
    ("sessions::RECENT", "SCAN sessions USING INDEX sessions_of_user", "once, at the start"),
    ("sessions::RECENT", "USE TEMP B-TREE FOR ORDER BY", "once, at the start"),
];

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
