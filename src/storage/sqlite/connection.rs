//! A connection to the file. A statement runs on the thread that asks for it.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use rusqlite::{CachedStatement, OpenFlags, params_from_iter};

use super::settings::{LOCK_WAIT, SETTINGS};
use crate::storage::error::Failure;
use crate::storage::sql::{Query, Row};

/// Statements that a connection keeps prepared: more than there are.
const PREPARED: usize = 256;

pub(in crate::storage) struct Connection(rusqlite::Connection);

impl Connection {
    /// Opens the file for writing, and makes it if it is missing.
    pub fn open(file: &Path) -> Result<Self, Failure> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let this = Self::open_with(file, flags)?;
        // It stays as it is in the file. The settings below are each connection's own.
        this.0.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        for (name, value) in SETTINGS {
            this.0.pragma_update(None, name, value)?;
        }
        Ok(this)
    }

    /// Opens a file that exists, for reading alone.
    pub fn open_to_read(file: &Path) -> Result<Self, Failure> {
        let this = Self::open_with(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        // Reads the schema now, so that the first request does not wait for that.
        this.0.column_exists(None, "log", "head")?;
        Ok(this)
    }

    fn open_with(file: &Path, flags: OpenFlags) -> Result<Self, Failure> {
        // One thread at a time uses a connection, so it needs no lock of its own.
        let connection =
            rusqlite::Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.set_prepared_statement_cache_capacity(PREPARED);
        let this = Self(connection);
        this.wait_for_locks(LOCK_WAIT)?;
        Ok(this)
    }

    /// The engine's own connection, for what copies whole tables.
    pub fn raw(&self) -> &rusqlite::Connection {
        &self.0
    }

    /// How long a statement waits for a lock that another connection holds.
    pub fn wait_for_locks(&self, most: Duration) -> Result<(), Failure> {
        Ok(self.0.busy_timeout(most)?)
    }

    /// What is missing here to make a commit durable. Some file systems accept the settings without an error and ignore them.
    pub fn lacks(&self) -> Result<Option<&'static str>, Failure> {
        let mode: String = self.0.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
        let level: i64 = self.0.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
        Ok(match (&*mode, level) {
            ("wal", 2) => None,
            ("wal", _) => Some("full synchronisation is not available"),
            _ => Some("write-ahead logging is not available"),
        })
    }

    /// Runs a checkpoint of the mode: whether somebody was in its way, the frames in the write-ahead log, and how many of them
    /// are folded back.
    pub fn checkpoint(&self, mode: &'static str) -> Result<(bool, i64, i64), Failure> {
        let mut statement = self.0.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?;
        Ok(statement.query_row([], |row| Ok((row.get::<_, i64>(0)? != 0, row.get(1)?, row.get(2)?)))?)
    }

    pub fn begin(&mut self) -> Result<(), Failure> {
        self.run_plain("BEGIN IMMEDIATE")
    }

    pub fn begin_snapshot(&mut self) -> Result<(), Failure> {
        self.run_plain("BEGIN")
    }

    pub fn savepoint(&mut self) -> Result<(), Failure> {
        if self.0.is_autocommit() {
            return Err(Failure::fault("SQLite has rolled the transaction back by itself".into()));
        }
        self.run_plain("SAVEPOINT request")
    }

    pub fn release(&mut self) -> Result<(), Failure> {
        self.run_plain("RELEASE request")
    }

    pub fn undo(&mut self) -> Result<(), Failure> {
        self.run_plain("ROLLBACK TO request")
    }

    pub fn commit(&mut self) -> Result<(), Failure> {
        self.run_plain("COMMIT")
    }

    pub fn roll_back(&mut self) -> Result<(), Failure> {
        if self.0.is_autocommit() { Ok(()) } else { self.run_plain("ROLLBACK") }
    }

    /// Several statements, as a migration has them.
    pub fn run_all(&mut self, statements: &str) -> Result<(), Failure> {
        Ok(self.0.execute_batch(statements)?)
    }

    pub fn run(&mut self, query: &Query<'_>) -> Result<u64, Failure> {
        let changed = self.prepare(query)?.execute(params_from_iter(&query.values))?;
        Ok(u64::try_from(changed).unwrap_or(u64::MAX))
    }

    pub fn each(
        &mut self,
        query: &Query<'_>,
        take: &mut dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>, Failure>,
    ) -> Result<(), Failure> {
        let mut statement = self.prepare(query)?;
        let mut rows = statement.query(params_from_iter(&query.values))?;
        while let Some(row) = rows.next()? {
            if take(&Row::Sqlite(row))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    pub fn first<T>(
        &mut self,
        query: &Query<'_>,
        read: &mut impl FnMut(&Row<'_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let mut first = None;
        self.each(query, &mut |row| {
            first = Some(read(row)?);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(first)
    }

    fn prepare(&self, query: &Query<'_>) -> Result<CachedStatement<'_>, Failure> {
        Ok(self.0.prepare_cached(query.statement.for_sqlite)?)
    }

    fn run_plain(&mut self, statement: &'static str) -> Result<(), Failure> {
        self.0.prepare_cached(statement)?.execute([])?;
        Ok(())
    }
}
