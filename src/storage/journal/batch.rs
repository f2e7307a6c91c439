//! A batch: requests that are written in one transaction. One that is refused, breaks a constraint or panics
//! is undone alone. Any other failure of the engine ends the whole batch: SQLite may have rolled back by itself, and whatever
//! was written after that would be committed one by one.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::committed::Committed;
use super::transaction::Transaction;
use crate::storage::error::{BatchFailure, Error, Failure, Stop};
use crate::storage::posting;
use crate::storage::posts::Post;

/// How long a transaction that was ended for the sake of another one waits before it is tried again. The other one is woken up
/// meanwhile, and takes the rows that it has waited for; otherwise the same deadlock would come back.
const AFTER_YOU: Duration = Duration::from_millis(50);

/// A request that is not a post.
pub(super) trait Request: Send {
    fn run<'t>(&'t mut self, tx: &'t mut Transaction) -> BoxFuture<'t, Result<(), Stop>>;

    fn refuse(&mut self, error: Error);

    /// Sends the request's outcome to the task that waits for it. Called after the transaction has ended.
    fn answer(self: Box<Self>);
}

/// The requests of one transaction. Nobody has an answer to one of them before the transaction ends, so nobody can expect an
/// order between posts and others.
#[derive(Default)]
pub(super) struct Batch {
    pub posts: Vec<Post>,
    pub others: Vec<Box<dyn Request>>,
}

impl Batch {
    pub fn len(&self) -> usize {
        self.posts.len() + self.others.len()
    }

    /// Writes the batch and returns what it has changed. Each request then has its outcome. A transaction that the engine has ended for
    /// the sake of another one is tried once more.
    pub async fn write(&mut self, tx: &mut Transaction) -> Result<Committed, BatchFailure> {
        match self.write_once(tx).await {
            Err(BatchFailure::Undone(failure)) if failure.is_conflict() => {
                tokio::time::sleep(AFTER_YOU).await;
                self.write_once(tx).await
            }
            written => written,
        }
    }

    async fn write_once(&mut self, tx: &mut Transaction) -> Result<Committed, BatchFailure> {
        let written = match self.write_all(tx).await {
            Ok(()) => tx.commit().await,
            Err(failure) => Err(BatchFailure::Undone(failure)),
        };
        let committed = tx.take();
        if let Err(BatchFailure::Undone(_)) = written {
            tx.roll_back().await.map_err(BatchFailure::Fatal)?;
        }
        written.map(|()| committed)
    }

    /// Everything except the commit.
    async fn write_all(&mut self, tx: &mut Transaction) -> Result<(), Failure> {
        tx.begin().await?;
        self.write_posts(tx).await?;
        for request in &mut self.others {
            if let Some(refused) = in_savepoint(tx, async |tx| request.run(tx).await).await? {
                request.refuse(refused);
            }
        }
        Ok(())
    }

    /// Writes the posts together, first of all and without a savepoint: with one, SQLite would copy every page that they change. If
    /// one of them breaks it, the transaction begins once more, and each is written in a savepoint of its own.
    async fn write_posts(&mut self, tx: &mut Transaction) -> Result<(), Failure> {
        if self.posts.is_empty() {
            return Ok(());
        }
        let together = AssertUnwindSafe(posting::write(tx, &mut self.posts)).catch_unwind().await;
        if refused(together.map(|written| written.map_err(Stop::from)))?.is_none() {
            return Ok(());
        }
        tx.roll_back().await?;
        tx.begin().await?;
        for post in &mut self.posts {
            let alone = std::slice::from_mut(post);
            if let Some(refused) = in_savepoint(tx, async |tx| Ok(posting::write(tx, alone).await?)).await? {
                post.refuse(refused);
            }
        }
        Ok(())
    }

    pub fn refuse(&mut self, failure: &BatchFailure) {
        self.posts.iter_mut().for_each(|post| post.refuse(failure.as_error()));
        self.others.iter_mut().for_each(|other| other.refuse(failure.as_error()));
    }

    pub fn answer(self) {
        self.posts.into_iter().for_each(Post::answer);
        self.others.into_iter().for_each(Request::answer);
    }
}

/// Does some work in a savepoint. Returns why it was undone, or none if it was not. A failure that ends the batch is the error.
async fn in_savepoint(
    tx: &mut Transaction,
    work: impl AsyncFnOnce(&mut Transaction) -> Result<(), Stop>,
) -> Result<Option<Error>, Failure> {
    tx.begin_request()?;
    let outcome = AssertUnwindSafe(work(tx)).catch_unwind().await;
    let Some(refused) = refused(outcome)? else {
        tx.end_request()?;
        return Ok(None);
    };
    tx.undo_request()?;
    Ok(Some(refused))
}

fn refused(outcome: Result<Result<(), Stop>, Box<dyn Any + Send>>) -> Result<Option<Error>, Failure> {
    match outcome {
        Ok(Ok(())) => Ok(None),
        Ok(Err(Stop::Refused(refusal))) => Ok(Some(Error::Refused(refusal))),
        Ok(Err(Stop::Engine(failure))) if failure.is_constraint() => Ok(Some(failure.into())),
        Ok(Err(Stop::Engine(failure))) => Err(failure),
        Err(_) => Ok(Some(Error::Panicked)),
    }
}
