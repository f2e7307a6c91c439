//! One batch of the journal: a transaction in which each request can be undone alone. It knows how requests share a
//! transaction, not where they come from or what they write.
//!
//! Each request runs in its own savepoint, so that a refusal, a broken constraint or a panic undoes that request alone.
//! Any other failure of the engine ends the whole batch, because SQLite may have rolled the transaction back by itself,
//! and statements after that would commit one by one.
//!
//! A statement sent to the engine costs a change of threads and back, which is more than most statements take. So what
//! belongs together goes in one text: the savepoint with the first look, the last writes with the commit.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryStreamExt};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::types::Uuid;
use sqlx::{Connection, Either, Executor, QueryBuilder, Row, Sqlite};

use super::committed::Committed;
use super::error::{Error, Stop, is_busy, is_constraint, is_full};
use super::posts::{self, Post};
use crate::domain::event::{Event, NewEvent, Subject};
use crate::domain::ids::Position;

/// A request of whatever kind, as a batch sees it.
pub(super) trait Request: Send {
    fn run<'w>(&'w mut self, writing: &'w mut Writing) -> BoxFuture<'w, Result<(), Stop>>;

    fn refuse(&mut self, error: Error);

    /// The batch is over: whatever the request came to is told.
    fn answer(self: Box<Self>);

    /// Posts that stand next to each other are written together.
    fn as_post(&mut self) -> Option<&mut Post> {
        None
    }
}

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
enum Stage {
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

    pub async fn close(self) -> Result<(), sqlx::Error> {
        self.connection.close().await
    }

    /// Undoes the running request, if it got so far as to have anything to undo.
    async fn undo(&mut self) -> Result<(), sqlx::Error> {
        let Some((next, marks)) = self.began.take() else { return Ok(()) };
        self.next = next;
        self.committed.truncate(marks);
        sqlx::query("ROLLBACK TO request").execute(&mut self.connection).await.map(drop)
    }

    /// SQLite may have rolled back by itself; then there is nothing to end, and that is an error to it but not to us.
    async fn roll_back(&mut self) -> Result<(), sqlx::Error> {
        let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
        // A connection that cannot begin anew is in a state that nobody knows.
        sqlx::query("BEGIN; ROLLBACK").execute(&mut self.connection).await.map(drop)
    }
}

/// Why nobody's request of a batch was written, as far as anybody knows.
pub(super) enum BatchFailure {
    /// Rolled back: nothing of the batch was written.
    Undone(sqlx::Error),
    /// The commit itself failed, or what it left behind could not be rolled back.
    AtCommit(sqlx::Error),
}

impl BatchFailure {
    pub fn cause(&self) -> &sqlx::Error {
        match self {
            Self::Undone(error) | Self::AtCommit(error) => error,
        }
    }

    pub fn as_error(&self) -> Error {
        match self {
            Self::Undone(error) if is_full(error) => Error::Full,
            Self::Undone(error) if is_busy(error) => Error::Overloaded,
            Self::Undone(error) => Error::Engine(error.to_string()),
            Self::AtCommit(_) => Error::OutcomeUnknown,
        }
    }
}

/// Writes a batch in one transaction and says what it has changed. Each request knows then what it came to.
pub(super) async fn write(
    writing: &mut Writing,
    batch: &mut [Box<dyn Request>],
) -> Result<Committed, BatchFailure> {
    let written = write_all(writing, batch).await;
    let stage = std::mem::replace(&mut writing.stage, Stage::Before);
    let committed = std::mem::take(&mut writing.committed);
    match written {
        Ok(()) => Ok(committed),
        Err(error) if stage == Stage::InDoubt && !is_full(&error) => Err(BatchFailure::AtCommit(error)),
        Err(error) => {
            writing.roll_back().await.map_err(BatchFailure::AtCommit)?;
            Err(BatchFailure::Undone(error))
        }
    }
}

async fn write_all(writing: &mut Writing, batch: &mut [Box<dyn Request>]) -> Result<(), sqlx::Error> {
    let mut rest = batch;
    while !rest.is_empty() {
        let other = rest.iter_mut().position(|request| request.as_post().is_none());
        let together = other.unwrap_or(rest.len());
        let (these, behind) = rest.split_at_mut(together.max(1));
        rest = behind;
        if together == 0 {
            write_alone(writing, these[0].as_mut()).await?;
        } else {
            write_posts(writing, these, rest.is_empty()).await?;
        }
    }
    if writing.stage == Stage::Committed {
        return Ok(());
    }
    writing.commit_with(QueryBuilder::default(), 0).await
}

/// Runs one request. An error returned from here ends the batch.
async fn write_alone(writing: &mut Writing, request: &mut dyn Request) -> Result<(), sqlx::Error> {
    writing.began = None;
    let outcome = AssertUnwindSafe(request.run(writing)).catch_unwind().await;
    if let Some(refused) = refused(outcome)? {
        request.refuse(refused);
        writing.undo().await?;
    }
    Ok(())
}

/// Runs posts together, and where that does not come to a good end each of them alone.
async fn write_posts(
    writing: &mut Writing,
    requests: &mut [Box<dyn Request>],
    are_last: bool,
) -> Result<(), sqlx::Error> {
    writing.began = None;
    let posts = requests.iter_mut().filter_map(|request| request.as_post()).collect();
    let outcome = AssertUnwindSafe(posts::write(writing, posts, are_last)).catch_unwind().await;
    let Some(refused) = refused(outcome)? else { return Ok(()) };
    writing.undo().await?;
    if let [one] = requests {
        one.refuse(refused);
        return Ok(());
    }
    for request in requests {
        write_alone(writing, request.as_mut()).await?;
    }
    Ok(())
}

/// What stops a request alone; what stops the batch comes back as an error.
fn refused(outcome: Result<Result<(), Stop>, Box<dyn Any + Send>>) -> Result<Option<Error>, sqlx::Error> {
    match outcome {
        Ok(Ok(())) => Ok(None),
        Ok(Err(Stop::Refused(refusal))) => Ok(Some(Error::Refused(refusal))),
        Ok(Err(Stop::Engine(error))) if is_constraint(&error) => Ok(Some(Error::Engine(error.to_string()))),
        Ok(Err(Stop::Engine(error))) => Err(error),
        Err(_) => Ok(Some(Error::Panicked)),
    }
}
