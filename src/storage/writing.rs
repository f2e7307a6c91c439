//! The transaction of a batch as its requests see it: savepoints, numbered events, and what the rest of the node has to
//! know once it is committed. It knows nothing of requests.
//!
//! A statement sent to the engine costs a change of threads and back, which is more than most statements take. So what
//! belongs together goes in one text: the savepoint with the first look, the last writes with the commit.

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::types::Uuid;
use sqlx::{Connection, Either, Executor, QueryBuilder, Row, Sqlite};

use super::committed::Committed;
use super::error::Stop;
use crate::domain::event::{Event, NewEvent, Subject};
use crate::domain::ids::Position;

/// The transaction as a request sees it.
pub(super) struct Writing {
    connection: SqliteConnection,
    /// The position of the next event.
    next: Position,
    committed: Committed,
    stage: Stage,
    /// Where the running request began; none until it has its savepoint.
    began: Option<(Position, [usize; 4])>,
}

/// How far the transaction of a batch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Before,
    Open,
    Committed,
    /// The commit itself failed.
    InDoubt,
}

/// A numbered event, to be stored beside what it tells of.
pub(super) struct EventRow {
    pub position: Position,
    pub subject: Option<Uuid>,
    pub data: String,
}

impl Writing {
    pub fn new(connection: SqliteConnection) -> Self {
        let (next, committed) = (Position::default(), Committed::default());
        Self { connection, next, committed, stage: Stage::Before, began: None }
    }

    pub fn sql(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    /// Begins a request: opens its savepoint, and the transaction if it is the first of its batch.
    pub async fn open(&mut self) -> Result<(), sqlx::Error> {
        self.open_with(self.opening()).await.map(drop)
    }

    /// What opens the savepoint of a request, for its first look to be joined to.
    ///
    /// Releasing the savepoint of the request before is also the check that the transaction is still open: when SQLite
    /// has rolled back by itself the savepoint is gone and the release fails, before anything is written outside.
    pub fn opening(&self) -> QueryBuilder<Sqlite> {
        QueryBuilder::new(match self.stage {
            Stage::Open => "RELEASE request; SAVEPOINT request; ",
            _ => "BEGIN IMMEDIATE; SAVEPOINT request; SELECT head FROM log; ",
        })
    }

    /// Begins a request by an `opening` and the look that was joined to it, whose rows come back.
    pub async fn open_with(
        &mut self,
        mut query: QueryBuilder<Sqlite>,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let mut rows = query.build().fetch_all(&mut self.connection).await?;
        if self.stage != Stage::Open {
            let head = rows.first().ok_or(sqlx::Error::RowNotFound)?.try_get(0)?;
            rows.remove(0);
            self.next = Position(head).next();
            self.stage = Stage::Open;
        }
        self.began = Some((self.next, self.committed.marks()));
        Ok(rows)
    }

    /// The position that the next event takes.
    pub fn next_position(&self) -> Position {
        self.next
    }

    /// Gives an event its place in the log. Called last in a request, when no rule can refuse it any more; whoever calls
    /// it stores the row.
    pub fn number(&mut self, event: &NewEvent) -> Result<EventRow, Stop> {
        let position = self.next;
        let data = serde_json::to_string(event).map_err(|e| sqlx::Error::Encode(Box::new(e)))?;
        let (subject, person) = match event.subject() {
            Some(Subject::Person(user)) => (Some(user.uuid()), event.kind.is_membership().then_some(user)),
            Some(Subject::Message(message)) => (Some(message.uuid()), None),
            None => (None, None),
        };
        let published = Event { position, room: event.room, kind: event.kind, person, data: data.clone() };
        self.committed.events.push(published);
        self.next = position.next();
        Ok(EventRow { position, subject, data })
    }

    /// Writes an event into the log.
    pub async fn append(&mut self, event: &NewEvent) -> Result<Position, Stop> {
        let row = self.number(event)?;
        let sql = "INSERT INTO events (position, room_id, seq, type, ref, data, at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let insert = sqlx::query(sql).bind(row.position.0).bind(event.room.uuid()).bind(event.seq);
        let insert =
            insert.bind(event.kind.as_str()).bind(row.subject).bind(row.data).bind(event.at.micros());
        insert.execute(&mut self.connection).await?;
        Ok(row.position)
    }

    /// What the rest of the node must know once this is committed.
    pub fn afterwards(&mut self) -> &mut Committed {
        &mut self.committed
    }

    /// Ends the batch by its last writes, so many statements without the last semicolon, and the commit, in one text.
    pub async fn commit_with(
        &mut self,
        mut query: QueryBuilder<Sqlite>,
        writes: usize,
    ) -> Result<(), sqlx::Error> {
        query.push(if writes > 0 { "; " } else { "" });
        query.push("RELEASE request; UPDATE log SET head = coalesce((SELECT max(position) FROM events), head); COMMIT");
        let before_commit = writes + 2;
        let mut results = self.connection.fetch_many(query.build());
        let mut done = 0;
        loop {
            match results.try_next().await {
                Ok(Some(Either::Left(_))) => done += 1,
                Ok(Some(Either::Right(_))) => {}
                Ok(None) => break,
                Err(error) => {
                    if done == before_commit {
                        self.stage = Stage::InDoubt;
                    }
                    return Err(error);
                }
            }
        }
        self.stage = Stage::Committed;
        Ok(())
    }

    /// From here on there is nothing to undo until the next request has its savepoint.
    pub fn begin_request(&mut self) {
        self.began = None;
    }

    /// Undoes the running request, if it got so far as to have anything to undo.
    pub async fn undo(&mut self) -> Result<(), sqlx::Error> {
        let Some((next, marks)) = self.began.take() else { return Ok(()) };
        self.next = next;
        self.committed.truncate(marks);
        sqlx::query("ROLLBACK TO request").execute(&mut self.connection).await.map(drop)
    }

    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Makes ready for the next batch, and gives what this one has to tell.
    pub fn take(&mut self) -> Committed {
        self.stage = Stage::Before;
        std::mem::take(&mut self.committed)
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
