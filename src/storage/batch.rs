//! One batch of everything except posts: a transaction in which each request can be undone alone. It knows how requests share
//! a transaction, not where they come from or what they write.
//!
//! Each request runs in its own savepoint, so that a refusal, a broken constraint or a panic undoes that request alone.
//! Any other failure of the engine ends the whole batch, because SQLite may have rolled the transaction back by itself,
//! and statements after that would commit one by one.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::committed::Committed;
use super::error::{BatchFailure, Error, Failure, Stop};
use super::writing::Writing;

/// A request of any kind, as a batch sees it.
pub(super) trait Request: Send {
    fn run<'w>(&'w mut self, writing: &'w mut Writing) -> BoxFuture<'w, Result<(), Stop>>;

    fn refuse(&mut self, error: Error);

    /// The transaction has ended: sends the request's outcome to whoever waits for it.
    fn answer(self: Box<Self>);
}

/// Writes a batch in one transaction and returns what it has changed. Each request then has its outcome.
pub(super) async fn write(
    writing: &mut Writing,
    batch: &mut [Box<dyn Request>],
) -> Result<Committed, BatchFailure> {
    let written = match run_all(writing, batch).await {
        Ok(()) => writing.commit().await,
        Err(failure) => Err(BatchFailure::Undone(failure)),
    };
    let committed = writing.take();
    if let Err(BatchFailure::Undone(_)) = written {
        writing.roll_back().await.map_err(|error| BatchFailure::AtCommit(error.into()))?;
    }
    written.map(|()| committed)
}

/// Everything except the commit.
async fn run_all(writing: &mut Writing, batch: &mut [Box<dyn Request>]) -> Result<(), Failure> {
    for request in batch {
        writing.begin_request();
        let outcome = AssertUnwindSafe(request.run(writing)).catch_unwind().await;
        if let Some(refused) = refused(outcome)? {
            request.refuse(refused);
            writing.undo().await?;
        }
    }
    Ok(())
}

/// Why a request alone was undone, or none if it was not. A failure that ends the batch is the error.
fn refused(outcome: Result<Result<(), Stop>, Box<dyn Any + Send>>) -> Result<Option<Error>, Failure> {
    match outcome {
        Ok(Ok(())) => Ok(None),
        Ok(Err(Stop::Refused(refusal))) => Ok(Some(Error::Refused(refusal))),
        Ok(Err(Stop::Engine(failure))) if failure.is_constraint() => Ok(Some(failure.into())),
        Ok(Err(Stop::Engine(failure))) => Err(failure),
        Err(_) => Ok(Some(Error::Panicked)),
    }
}
