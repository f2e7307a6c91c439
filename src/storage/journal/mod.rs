//! The journal: everything that a node writes goes through it. It takes requests from a bounded queue and writes them together,
//! in one transaction with one sync. Then it answers each request. What a request writes is in the files of the nouns.

mod batch;
mod committed;
mod tail;
pub(super) mod transaction;
mod trouble;

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use self::batch::{Batch, Request};
pub use self::committed::Committed;
pub(super) use self::transaction::{Lane, Shared, Transaction};
use self::trouble::Trouble;
use super::error::{BatchFailure, Error, Stop};
use super::meters::Meters;
use super::posts::Post;
use super::sql::Connection;

/// Requests that may wait for their batch. When the queue is full the next request is answered 503.
const QUEUE: usize = 4_096;
/// Requests taken from the queue at a time. More would save few syncs, and the first request would wait longer.
const BATCH: usize = 256;

/// Called after a commit and before its requests are answered. It must not block.
pub type OnCommit = Box<dyn Fn(Committed) + Send + Sync>;

/// Where requests are handed in.
#[derive(Clone)]
pub(super) struct Journal {
    queue: Queue,
    /// For writes without an event, where they need not wait for those with one.
    plain: Queue,
    meters: Arc<Meters>,
}

/// The end of a queue into which requests are put.
#[derive(Clone)]
pub(super) struct Queue(mpsc::Sender<Write>);

/// A request in the queue. Posts are written together, everything else one by one.
enum Write {
    Post(Box<Post>),
    Other(Box<dyn Request>),
}

/// A request that is not a post: a function that writes, and the channel for its answer.
struct Pending<T, F> {
    /// Called again when its transaction was ended for the sake of another one.
    work: F,
    outcome: Result<T, Error>,
    reply: oneshot::Sender<Result<T, Error>>,
}

/// What the engine wants to have done between two batches. It is told how many writes the last one had.
pub(super) type AfterBatch = Box<dyn FnMut(&mut Connection, usize) + Send>;

/// Takes the requests out of the queue, writes them, and answers each.
pub(super) struct Committer {
    pub requests: Requests,
    pub transaction: Transaction,
    pub after_batch: AfterBatch,
    pub on_commit: Arc<OnCommit>,
    /// Cancelled when a commit fails in a way that leaves its outcome unknown: the process must end then, and recover at
    /// its next start.
    pub fatal: CancellationToken,
    pub closing: CancellationToken,
    pub meters: Arc<Meters>,
}

/// The end of the queue from which requests are taken.
pub(super) struct Requests(mpsc::Receiver<Write>);

impl<T, F> Request for Pending<T, F>
where
    T: Send,
    F: for<'t> FnMut(&'t mut Transaction) -> BoxFuture<'t, Result<T, Stop>> + Send,
{
    fn run<'t>(&'t mut self, tx: &'t mut Transaction) -> BoxFuture<'t, Result<(), Stop>> {
        Box::pin(async move {
            self.outcome = Ok((self.work)(tx).await?);
            Ok(())
        })
    }

    fn refuse(&mut self, error: Error) {
        self.outcome = Err(error);
    }

    fn answer(self: Box<Self>) {
        // It fails when the client has hung up. What was written stays written.
        let _ = self.reply.send(self.outcome);
    }
}

/// A queue of the journal: the end that takes requests, and the other one for a `Committer`.
pub(super) fn queue() -> (Queue, Requests) {
    let (queue, requests) = mpsc::channel(QUEUE);
    (Queue(queue), Requests(requests))
}

impl Journal {
    /// Where plain writes have no queue of their own, they are put into the one queue.
    pub fn new(queue: Queue, plain: Option<Queue>, meters: Arc<Meters>) -> Self {
        let plain = plain.unwrap_or_else(|| queue.clone());
        Self { queue, plain, meters }
    }

    /// Whether requests wait in the queue.
    pub fn is_busy(&self) -> bool {
        let Queue(queue) = &self.queue;
        queue.capacity() < queue.max_capacity()
    }

    /// Puts a write into the queue and waits for its batch. Dropping the future does not take the write back.
    pub async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> FnMut(&'t mut Transaction) -> BoxFuture<'t, Result<T, Stop>> + Send + 'static,
    {
        self.write_to(&self.queue, work).await
    }

    /// The same for a write that adds no event to the log.
    pub async fn write_plain<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> FnMut(&'t mut Transaction) -> BoxFuture<'t, Result<T, Stop>> + Send + 'static,
    {
        self.write_to(&self.plain, work).await
    }

    async fn write_to<T, F>(&self, queue: &Queue, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> FnMut(&'t mut Transaction) -> BoxFuture<'t, Result<T, Stop>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let pending = Pending { work, outcome: Err(Error::OutcomeUnknown), reply };
        self.put(queue, Write::Other(Box::new(pending)), answer).await
    }

    /// The same for a post.
    pub async fn post<T>(&self, post: Post, answer: oneshot::Receiver<Result<T, Error>>) -> Result<T, Error> {
        self.put(&self.queue, Write::Post(Box::new(post)), answer).await
    }

    async fn put<T>(
        &self,
        Queue(queue): &Queue,
        write: Write,
        answer: oneshot::Receiver<Result<T, Error>>,
    ) -> Result<T, Error> {
        // The queue is full, or closed because the server stops. Nothing was written.
        let place = queue.try_reserve().map_err(|_| Error::Overloaded)?;
        self.meters.queue.inc();
        place.send(write);
        answer.await.unwrap_or(Err(Error::OutcomeUnknown))
    }
}

impl Committer {
    /// Writes until the queue is closed and empty, or until a commit has failed with an unknown outcome.
    pub async fn run(mut self) {
        let (mut taken, mut trouble) = (Vec::with_capacity(BATCH), Trouble::default());
        loop {
            let Requests(requests) = &mut self.requests;
            tokio::select! {
                biased;
                count = requests.recv_many(&mut taken, BATCH) => if count == 0 { break },
                // What is queued is still written. The loop ends when nothing is left.
                () = self.closing.cancelled(), if !requests.is_closed() => { requests.close(); continue }
            }
            let mut batch = Batch::default();
            for write in taken.drain(..) {
                match write {
                    Write::Post(post) => batch.posts.push(*post),
                    Write::Other(other) => batch.others.push(other),
                }
            }
            self.write(batch, &mut trouble).await;
            if self.fatal.is_cancelled() {
                return;
            }
        }
    }

    async fn write(&mut self, mut batch: Batch, trouble: &mut Trouble) {
        let (size, began) = (batch.len(), Instant::now());
        self.meters.queue.dec_by(i64::try_from(size).unwrap_or(i64::MAX));
        match batch.write(&mut self.transaction).await {
            Ok(committed) => {
                #[cfg(debug_assertions)]
                crate::breakdown::at("journal", &committed.events);
                self.meters.committed(size, began.elapsed());
                trouble.is_over();
                (self.on_commit)(committed);
            }
            Err(failure) => {
                trouble.goes_on(&failure, size);
                if matches!(failure, BatchFailure::Fatal(_)) {
                    self.fatal.cancel();
                }
                batch.refuse(&failure);
            }
        }
        batch.answer();
        if !self.fatal.is_cancelled() {
            (self.after_batch)(self.transaction.sql(), size);
        }
    }
}
