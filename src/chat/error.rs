//! Why a use case did not do what it was asked to do, sorted by what the caller can do about it.

use std::time::Duration;

use thiserror::Error;

use crate::domain::refusal::Refusal;
use crate::live::OpenError;
use crate::storage;

/// After this long there is room in the store again: its queues are emptied many times a second.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// When to try again to open one more stream than may be open. A place becomes free when another stream ends.
const STREAM_RETRY: Duration = Duration::from_secs(5);

/// Why a use case failed.
#[derive(Debug, Error)]
pub enum Error {
    /// A rule said no; nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is no access token, or it is not valid, or its session is over.
    #[error("not signed in")]
    Unauthenticated,
    /// A rate or a cap is reached; nothing was done.
    #[error("too many requests")]
    TooMany { retry_after: Duration },
    /// A queue is full; nothing was done.
    #[error("overloaded")]
    Overloaded { retry_after: Duration },
    /// The disk is full; nothing was changed.
    #[error("the disk is full")]
    StorageFull,
    /// The write may or may not have taken place. The next start decides it.
    #[error("the outcome is unknown")]
    OutcomeUnknown,
    /// A bug or a failure of the machine. The cause is for the log alone.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What use cases return.
pub type Result<T> = std::result::Result<T, Error>;

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Refused(refusal) => Self::Refused(refusal),
            storage::Error::TooMany { retry_after } => Self::TooMany { retry_after },
            storage::Error::Overloaded | storage::Error::Unavailable(_) => {
                Self::Overloaded { retry_after: STORE_RETRY }
            }
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
