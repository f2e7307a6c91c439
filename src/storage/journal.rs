//! The journal: the one writer of a node. It drains a bounded queue into transactions with one sync each, one of posts and
//! one of everything else, then answers every request by itself. What is written stands in the nouns' files.

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

/// Requests waiting for their batch. When it is full the next one is told to come back: 503.
const QUEUE: usize = 4_096;
/// Requests taken from the queue at a time. More would save no sync worth having and make the first one wait.
const BATCH: usize = 256;

/// What happens after a commit and before its requests are answered. It must not block.
pub type OnCommit = Box<dyn Fn(Committed) + Send + Sync>;

/// The queue's end that requests are put into.
#[derive(Clone)]
pub(super) struct Journal {
    queue: mpsc::Sender<Write>,
    meters: Arc<Meters>,
}

/// What the journal is asked for. Posts have a way of their own through it.
enum Write {
    Post(Box<Post>),
    Other(Box<dyn Request>),
}

/// A request whose kind the journal need not know.
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

/// What waits in the queue.
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
        // Nobody listens when the client has hung up; what was written stays written.
        let _ = self.reply.send(self.outcome);
    }
}

impl Journal {
    /// A journal, and the end of its queue that a `Committer` takes requests from.
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
        // Full, or closing: either way nothing was written, and it is worth coming back.
        let place = self.queue.try_reserve().map_err(|_| Error::Overloaded)?;
        self.meters.queue.inc();
        place.send(write);
        answer.await.unwrap_or(Err(Error::OutcomeUnknown))
    }
}

impl Committer {
    /// Writes until the queue is closed and empty, or the journal cannot go on. It blocks: for a thread of its own.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let Requests(requests) = &mut self.requests;
            tokio::select! {
                biased;
                taken = requests.recv_many(&mut batch, BATCH) => if taken == 0 { break },
                // What is queued is still written; the loop ends when nothing is left.
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

    /// Posts together, and then the others together: all were asked for before any was answered, so either order is right.
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
            self.checkpoints.after_batch(self.writing.sql(), size).await;
        }
    }

    /// Writes posts together, and where one of them stands in the way of all each of them alone.
    fn write_posts(&mut self, mut posts: Vec<Post>) {
        let began = Instant::now();
        let written = self.posting.write(&mut posts);
        if posts.len() == 1 || !written.as_ref().is_err_and(BatchFailure::is_for_one) {
            return self.answer_posts(written, posts, began);
        }
        for post in posts {
            // Those that are left learn that nobody knows what became of theirs.
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

    /// Tells the node what a transaction of so many requests has changed; what has failed comes back.
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
