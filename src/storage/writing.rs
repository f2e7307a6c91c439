//! The transaction of a batch as its requests see it: savepoints, numbered events, and what the rest of the node has to
//! know once it is committed. It knows nothing of requests.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Row};

use super::committed::Committed;
use super::error::{BatchFailure, Failure, Stop};
use super::tail::{INSERT_EVENT, Mark, Tail};
use crate::domain::event::NewEvent;
use crate::domain::ids::Position;

/// The transaction as a request sees it.
pub(super) struct Writing {
    connection: SqliteConnection,
    tail: Tail,
    /// The transaction has begun.
    is_open: bool,
    /// Where the running request began; none until it has its savepoint.
    began: Option<Mark>,
}

impl Writing {
    pub fn new(connection: SqliteConnection) -> Self {
        Self { connection, tail: Tail::default(), is_open: false, began: None }
    }

    pub fn sql(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Begins a request: opens its savepoint, and the transaction if it is the first of its batch.
    ///
    /// Releasing the savepoint of the request before is also the check that the transaction is still open: when SQLite
    /// has rolled back by itself the savepoint is gone and the release fails, before anything is written outside.
    pub async fn open(&mut self) -> Result<(), sqlx::Error> {
        if self.is_open {
            sqlx::query("RELEASE request; SAVEPOINT request").execute(&mut self.connection).await?;
        } else {
            let begin = sqlx::query("BEGIN IMMEDIATE; SAVEPOINT request; SELECT head FROM log");
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

    /// Writes an event into the log. Called last in a request, when no rule can refuse it any more.
    pub async fn append(&mut self, event: &NewEvent) -> Result<Position, Stop> {
        let row = self.tail.number(event).map_err(Failure::from)?;
        let insert = sqlx::query(INSERT_EVENT).bind(row.position.0).bind(event.room.uuid()).bind(event.seq);
        let insert =
            insert.bind(event.kind.as_str()).bind(row.subject).bind(row.data).bind(event.at.micros());
        insert.execute(&mut self.connection).await?;
        Ok(row.position)
    }

    /// What the rest of the node must know once this is committed.
    pub fn afterwards(&mut self) -> &mut Committed {
        &mut self.tail.committed
    }

    /// Ends the batch: the log's new head, and the synced commit.
    pub async fn commit(&mut self) -> Result<(), BatchFailure> {
        let head = sqlx::query("RELEASE request; UPDATE log SET head = $1").bind(self.tail.head().0);
        head.execute(&mut self.connection).await.map_err(|error| BatchFailure::Undone(error.into()))?;
        let committed = sqlx::query("COMMIT").execute(&mut self.connection).await;
        committed.map(drop).map_err(|error| BatchFailure::of_commit(error.into()))
    }

    /// From here on there is nothing to undo until the next request has its savepoint.
    pub fn begin_request(&mut self) {
        self.began = None;
    }

    /// Undoes the running request, if it got so far as to have anything to undo.
    pub async fn undo(&mut self) -> Result<(), sqlx::Error> {
        let Some(mark) = self.began.take() else { return Ok(()) };
        self.tail.cut(mark);
        sqlx::query("ROLLBACK TO request").execute(&mut self.connection).await.map(drop)
    }

    /// Makes ready for the next batch, and gives what this one has to tell.
    pub fn take(&mut self) -> Committed {
        self.is_open = false;
        std::mem::take(&mut self.tail.committed)
    }

    /// SQLite may have rolled back by itself; then there is nothing to end, and that is an error to it but not to us.
    pub async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
        // A connection that cannot begin anew is in a state that nobody knows.
        sqlx::query("BEGIN; ROLLBACK").execute(&mut self.connection).await.map(drop)
    }

    pub async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.close().await
    }
}
