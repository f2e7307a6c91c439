//! One batch of the journal: a transaction in which each request can be undone alone. It knows how requests share a
//! transaction, not where they come from or what they write.
//!
//! Each request runs in its own savepoint, so that a refusal, a broken constraint or a panic undoes that request alone.
//! Any other failure of the engine ends the whole batch, because SQLite may have rolled the transaction back by itself,
//! and statements after that would commit one by one.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::QueryBuilder;

use super::committed::Committed;
use super::error::{Error, Stop, is_busy, is_constraint, is_full};
use super::posts::{self, Post};
use super::writing::{Stage, Writing};

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
    let (stage, committed) = (writing.stage(), writing.take());
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
    if writing.stage() == Stage::Committed {
        return Ok(());
    }
    writing.commit_with(QueryBuilder::default(), 0).await
}

/// Runs one request. An error returned from here ends the batch.
async fn write_alone(writing: &mut Writing, request: &mut dyn Request) -> Result<(), sqlx::Error> {
    writing.begin_request();
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
    writing.begin_request();
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
