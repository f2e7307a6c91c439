//! The journal: everything that a node writes goes through it. It takes requests from a bounded queue and writes them in two
//! transactions with one sync each: one for posts, one for everything else. Then it answers each request. What a request writes
//! is in the files of the nouns.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::batch::{self, Request};
use super::checkpoint::Checkpoints;
use super::committed::Committed;
use super::error::{BatchFailure, Error, Stop};
use super::meters::Meters;
use super::posting::Posting;
use super::posts::Post;
use super::writing::Writing;

/// Requests that may wait for their batch. When the queue is full the next request is answered 503.
const QUEUE: usize = 4_096;
/// Requests taken from the queue at a time. More would save few syncs, and the first request would wait longer.
const BATCH: usize = 256;

/// Called after a commit and before its requests are answered. It must not block.
pub type OnCommit = Box<dyn Fn(Committed) + Send + Sync>;

/// The end of the queue into which requests are put.
#[derive(Clone)]
pub(super) struct Journal {
    queue: mpsc::Sender<Write>,
    meters: Arc<Meters>,
}

/// A request in the queue. Posts are written in another way than everything else.
enum Write {
    Post(Box<Post>),
    Other(Box<dyn Request>),
}

/// A request that is not a post: a function that writes, and the channel for its answer.
struct Pending<T, F> {
    work: Option<F>,
    outcome: Result<T, Error>,
    reply: oneshot::Sender<Result<T, Error>>,
}

/// Takes the requests out of the queue, writes them, and answers each.
pub(super) struct Committer {
    pub requests: Requests,
    pub posting: Posting,
    pub writing: Writing,
    pub checkpoints: Arc<Checkpoints>,
    pub on_commit: OnCommit,
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
        // It fails when the client has hung up. What was written stays written.
        let _ = self.reply.send(self.outcome);
    }
}

impl Journal {
    /// A journal, and the other end of its queue for a `Committer`.
    pub fn new(meters: Arc<Meters>) -> (Self, Requests) {
        let (queue, requests) = mpsc::channel(QUEUE);
        (Self { queue, meters }, Requests(requests))
    }

    /// Puts a write into the queue and waits for its batch. Dropping the future does not take the write back.
    pub async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'w> FnOnce(&'w mut Writing) -> BoxFuture<'w, Result<T, Stop>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let pending = Pending { work: Some(work), outcome: Err(Error::OutcomeUnknown), reply };
        self.put(Write::Other(Box::new(pending)), answer).await
    }

    /// The same for a post.
    pub async fn post<T>(&self, post: Post, answer: oneshot::Receiver<Result<T, Error>>) -> Result<T, Error> {
        self.put(Write::Post(Box::new(post)), answer).await
    }

    async fn put<T>(&self, write: Write, answer: oneshot::Receiver<Result<T, Error>>) -> Result<T, Error> {
        // The queue is full, or closed because the server stops. Nothing was written.
        let place = self.queue.try_reserve().map_err(|_| Error::Overloaded)?;
        self.meters.queue.inc();
        place.send(write);
        answer.await.unwrap_or(Err(Error::OutcomeUnknown))
    }
}

impl Committer {
    /// Writes until the queue is closed and empty, or until a commit has failed with an unknown outcome. It blocks its thread.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let Requests(requests) = &mut self.requests;
            tokio::select! {
                biased;
                taken = requests.recv_many(&mut batch, BATCH) => if taken == 0 { break },
                // What is queued is still written. The loop ends when nothing is left.
                () = self.closing.cancelled(), if !requests.is_closed() => { requests.close(); continue }
            }
            self.write(&mut batch).await;
            if self.fatal.is_cancelled() {
                return;
            }
        }
        if let Err(error) = self.writing.close().await {
            tracing::warn!(%error, "the journal's connection was not closed cleanly");
        }
    }

    /// Writes the posts together, and then the others together. No request of a batch has an answer yet when the batch begins,
    /// so nobody can expect another order.
    async fn write(&mut self, batch: &mut Vec<Write>) {
        let size = batch.len();
        self.meters.queue.dec_by(i64::try_from(size).unwrap_or(i64::MAX));
        let (mut posts, mut others) = (Vec::with_capacity(size), Vec::new());
        for write in batch.drain(..) {
            match write {
                Write::Post(post) => posts.push(*post),
                Write::Other(other) => others.push(other),
            }
        }
        if !posts.is_empty() {
            self.write_posts(posts);
        }
        if !others.is_empty() && !self.fatal.is_cancelled() {
            self.write_others(others).await;
        }
        if !self.fatal.is_cancelled() {
            let frames = self.posting.frames_in_log().unwrap_or_else(|error| {
                tracing::warn!(%error, "the length of the write-ahead log could not be read");
                0
            });
            self.checkpoints.after_batch(self.writing.sql(), size, frames).await;
        }
    }

    /// Writes posts together. If one of them makes the transaction fail, each is written alone.
    fn write_posts(&mut self, mut posts: Vec<Post>) {
        let began = Instant::now();
        let written = self.posting.write(&mut posts);
        if posts.len() == 1 || !written.as_ref().is_err_and(BatchFailure::is_for_one) {
            return self.answer_posts(written, posts, began);
        }
        for post in posts {
            // The posts that are left are dropped, and their requests are answered `OutcomeUnknown`.
            if self.fatal.is_cancelled() {
                return;
            }
            let (began, mut alone) = (Instant::now(), vec![post]);
            let written = self.posting.write(&mut alone);
            self.answer_posts(written, alone, began);
        }
    }

    fn answer_posts(
        &self,
        written: Result<Option<Committed>, BatchFailure>,
        mut posts: Vec<Post>,
        began: Instant,
    ) {
        if let Some(failure) = self.conclude(written, posts.len(), began) {
            for post in &mut posts {
                post.refuse(failure.as_error());
            }
        }
        posts.into_iter().for_each(Post::answer);
    }

    async fn write_others(&mut self, mut others: Vec<Box<dyn Request>>) {
        let began = Instant::now();
        let written = batch::write(&mut self.writing, &mut others).await;
        let failure = self.conclude(written.map(Some), others.len(), began);
        for mut other in others {
            if let Some(failure) = &failure {
                other.refuse(failure.as_error());
            }
            other.answer();
        }
    }

    /// Tells the node what a transaction has changed. Returns the failure, if it has failed.
    fn conclude(
        &self,
        written: Result<Option<Committed>, BatchFailure>,
        requests: usize,
        began: Instant,
    ) -> Option<BatchFailure> {
        match written {
            Ok(None) => None,
            Ok(Some(committed)) => {
                #[cfg(debug_assertions)]
                crate::breakdown::at("journal", &committed.events);
                self.meters.committed(requests, began.elapsed());
                (self.on_commit)(committed);
                None
            }
            Err(error) => {
                tracing::error!(%error, requests, "a batch of writes failed");
                if matches!(error, BatchFailure::AtCommit(_)) {
                    self.fatal.cancel();
                }
                Some(error)
            }
        }
    }
}
