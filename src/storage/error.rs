//! What can go wrong in the store, sorted by what the caller can do about it.

use std::time::Duration;

use sqlx::error::ErrorKind;
use thiserror::Error;

use crate::domain::refusal::Refusal;

/// Why a read or write did not happen.
#[derive(Debug, Error)]
pub enum Error {
    /// A rule said no; nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The room takes no more for so long; nothing was changed.
    #[error("too many posts")]
    TooMany { retry_after: Duration },
    /// The journal's queue is full or closing, or another program holds the file; nothing was changed.
    #[error("the database is busy")]
    Overloaded,
    /// The disk is full; nothing was changed.
    #[error("the disk is full")]
    Full,
    /// The engine failed at the commit: the write may or may not be there after the next start.
    #[error("the outcome of the write is unknown")]
    OutcomeUnknown,
    /// The engine failed before the commit; nothing was changed.
    #[error("the database failed: {0}")]
    Engine(String),
    /// The write broke off by a bug; nothing was changed.
    #[error("a write panicked")]
    Panicked,
}

/// Reads report the engine's failure as it is.
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        if is_full(&error) { Self::Full } else { Self::Engine(error.to_string()) }
    }
}

/// Why a request inside a batch stops.
#[derive(Debug)]
pub(super) enum Stop {
    Refused(Refusal),
    Engine(sqlx::Error),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Engine(error)
    }
}

/// What stops a read, which shares its statements with writes.
impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(refusal) => Self::Refused(refusal),
            Stop::Engine(error) => error.into(),
        }
    }
}

/// `SQLITE_FULL`, in any extended form.
pub(super) fn is_full(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(13)
}

/// Another connection held the file for longer than we wait.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    primary_code(error) == Some(5)
}

/// A constraint said no: the statement is undone, the transaction goes on.
pub(super) fn is_constraint(error: &sqlx::Error) -> bool {
    let by_kind = error.as_database_error().is_some_and(|e| !matches!(e.kind(), ErrorKind::Other));
    by_kind || primary_code(error) == Some(19)
}

fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let extended: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(extended & 0xff)
}
