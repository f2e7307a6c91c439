//! A connection to the database, and how a statement is run on it.

use std::ops::ControlFlow;

use super::row::Row;
use super::statement::Query;
use crate::storage::error::Failure;
use crate::storage::sqlite;

/// A connection to one of the engines.
pub(in crate::storage) enum Connection {
    Sqlite(sqlite::Connection),
}

/// Transactions.
#[allow(clippy::unused_async, reason = "an engine behind a network waits")]
impl Connection {
    /// Begins a transaction that no other transaction which writes entries of the log can overtake.
    pub async fn begin(&mut self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.begin(),
        }
    }

    /// Opens a savepoint. Fails if the engine has ended the transaction by itself: nothing is written outside it.
    pub async fn savepoint(&mut self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.savepoint(),
        }
    }

    /// Forgets the savepoint. What was done since then stays done.
    pub async fn release(&mut self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.release(),
        }
    }

    /// Undoes everything since the savepoint, which stays open.
    pub async fn undo(&mut self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.undo(),
        }
    }

    /// Commits. What is committed is on the disk.
    pub async fn commit(&mut self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.commit(),
        }
    }

    /// Ends the transaction without a trace, unless the engine has ended it already.
    pub async fn roll_back(&mut self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.roll_back(),
        }
    }

    /// Runs several statements, as a migration has them.
    pub async fn run_all(&mut self, statements: &'static str) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.run_all(statements),
        }
    }

    /// Begins a transaction that only reads. All its statements see one state.
    pub async fn begin_snapshot(&mut self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.begin_snapshot(),
        }
    }
}

/// Running a statement.
#[allow(clippy::unused_async, reason = "an engine behind a network waits")]
impl Query<'_> {
    /// Returns how many rows it has changed.
    pub async fn run(self, on: &mut Connection) -> Result<u64, Failure> {
        match on {
            Connection::Sqlite(sqlite) => sqlite.run(&self),
        }
    }

    /// Gives the rows to `take` one after the other, until it breaks off.
    pub async fn each(
        self,
        on: &mut Connection,
        mut take: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, Failure> + Send,
    ) -> Result<(), Failure> {
        match on {
            Connection::Sqlite(sqlite) => sqlite.each(&self, &mut take),
        }
    }

    /// All rows.
    pub async fn all<T: Send>(
        self,
        on: &mut Connection,
        mut read: impl FnMut(&Row<'_>) -> Result<T, Failure> + Send,
    ) -> Result<Vec<T>, Failure> {
        let mut all = Vec::new();
        let take = |row: &Row<'_>| {
            all.push(read(row)?);
            Ok(ControlFlow::Continue(()))
        };
        self.each(on, take).await?;
        Ok(all)
    }

    /// The first row, if there is one.
    pub async fn first<T: Send>(
        self,
        on: &mut Connection,
        mut read: impl FnMut(&Row<'_>) -> Result<T, Failure> + Send,
    ) -> Result<Option<T>, Failure> {
        let mut first = None;
        let take = |row: &Row<'_>| {
            first = Some(read(row)?);
            Ok(ControlFlow::Break(()))
        };
        self.each(on, take).await?;
        Ok(first)
    }

    /// The row of a statement that always has one.
    pub async fn one<T: Send>(
        self,
        on: &mut Connection,
        read: impl FnMut(&Row<'_>) -> Result<T, Failure> + Send,
    ) -> Result<T, Failure> {
        let name = self.statement.name;
        self.first(on, read).await?.ok_or_else(|| Failure::fault(format!("{name} gave no row")))
    }

    /// Whether there is a row.
    pub async fn any(self, on: &mut Connection) -> Result<bool, Failure> {
        Ok(self.first(on, |_| Ok(())).await?.is_some())
    }
}
