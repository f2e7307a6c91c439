//! A connection to the database, and how a statement is run on it.

use std::ops::ControlFlow;

use super::row::Row;
use super::statement::Query;
use crate::storage::error::{BatchFailure, Failure};
use crate::storage::{postgres, sqlite};

/// A connection to one of the engines.
pub(in crate::storage) enum Connection {
    Sqlite(sqlite::Connection),
    Postgres(Box<postgres::Connection>),
}

/// Transactions.
impl Connection {
    /// Begins a transaction that writes.
    pub fn begin(&mut self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.begin(),
            Self::Postgres(postgres) => {
                postgres.begin();
                Ok(())
            }
        }
    }

    /// Opens a savepoint. If the engine has ended the transaction by itself, this or the next statement fails: nothing is written
    /// outside it.
    pub fn savepoint(&mut self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.savepoint(),
            Self::Postgres(postgres) => {
                postgres.savepoint();
                Ok(())
            }
        }
    }

    /// Forgets the savepoint. What was done since then stays done.
    pub fn release(&mut self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.release(),
            Self::Postgres(postgres) => {
                postgres.release();
                Ok(())
            }
        }
    }

    /// Undoes everything since the savepoint, which stays open.
    pub fn undo(&mut self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.undo(),
            Self::Postgres(postgres) => {
                postgres.undo();
                Ok(())
            }
        }
    }

    /// Commits. What is committed is on the disk.
    pub async fn commit(&mut self) -> Result<(), BatchFailure> {
        self.commit_after(&[]).await
    }

    /// Runs the last statements of a transaction and commits.
    pub async fn commit_after(&mut self, last: &[Query<'_>]) -> Result<(), BatchFailure> {
        match self {
            Self::Sqlite(sqlite) => {
                for query in last {
                    sqlite.run(query).map_err(BatchFailure::Undone)?;
                }
                // A full disk has written nothing; after any other failure nobody knows.
                sqlite.commit().map_err(|failure| match failure {
                    failure if failure.is_full() => BatchFailure::Undone(failure),
                    failure => BatchFailure::Fatal(failure),
                })
            }
            Self::Postgres(postgres) => postgres.commit_after(last).await,
        }
    }

    /// Does some work in a transaction of its own: all of it or nothing.
    pub async fn in_transaction<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.begin()?;
        let done = work(self).await;
        if done.is_ok() {
            self.commit().await?;
        } else {
            self.roll_back().await?;
        }
        done
    }

    /// Ends the transaction without a trace, unless the engine has ended it already.
    pub async fn roll_back(&mut self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.roll_back(),
            Self::Postgres(postgres) => postgres.roll_back().await,
        }
    }

    /// What tells this database from a copy, an earlier state or a successor of it; none where that cannot be told.
    pub async fn identity(&mut self) -> Result<Option<String>, Failure> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(postgres) => postgres.identity().await.map(Some),
        }
    }

    /// Ends the connection to a server. The next transaction opens another one.
    pub fn give_up(&mut self) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(postgres) => postgres.give_up(),
        }
    }

    /// Whether it is connected. A connection that is not is opened by the next transaction.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(postgres) => postgres.is_open(),
        }
    }

    /// The statements that follow are each for itself. A connection that was lost is opened again.
    pub fn outside_transaction(&mut self) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(postgres) => postgres.outside_transaction(),
        }
    }

    /// A connection that is lost from here on is not opened again before the next transaction begins: its database has to be looked at
    /// first.
    pub fn stay(&mut self) {
        match self {
            Self::Sqlite(_) => {}
            Self::Postgres(postgres) => postgres.stay(),
        }
    }

    /// Runs several statements, as a migration has them.
    pub async fn run_all(&mut self, statements: &'static str) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.run_all(statements),
            Self::Postgres(postgres) => postgres.run_all(statements).await,
        }
    }

    /// Waits until no other node does what only one may do at a time, and keeps others from it until the transaction ends.
    pub async fn lock_out_others(&mut self) -> Result<(), Failure> {
        match self {
            // The transaction is the only one that writes.
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(postgres) => postgres.lock_out_others().await,
        }
    }

    /// Whether the database and the rights in these tables of it are ours.
    pub async fn survey(&mut self, tables: &[&str]) -> Result<postgres::Found, Failure> {
        match self {
            // The file is ours by its name, and by the lock on its folder.
            Self::Sqlite(_) => Ok(postgres::Found::Good),
            Self::Postgres(postgres) => postgres.survey(tables).await,
        }
    }

    /// Begins a transaction that only reads. All its statements see one state.
    pub fn begin_snapshot(&mut self) -> Result<(), Failure> {
        match self {
            Self::Sqlite(sqlite) => sqlite.begin_snapshot(),
            Self::Postgres(postgres) => {
                postgres.begin_snapshot();
                Ok(())
            }
        }
    }
}

/// Running a statement.
impl Query<'_> {
    /// Returns how many rows it has changed.
    pub async fn run(self, on: &mut Connection) -> Result<u64, Failure> {
        match on {
            Connection::Sqlite(sqlite) => sqlite.run(&self),
            Connection::Postgres(postgres) => postgres.run(&self).await,
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
            Connection::Postgres(postgres) => postgres.each(&self, &mut take).await,
        }
    }

    /// Runs statements one after the other.
    pub async fn run_each(queries: &[Self], on: &mut Connection) -> Result<(), Failure> {
        match on {
            Connection::Sqlite(sqlite) => queries.iter().try_for_each(|query| sqlite.run(query).map(drop)),
            Connection::Postgres(postgres) => postgres.run_each(queries).await,
        }
    }

    /// The row of a statement that always has one, and then what `first_of_each` gives. A server is waited for once.
    pub async fn one_and_first_of_each<O: Send, T: Send>(
        self,
        queries: &[Query<'_>],
        on: &mut Connection,
        mut read_one: impl FnMut(&Row<'_>) -> Result<O, Failure> + Send,
        mut read: impl FnMut(&Row<'_>) -> Result<T, Failure> + Send,
    ) -> Result<(O, Vec<Option<T>>), Failure> {
        if let Connection::Postgres(postgres) = on {
            return postgres.one_and_first_of_each(&self, queries, &mut read_one, &mut read).await;
        }
        let one = self.one(on, read_one).await?;
        Ok((one, Query::first_of_each(queries, on, read).await?))
    }

    /// The first row of each of several statements, in their order.
    pub async fn first_of_each<T: Send>(
        queries: &[Self],
        on: &mut Connection,
        mut read: impl FnMut(&Row<'_>) -> Result<T, Failure> + Send,
    ) -> Result<Vec<Option<T>>, Failure> {
        match on {
            Connection::Sqlite(sqlite) => {
                queries.iter().map(|query| sqlite.first(query, &mut read)).collect()
            }
            Connection::Postgres(postgres) => postgres.first_of_each(queries, &mut read).await,
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
