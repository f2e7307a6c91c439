//! The journal: the one writer of a node. It drains a bounded queue into one transaction with one sync, then answers
//! every request by itself. It knows when to write, not what: the nouns' files hand it their statements.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::batch::{self, BatchFailure, Request};
use super::checkpoint::Checkpoints;
use super::committed::Committed;
use super::error::{Error, Stop};
use super::meters::Meters;
use super::writing::Writing;

/// Requests waiting for their batch. When it is full the next one is told to come back: 503.
const QUEUE: usize = 4_096;
/// Requests in one transaction. More would save no sync worth having and make the first one wait.
pub(super) const BATCH: usize = 256;
/// Waits at most this long for another connection; more would hold up the batch's requests.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(5);

/// What happens after a commit and before its requests are answered. It must not block.
pub type OnCommit = Box<dyn Fn(Committed) + Send + Sync>;

/// The queue's end that requests are put into.
#[derive(Clone)]
pub(super) struct Journal {
    queue: mpsc::Sender<Box<dyn Request>>,
    meters: Arc<Meters>,
}

/// A request whose kind the journal need not know.
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
            writing.open().await?;
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
        meters: Arc<Meters>,
    ) -> (Self, impl Future<Output = ()> + Send) {
        let (queue, requests) = mpsc::channel(QUEUE);
        let journal = Self { queue, meters: meters.clone() };
        (journal, run(requests, Writing::new(connection), checkpoints, on_commit, fatal, closing, meters))
    }

    /// Puts a write into the queue and waits for its batch. Dropping the future does not take the write back.
    pub async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w mut Writing) -> BoxFuture<'w, Result<T, Stop>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.put(Pending { work: Some(work), outcome: Err(Error::OutcomeUnknown), reply }, answer).await
    }

    /// Puts a request into the queue and waits until it is answered.
    pub async fn put<T>(
        &self,
        request: impl Request + 'static,
        answer: oneshot::Receiver<Result<T, Error>>,
    ) -> Result<T, Error> {
        // Full, or closing: either way nothing was written, and it is worth coming back.
        let place = self.queue.try_reserve().map_err(|_| Error::Overloaded)?;
        self.meters.queue.inc();
        place.send(Box::new(request));
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
    meters: Arc<Meters>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        tokio::select! {
            biased;
            taken = requests.recv_many(&mut batch, BATCH) => if taken == 0 { break },
            // What is queued is still written; the loop ends when nothing is left.
            () = closing.cancelled(), if !requests.is_closed() => { requests.close(); continue }
        }
        let (size, began) = (batch.len(), Instant::now());
        meters.queue.dec_by(i64::try_from(size).unwrap_or(i64::MAX));
        match batch::write(&mut writing, &mut batch).await {
            Ok(committed) => {
                #[cfg(debug_assertions)]
                crate::breakdown::at("journal", &committed.events);
                meters.committed(size, began.elapsed());
                on_commit(committed);
                batch.drain(..).for_each(Request::answer);
            }
            Err(failure) => {
                tracing::error!(error = %failure.cause(), requests = size, "a batch of writes failed");
                for mut request in batch.drain(..) {
                    request.refuse(failure.as_error());
                    request.answer();
                }
                if matches!(failure, BatchFailure::AtCommit(_)) {
                    fatal.cancel();
                    return;
                }
            }
        }
        checkpoints.after_batch(writing.sql(), size).await;
    }
    if let Err(error) = writing.close().await {
        tracing::warn!(%error, "the database was not closed cleanly; the next start recovers it");
    }
}
