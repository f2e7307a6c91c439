//! Why a use case did not do what it was asked, sorted by what the caller can do about it.

use std::time::Duration;

use thiserror::Error;

use crate::domain::refusal::Refusal;
use crate::live::OpenError;
use crate::storage;

/// Requests that the store had no room for may come back soon: its queues are emptied many times a second.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// A place for a stream becomes free when another one ends.
const STREAM_RETRY: Duration = Duration::from_secs(5);

#[derive(Debug, Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No valid access token of a live session.
    #[error("not signed in")]
    Unauthenticated,
    /// A rate or a cap.
    #[error("too many requests")]
    TooMany { retry_after: Duration },
    /// A queue is full; nothing was done.
    #[error("overloaded")]
    Overloaded { retry_after: Duration },
    /// The disk is full; nothing was changed.
    #[error("the disk is full")]
    StorageFull,
    /// Whether the write took place is known after the next start.
    #[error("the outcome is unknown")]
    OutcomeUnknown,
    /// The cause is for the log alone.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

pub type Result<T> = std::result::Result<T, Error>;

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Refused(refusal) => Self::Refused(refusal),
            storage::Error::TooMany { retry_after } => Self::TooMany { retry_after },
            storage::Error::Overloaded => Self::Overloaded { retry_after: STORE_RETRY },
            storage::Error::Full => Self::StorageFull,
            storage::Error::OutcomeUnknown => Self::OutcomeUnknown,
            storage::Error::Engine(_) | storage::Error::Panicked => Self::Internal(error.into()),
        }
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::TooMany => Self::TooMany { retry_after: STREAM_RETRY },
            OpenError::SignedOut => Self::Unauthenticated,
            OpenError::Store(error) => error.into(),
        }
    }
}
