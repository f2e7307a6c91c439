//! The transaction of a batch as its requests see it: savepoints, numbered events, and what the rest of the node must know
//! after the commit. It knows nothing of requests.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};

use super::committed::Committed;
use super::error::{BatchFailure, Failure, Stop};
use super::statements::statements;
use super::tail::{INSERT_EVENT, Mark, Tail};
use crate::domain::event::NewEvent;
use crate::domain::ids::Position;

statements! {
    BEGIN = "BEGIN IMMEDIATE; SAVEPOINT request; SELECT head FROM log";
    END = "RELEASE request; UPDATE log SET head = $1";
}

/// The transaction as a request sees it.
pub(super) struct Writing {
    connection: SqliteConnection,
    tail: Tail,
    /// The transaction has begun.
    is_open: bool,
    /// The state before the running request; none until the request has its savepoint.
    began: Option<Mark>,
}

impl Writing {
    pub fn new(connection: SqliteConnection) -> Self {
        Self { connection, tail: Tail::default(), is_open: false, began: None }
    }

    pub fn sql(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Begins a request: opens its savepoint, and the transaction if the request is the first of its batch.
    ///
    /// Releasing the savepoint of the previous request also checks that the transaction is still open. If SQLite has rolled
    /// back by itself, that savepoint is gone and the release fails. So nothing is written outside the transaction.
    pub async fn open(&mut self) -> Result<(), sqlx::Error> {
        if self.is_open {
            sqlx::query("RELEASE request; SAVEPOINT request").execute(&mut self.connection).await?;
        } else {
            let begin = BEGIN.query();
            let head = begin.fetch_one(&mut self.connection).await?.try_get(0)?;
            self.tail = Tail::after(Position(head));
            self.is_open = true;
        }
        self.began = Some(self.tail.mark());
        Ok(())
    }

    /// The position of the last event.
    pub fn head(&self) -> Position {
        self.tail.head()
    }

    /// The position that the next event takes.
    pub fn next_position(&self) -> Position {
        self.tail.next
    }

    /// Writes an event into the log. A request calls it last, after all rules were checked.
    pub async fn append(&mut self, event: &NewEvent) -> Result<Position, Stop> {
        let row = self.tail.number(event).map_err(Failure::from)?;
        INSERT_EVENT
            .query()
            .bind(row.position.0)
            .bind(event.room.uuid())
            .bind(event.seq)
            .bind(event.kind.as_str())
            .bind(row.subject)
            .bind(row.data)
            .bind(event.at.micros())
            .execute(&mut self.connection)
            .await?;
        Ok(row.position)
    }

    /// What the rest of the node must know after the commit.
    pub fn afterwards(&mut self) -> &mut Committed {
        &mut self.tail.committed
    }

    /// Ends the batch: writes the log's new head and commits, with a sync.
    pub async fn commit(&mut self) -> Result<(), BatchFailure> {
        let head = END.query().bind(self.tail.head().0);
        head.execute(&mut self.connection).await.map_err(|error| BatchFailure::Undone(error.into()))?;
        let committed = sqlx::query("COMMIT").execute(&mut self.connection).await;
        committed.map(drop).map_err(|error| BatchFailure::of_commit(error.into()))
    }

    /// Until the next request has its savepoint there is nothing to undo.
    pub fn begin_request(&mut self) {
        self.began = None;
    }

    /// Undoes the running request, if it has a savepoint.
    pub async fn undo(&mut self) -> Result<(), sqlx::Error> {
        let Some(mark) = self.began.take() else { return Ok(()) };
        self.tail.cut(mark);
        sqlx::query("ROLLBACK TO request").execute(&mut self.connection).await.map(drop)
    }

    /// Prepares for the next batch, and returns what the rest of the node must know of this one.
    pub fn take(&mut self) -> Committed {
        self.is_open = false;
        std::mem::take(&mut self.tail.committed)
    }

    /// Ends the transaction. If SQLite has rolled back by itself, ROLLBACK is an error, which does not matter.
    pub async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
        // If even this fails, nobody knows the state of the connection.
        sqlx::query("BEGIN; ROLLBACK").execute(&mut self.connection).await.map(drop)
    }

    pub async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.close().await
    }
}
