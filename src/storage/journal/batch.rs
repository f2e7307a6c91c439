//! A batch: requests that are written in one transaction. One that is refused, breaks a constraint or panics
//! is undone alone. Any other failure of the engine ends the whole batch: SQLite may have rolled back by itself, and whatever
//! was written after that would be committed one by one.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::committed::Committed;
use super::transaction::Transaction;
use crate::storage::error::{BatchFailure, Error, Failure, Stop};
use crate::storage::posting;
use crate::storage::posts::Post;
use crate::storage::sql::Query;

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

/// Why a transaction ends without its commit.
enum Trouble {
    /// One of the posts breaks it for all. The others can be written without that one.
    OfAPost,
    OfAll(BatchFailure),
}

impl From<BatchFailure> for Trouble {
    fn from(failure: BatchFailure) -> Self {
        match failure {
            // Whatever else breaks a constraint is undone in its own savepoint.
            BatchFailure::Undone(failure) if failure.is_constraint() => Self::OfAPost,
            failure => Self::OfAll(failure),
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        BatchFailure::from(failure).into()
    }
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
        let written = match self.write_together(tx).await {
            Ok(()) => Ok(()),
            Err(Trouble::OfAll(failure)) => Err(failure),
            Err(Trouble::OfAPost) => {
                tx.roll_back().await.map_err(BatchFailure::Fatal)?;
                self.write_alone(tx).await
            }
        };
        let committed = tx.take();
        if let Err(BatchFailure::Undone(_)) = written {
            tx.roll_back().await.map_err(BatchFailure::Fatal)?;
        }
        written.map(|()| committed)
    }

    /// Writes the posts together, first of all and without a savepoint: with one, SQLite would copy every page that they change, and
    /// PostgreSQL would be waited for once more.
    async fn write_together(&mut self, tx: &mut Transaction) -> Result<(), Trouble> {
        let Self { posts, others } = self;
        let found = tx.begin_looking(&posting::looks(posts), posting::found_of).await?;
        let decided = catch_unwind(AssertUnwindSafe(|| posting::decide(tx, posts, found)));
        let last = decided.map_err(|_| Trouble::OfAPost)??;
        if others.is_empty() {
            return Ok(tx.commit(last).await?);
        }
        // Without posts nothing goes out before the first of the others: the beginning waits for it.
        if !last.is_empty() {
            Query::run_each(&last, tx.sql()).await?;
        }
        drop(last);
        write_others(tx, others).await?;
        Ok(tx.commit(Vec::new()).await?)
    }

    /// Writes each post in a savepoint of its own, because one of them breaks the transaction.
    async fn write_alone(&mut self, tx: &mut Transaction) -> Result<(), BatchFailure> {
        let Self { posts, others } = self;
        tx.begin().await?;
        for post in posts {
            let alone = std::slice::from_mut(post);
            let write = async |tx: &mut Transaction| {
                let found = Query::first_of_each(&posting::looks(alone), tx.sql(), posting::found_of).await?;
                let last = posting::decide(tx, alone, found)?;
                Ok(Query::run_each(&last, tx.sql()).await?)
            };
            if let Some(refused) = in_savepoint(tx, write).await? {
                post.refuse(refused);
            }
        }
        write_others(tx, others).await?;
        tx.commit(Vec::new()).await
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

async fn write_others(tx: &mut Transaction, others: &mut [Box<dyn Request>]) -> Result<(), Failure> {
    for request in others {
        if let Some(refused) = in_savepoint(tx, async |tx| request.run(tx).await).await? {
            request.refuse(refused);
        }
    }
    Ok(())
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
