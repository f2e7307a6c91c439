//! The database of a server or of an open store, opened beside it as another program would open it. Every call fails the test
//! unless it works. Knows no table.

use std::path::Path;

use rusqlite::types::{FromSql, ValueRef};
use rusqlite::{Connection, OpenFlags, Params, Result, Row};

/// A connection of the test's own. It waits up to 5 seconds for a lock that somebody else holds.
pub struct Sql(Connection);

impl Sql {
    /// Opens the database in a data folder.
    #[track_caller]
    pub fn open(folder: impl AsRef<Path>) -> Self {
        Self::open_with(folder.as_ref(), OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// The same for reading alone.
    #[track_caller]
    pub fn open_to_read(folder: impl AsRef<Path>) -> Self {
        Self::open_with(folder.as_ref(), OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    #[track_caller]
    fn open_with(folder: &Path, flags: OpenFlags) -> Self {
        let opened = Connection::open_with_flags(folder.join("parlor.db"), flags);
        Self(opened.expect("the database can be opened"))
    }

    /// Runs one or more statements without parameters.
    #[track_caller]
    pub fn run(&self, statements: &str) {
        self.0.execute_batch(statements).expect("the statements can be run");
    }

    /// Runs one statement. Its parameters are written `?1`.
    #[track_caller]
    pub fn run_with(&self, statement: &str, parameters: impl Params) {
        self.0.execute(statement, parameters).expect("the statement can be run");
    }

    /// The first column of the only row.
    #[track_caller]
    pub fn value<T: FromSql>(&self, query: &str) -> T {
        self.try_value(query).expect("there is a value")
    }

    /// The same where the database may be broken.
    pub fn try_value<T: FromSql>(&self, query: &str) -> Result<T> {
        self.0.query_one(query, [], |row| row.get(0))
    }

    /// All rows, each as `read` takes it.
    #[track_caller]
    pub fn rows<T>(
        &self,
        query: &str,
        parameters: impl Params,
        read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Vec<T> {
        let mut statement = self.0.prepare(query).expect("the statement is right");
        let rows = statement.query_map(parameters, read).and_then(Iterator::collect);
        rows.expect("the rows can be read")
    }

    /// All rows as text, with `|` between columns and bytes as PostgreSQL shows them.
    #[track_caller]
    pub fn lines(&self, query: &str) -> Vec<String> {
        self.rows(query, [], |row| {
            let columns = (0..row.as_ref().column_count()).map(|column| Ok(text(row.get_ref(column)?)));
            Ok(columns.collect::<Result<Vec<_>>>()?.join("|"))
        })
    }

    /// The steps by which the engine would run a statement, whatever its parameters are.
    #[track_caller]
    pub fn plan(&self, statement: &str) -> Vec<String> {
        let explain = format!("EXPLAIN QUERY PLAN {statement}");
        let mut explain = self.0.prepare(&explain).expect("the statement is right");
        let steps = explain.raw_query().mapped(|step| step.get("detail")).collect::<Result<_>>();
        steps.expect("the plan can be read")
    }
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => bytes.iter().fold("\\x".to_owned(), |hex, byte| format!("{hex}{byte:02x}")),
    }
}
