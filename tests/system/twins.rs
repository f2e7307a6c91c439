//! Both engines hold the same: the steps of the schema are pairs of files, and PostgreSQL accepts every statement of the store.
//! What SQLite makes of the statements is in `plans`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use parlor::storage::{STATEMENTS, Statement};
use rusqlite::Connection;

use crate::support::postgres::Database;

/// The files of an engine's steps, in order: name and text.
fn steps(engine: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/storage/migrations").join(engine);
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let read = |path: std::path::PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap())
    };
    let mut steps: Vec<_> = files.map(read).collect();
    steps.sort();
    steps
}

fn after_all(steps: &[(String, String)]) -> String {
    steps.iter().map(|(_, text)| text.as_str()).collect()
}

/// The tables, their columns in order and whether these may be NULL, and the unique indexes that have names.
fn in_sqlite(schema: &str) -> Vec<String> {
    let sqlite = Connection::open_in_memory().unwrap();
    sqlite.execute_batch(schema).unwrap();
    let query = "SELECT t.name || '.' || c.name || iif(c.\"notnull\", ' NOT NULL', '') \
                 FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' ORDER BY t.name, c.cid";
    let unique = "SELECT tbl_name || ' UNIQUE ' || name FROM sqlite_schema \
                  WHERE type = 'index' AND sql LIKE 'CREATE UNIQUE INDEX %' ORDER BY tbl_name, name";
    let all = |query| {
        let mut statement = sqlite.prepare(query).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<Vec<String>, _>>().unwrap()
    };
    [all(query), all(unique)].concat()
}

async fn in_postgres(schema: &str) -> Vec<String> {
    let postgres = Database::create().await;
    postgres.run(schema).await;
    let query = "SELECT t.relname || '.' || c.attname || CASE WHEN c.attnotnull THEN ' NOT NULL' ELSE '' END \
                 FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid \
                 WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace AND c.attnum > 0 AND NOT c.attisdropped \
                 ORDER BY t.relname COLLATE \"C\", c.attnum;";
    let unique = "SELECT tablename || ' UNIQUE ' || indexname FROM pg_indexes \
                  WHERE schemaname = 'public' AND indexdef LIKE 'CREATE UNIQUE INDEX %' AND indexname NOT IN \
                  (SELECT conname FROM pg_constraint WHERE contype IN ('p', 'u')) \
                  ORDER BY tablename COLLATE \"C\", indexname COLLATE \"C\";";
    postgres.run(&format!("{query}\n{unique}")).await.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_schema_is_the_same_on_both_engines() {
    let (sqlite, postgres) = (steps("sqlite"), steps("postgres"));
    let names = |steps: &[(String, String)]| steps.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&sqlite), names(&postgres));
    let columns = in_sqlite(&after_all(&sqlite));
    assert!(columns.len() > 60, "only {columns:?}");
    assert_eq!(columns, in_postgres(&after_all(&postgres)).await);
}

#[tokio::test]
async fn postgresql_accepts_every_statement_of_the_store() {
    let postgres = Database::create().await;
    postgres.run(&after_all(&steps("postgres"))).await;
    // What defines tables has no parameters, and cannot be prepared.
    let (defines, others): (Vec<Statement>, Vec<Statement>) =
        STATEMENTS.iter().copied().flatten().partition(|statement| statement.sql.starts_with("CREATE "));
    assert!(others.len() > 60, "only {} statements", others.len());
    for statement in defines {
        postgres.run(statement.sql).await;
    }
    let mut wrong = String::new();
    for (number, statement) in others.iter().enumerate() {
        if let Err(said) = postgres.try_run(&format!("PREPARE s{number} AS {}", statement.sql)).await {
            write!(wrong, "\n{}: {said}", statement.name).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
