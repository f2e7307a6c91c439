//! The journal: the one writer of a node. It drains a bounded queue into one transaction with one sync, then answers
//! every request by itself. It knows how to write, not what: the nouns' files hand it their statements.
//!
//! Each request runs in its own savepoint, so that a refusal, a broken constraint or a panic undoes that request alone.
//! Any other failure of the engine ends the whole batch, because SQLite may have rolled the transaction back by itself,
//! and statements after that would commit one by one.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::sqlite::SqliteConnection;
use sqlx::types::Uuid;
use sqlx::{Connection, Row};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::checkpoint::Checkpoints;
use super::committed::Committed;
use super::error::{Error, Stop, is_busy, is_constraint, is_full};
use crate::domain::event::{Event, NewEvent, Subject};
use crate::domain::ids::Position;

/// Requests waiting for their batch. When it is full the next one is told to come back: 503.
const QUEUE: usize = 4_096;
/// Requests in one transaction. More would save no sync worth having and make the first one wait.
const BATCH: usize = 256;

/// What happens after a commit and before its requests are answered. It must not block.
pub type OnCommit = Box<dyn Fn(Committed) + Send + Sync>;

/// The queue's end that requests are put into.
#[derive(Clone)]
pub(super) struct Journal {
    queue: mpsc::Sender<Box<dyn Request>>,
}

/// The transaction as a request sees it.
pub(super) struct Writing {
    connection: SqliteConnection,
    /// The position of the next event.
    next: Position,
    committed: Committed,
}

/// A numbered event, to be stored by `EVENT_INSERT` or its like.
pub(super) struct EventRow {
    pub position: Position,
    pub subject: Option<Uuid>,
    pub data: String,
}

impl Writing {
    pub fn sql(&mut self) -> &mut SqliteConnection {
        &mut self.connection
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
}

/// A request whose kind the journal need not know.
trait Request: Send {
    fn run<'w>(&'w mut self, writing: &'w mut Writing) -> BoxFuture<'w, Result<(), Stop>>;
    fn refuse(&mut self, error: Error);
    /// The batch was committed: whatever the request came to is told.
    fn answer(self: Box<Self>);
}

struct Pending<T, F> {
    work: Option<F>,
    outcome: Result<T, Error>,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Request for Pending<T, F>
where
    T: Send,
    F: for<'w> FnOnce(&'w mut Writing) -> BoxFuture<'w, Result<T, Stop>> + Send,
{
    fn run<'w>(&'w mut self, writing: &'w mut Writing) -> BoxFuture<'w, Result<(), Stop>> {
        Box::pin(async move {
            if let Some(work) = self.work.take() {
                self.outcome = Ok(work(writing).await?);
            }
            Ok(())
        })
    }

    fn refuse(&mut self, error: Error) {
        self.outcome = Err(error);
    }

    fn answer(self: Box<Self>) {
        // Nobody listens when the client has hung up; what was written stays written.
        let _ = self.reply.send(self.outcome);
    }
}

impl Journal {
    /// Starts the writer on its own connection. `fatal` is cancelled when a commit fails in a way that leaves its
    /// outcome unknown: the process must end then, and recover at its next start.
    pub fn start(
        connection: SqliteConnection,
        checkpoints: Arc<Checkpoints>,
        on_commit: OnCommit,
        fatal: CancellationToken,
        closing: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (queue, requests) = mpsc::channel(QUEUE);
        let committed = Committed::default();
        let writing = Writing { connection, next: Position::default(), committed };
        (Self { queue }, run(requests, writing, checkpoints, on_commit, fatal, closing))
    }

    /// Puts a write into the queue and waits for its batch. Dropping the future does not take the write back.
    pub async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w mut Writing) -> BoxFuture<'w, Result<T, Stop>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let request = Pending { work: Some(work), outcome: Err(Error::OutcomeUnknown), reply };
        // Full, or closing: either way nothing was written, and it is worth coming back.
        self.queue.try_send(Box::new(request)).map_err(|_| Error::Overloaded)?;
        answer.await.unwrap_or(Err(Error::OutcomeUnknown))
    }
}

