//! What can go wrong in the store, sorted by what the caller can do about it.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::domain::keys::Disagreement;
use crate::domain::refusal::Refusal;

/// Why a read or write did not happen.
#[derive(Debug, Error)]
pub enum Error {
    /// A rule refuses it; nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The room's rate is used up for this long; nothing was changed.
    #[error("too many posts")]
    TooMany { retry_after: Duration },
    /// The journal's queue is full, no connection is free for a read, or the store is closing.
    /// Nothing was changed, and a later try may succeed.
    #[error("the database is busy")]
    Overloaded,
    /// The database cannot be reached, has no lock or no connection to give, or must not be written to. Nothing was changed, and a
    /// later try may succeed.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The disk is full; nothing was changed.
    #[error("the disk is full")]
    Full,
    /// The engine failed at the commit: the write may or may not be there after the next start.
    #[error("the outcome of the write is unknown")]
    OutcomeUnknown,
    /// The engine failed before the commit; nothing was changed.
    #[error("the database failed: {0}")]
    Engine(String),
    /// The read or write panicked; nothing was changed.
    #[error("a bug stopped it; a panic in this log says where")]
    Panicked,
}

/// Why the database cannot be opened. Each is one line for the person who started the program.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("the data folder {0} cannot be used: {1}; name another one with --data, or make it writable")]
    Folder(PathBuf, std::io::Error),
    #[error("the data folder {0} is in use by another parlor process; stop that one first")]
    InUse(PathBuf),
    #[error("the database {0} was written by a newer parlor (schema {1}); run that version or a newer one")]
    NewerSchema(String, i64),
    #[error("the database {0} cannot be opened: {1}")]
    Database(String, Failure),
    #[error("the database {0} could not be brought up to date: {1}")]
    Migration(String, Failure),
    #[error("the database {0} cannot be used: {1}")]
    Unfit(String, String),
    #[error("the database {0} has tables of another program; create a new database and name that")]
    NotOurs(String),
    #[error("the database {0} cannot make writes durable on this file system: {1}")]
    NotDurable(PathBuf, &'static str),
    #[error("the keys in {file} are not those of the database {database}: {why}")]
    ForeignKeys { file: PathBuf, database: String, why: Disagreement },
    #[error(
        "there are no keys in {file}, but the database {database} has been served with some: put back the file, from a backup or \
         another node; if it is lost, run `parlor secrets forget` and start again, and everybody has to sign in again"
    )]
    KeysMissing { file: PathBuf, database: String },
    /// The line comes from the part that keeps them.
    #[error("{0}")]
    KeysNotKept(String),
}

/// A failure of the engine.
#[derive(Clone, Debug, Error)]
#[error("{text}")]
pub struct Failure {
    text: String,
    kind: Kind,
}

/// What a failure means for the request that met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The disk is full.
    Full,
    /// Something else uses what is needed; a later try may succeed.
    Busy,
    /// Another transaction was in the way, and this one was ended for it. The same may succeed at once.
    Conflict,
    /// The database is there, but must not be written to as it is. Only its operator can change that.
    Unfit,
    /// A statement broke a constraint. It is undone, and the transaction goes on unless a trigger has rolled it back.
    Constraint,
    /// The connection to the database was lost, and with it the transaction unless that was being committed.
    Lost,
    /// The engine, the disk or the program is at fault.
    Fault,
}

/// Why a request inside a batch stopped.
#[derive(Debug)]
pub(super) enum Stop {
    Refused(Refusal),
    Engine(Failure),
}

/// Why a transaction failed, and with it every request in it.
#[derive(Debug, Error)]
pub(super) enum BatchFailure {
    /// Rolled back: nothing of it was written.
    #[error("{0}")]
    Undone(Failure),
    /// The connection was lost at the commit. Nobody knows whether the transaction is on the disk.
    #[error("{0}")]
    Unknown(Failure),
    /// The same, because the disk failed at the commit or a rollback failed: only a recovery finds it out.
    #[error("{0}")]
    Fatal(Failure),
}

/// Before the commit nothing is written.
impl From<Failure> for BatchFailure {
    fn from(failure: Failure) -> Self {
        Self::Undone(failure)
    }
}

impl BatchFailure {
    pub fn as_error(&self) -> Error {
        match self {
            Self::Undone(failure) => failure.clone().into(),
            Self::Unknown(_) | Self::Fatal(_) => Error::OutcomeUnknown,
        }
    }

    pub fn failure(&self) -> &Failure {
        let (Self::Undone(failure) | Self::Unknown(failure) | Self::Fatal(failure)) = self;
        failure
    }
}