async fn run(
    mut requests: mpsc::Receiver<Box<dyn Request>>,
    mut writing: Writing,
    checkpoints: Arc<Checkpoints>,
    on_commit: OnCommit,
    fatal: CancellationToken,
    closing: CancellationToken,
) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            taken = requests.recv_many(&mut batch, BATCH) => if taken == 0 { break },
            // What is queued is still written; the loop ends when nothing is left.
            () = closing.cancelled(), if !requests.is_closed() => { requests.close(); continue }
        }
        let size = batch.len();
        match write_batch(&mut writing, &mut batch).await {
            Ok(()) => {
                on_commit(std::mem::take(&mut writing.committed));
                batch.drain(..).for_each(Request::answer);
            }
            Err(failure) => {
                writing.committed = Committed::default();
                let lost = matches!(failure, BatchFailure::AtCommit(_));
                tracing::error!(error = %failure.cause(), requests = size, "a batch of writes failed");
                for mut request in batch.drain(..) {
                    request.refuse(failure.as_error());
                    request.answer();
                }
                if lost {
                    fatal.cancel();
                    return;
                }
            }
        }
        checkpoints.after_batch(&mut writing.connection, size).await;
    }
    if let Err(error) = writing.connection.close().await {
        tracing::warn!(%error, "the database was not closed cleanly; the next start recovers it");
    }
}

enum BatchFailure {
    /// Rolled back: nothing of the batch was written.
    Undone(sqlx::Error),
    /// The commit itself failed, or what it left behind could not be rolled back.
    AtCommit(sqlx::Error),
}

impl BatchFailure {
    fn cause(&self) -> &sqlx::Error {
        match self {
            Self::Undone(error) | Self::AtCommit(error) => error,
        }
    }

    fn as_error(&self) -> Error {
        match self {
            Self::Undone(error) if is_full(error) => Error::Full,
            Self::Undone(error) if is_busy(error) => Error::Overloaded,
            Self::Undone(error) => Error::Engine(error.to_string()),
            Self::AtCommit(_) => Error::OutcomeUnknown,
        }
    }
}

async fn write_batch(writing: &mut Writing, batch: &mut [Box<dyn Request>]) -> Result<(), BatchFailure> {
    let written = write_all(writing, batch).await;
    let failed = match written {
        Ok(()) => match sqlx::query("COMMIT").execute(writing.sql()).await {
            Ok(_) => return Ok(()),
            Err(error) if is_full(&error) => error,
            Err(error) => return Err(BatchFailure::AtCommit(error)),
        },
        Err(error) => error,
    };
    roll_back(writing.sql()).await.map_err(BatchFailure::AtCommit)?;
    Err(BatchFailure::Undone(failed))
}

/// SQLite may have rolled back by itself; then there is nothing to end, and that is an error to it but not to us.
async fn roll_back(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let _ = sqlx::query("ROLLBACK").execute(&mut *connection).await;
    // A connection that cannot begin anew is in a state that nobody knows.
    sqlx::query("BEGIN; ROLLBACK").execute(connection).await.map(drop)
}

async fn write_all(writing: &mut Writing, batch: &mut [Box<dyn Request>]) -> Result<(), sqlx::Error> {
    // Statements that belong together go in one text: each one sent costs a change of threads.
    let begin = sqlx::query("BEGIN IMMEDIATE; SAVEPOINT request; SELECT head FROM log");
    let before: i64 = begin.fetch_one(writing.sql()).await?.try_get(0)?;
    writing.next = Position(before).next();
    for (n, request) in batch.iter_mut().enumerate() {
        if n > 0 {
            sqlx::query("RELEASE request; SAVEPOINT request").execute(writing.sql()).await?;
        }
        run_one(writing, request.as_mut()).await?;
    }
    let end = sqlx::query("RELEASE request; UPDATE log SET head = $1").bind(writing.next.0 - 1);
    end.execute(writing.sql()).await.map(drop)
}

/// Runs one request in its savepoint. An error returned from here ends the batch.
///
/// Releasing the savepoint before the next request is also the check that the transaction is still open: when SQLite has
/// rolled back by itself the savepoint is gone and the release fails, before anything is written outside a transaction.
async fn run_one(writing: &mut Writing, request: &mut dyn Request) -> Result<(), sqlx::Error> {
    let (next, marks) = (writing.next, writing.committed.marks());
    let refused = match AssertUnwindSafe(request.run(writing)).catch_unwind().await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(Stop::Refused(refusal))) => Error::Refused(refusal),
        Ok(Err(Stop::Engine(error))) if is_constraint(&error) => Error::Engine(error.to_string()),
        Ok(Err(Stop::Engine(error))) => return Err(error),
        Err(_) => Error::Panicked,
    };
    request.refuse(refused);
    writing.next = next;
    writing.committed.truncate(marks);
    sqlx::query("ROLLBACK TO request").execute(writing.sql()).await.map(drop)
}

/// Waits at most this long for another connection; more would hold up the batch's requests.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(5);