impl From<BatchFailure> for Failure {
    fn from(failure: BatchFailure) -> Self {
        let (BatchFailure::Undone(failure) | BatchFailure::Unknown(failure) | BatchFailure::Fatal(failure)) =
            failure;
        failure
    }
}

impl Failure {
    /// Something that must not be: the engine, the disk or the program is at fault.
    pub(super) fn fault(text: String) -> Self {
        Self { text, kind: Kind::Fault }
    }

    pub(super) fn lost(text: &str) -> Self {
        Self { text: text.into(), kind: Kind::Lost }
    }

    /// A database that must not be written to, and why.
    pub(super) fn unfit(text: String) -> Self {
        Self { text, kind: Kind::Unfit }
    }

    pub(super) fn is_unfit(&self) -> bool {
        self.kind == Kind::Unfit
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// None of several hosts gives a connection. What may pass at one of them decides.
    pub(super) fn of_hosts(failures: &[(String, Self)]) -> Self {
        let may_pass = failures.iter().find(|(_, failure)| failure.may_pass());
        let kind = may_pass.or(failures.first()).map_or(Kind::Lost, |(_, failure)| failure.kind);
        let texts: Vec<_> = failures.iter().map(|(host, failure)| format!("{host}: {failure}")).collect();
        Self { text: texts.join("; "), kind }
    }

    /// Whether the connection was lost, or could not be had.
    pub(super) fn is_lost(&self) -> bool {
        self.kind == Kind::Lost
    }

    /// Whether a later try may succeed.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self.kind, Kind::Lost | Kind::Busy | Kind::Conflict)
    }

    /// Whether the transaction was ended for the sake of another one.
    pub(super) fn is_conflict(&self) -> bool {
        self.kind == Kind::Conflict
    }

    pub fn is_full(&self) -> bool {
        self.kind == Kind::Full
    }

    pub fn is_constraint(&self) -> bool {
        self.kind == Kind::Constraint
    }
}

impl Kind {
    /// By PostgreSQL's SQLSTATE.
    fn of_state(state: &str) -> Self {
        match state {
            // disk_full
            "53100" => Self::Full,
            // serialization_failure, deadlock_detected
            "40001" | "40P01" => Self::Conflict,
            // It took too long.
            "55P03" | "57014" => Self::Busy,
            // read_only_sql_transaction: the server has become a standby, or its operator has closed it for writes.
            "25006" => Self::Unfit,
            // The server stops or starts, or has ended this session.
            "57P01" | "57P02" | "57P03" | "25P03" | "57P05" => Self::Lost,
            state if state.starts_with("53") => Self::Busy,
            state if state.starts_with("08") => Self::Lost,
            // A value that the engine cannot take concerns one statement alone, as a broken constraint does.
            state if state.starts_with("23") || state.starts_with("22") => Self::Constraint,
            _ => Self::Fault,
        }
    }

    /// By `SQLite`'s result code, extended or not.
    fn of_code(code: i32) -> Self {
        match code & 0xff {
            // SQLITE_FULL
            13 => Self::Full,
            // SQLITE_BUSY, SQLITE_LOCKED and SQLITE_PROTOCOL: somebody else kept a lock for longer than we wait.
            5 | 6 | 15 => Self::Busy,
            // SQLITE_CONSTRAINT
            19 => Self::Constraint,
            _ => Self::Fault,
        }
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            let source = std::error::Error::source(&error);
            // A value or a row that does not fit says nothing about the connection.
            let is_lost =
                error.is_closed() || source.is_some_and(<dyn std::error::Error>::is::<std::io::Error>);
            let because = source.map(|source| format!(": {source}")).unwrap_or_default();
            let kind = if is_lost { Kind::Lost } else { Kind::Fault };
            return Self { text: format!("{error}{because}"), kind };
        };
        // Not the detail, which has values of rows in it.
        Self {
            text: format!("{} ({})", said.message(), said.code().code()),
            kind: Kind::of_state(said.code().code()),
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        let kind = error.sqlite_error().map_or(Kind::Fault, |e| Kind::of_code(e.extended_code));
        Self { text: error.to_string(), kind }
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self { text: error.to_string(), kind: Kind::Fault }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure.kind {
            Kind::Full => Self::Full,
            Kind::Busy | Kind::Conflict | Kind::Lost | Kind::Unfit => Self::Unavailable(failure.text),
            Kind::Constraint | Kind::Fault => Self::Engine(failure.text),
        }
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Engine(failure)
    }
}

/// Reads use some statements of writes, and those stop in the same way.
impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(refusal) => Self::Refused(refusal),
            Stop::Engine(failure) => failure.into(),
        }
    }
}
