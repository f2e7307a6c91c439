//! Which database the store is in, and what differs between them once it is open.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio_util::sync::CancellationToken;

use super::error::OpenError;
use super::journal::{AfterBatch, Committer};
use super::readers::{Kind, Readers};
use super::sql::Connection;
use super::{postgres, sqlite};
use crate::domain::clock::Clock;

/// How long a start waits for a server. When a whole machine starts, the database may be ready later than Parlor.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the database is.
#[derive(Clone)]
pub enum Location {
    /// SQLite's file in a folder. It is made if it is missing.
    Folder(PathBuf),
    /// A PostgreSQL server.
    Server(Arc<postgres::Server>),
}

/// The open database.
pub(super) enum Database {
    Sqlite(sqlite::Database),
    Postgres(postgres::Database),
}

impl Database {
    /// Opens a database, and gives the connection that writes.
    pub async fn open(location: &Location, clock: Clock) -> Result<(Self, Connection), OpenError> {
        match location {
            Location::Folder(folder) => {
                let (database, writer) = sqlite::Database::open(folder)?;
                Ok((Self::Sqlite(database), Connection::Sqlite(writer)))
            }
            Location::Server(server) => {
                let (database, writer) = postgres::Database::open(server.clone(), clock, PATIENCE).await?;
                Ok((Self::Postgres(database), Connection::Postgres(Box::new(writer))))
            }
        }
    }

    /// How the operator knows it.
    pub fn name(&self) -> String {
        match self {
            Self::Sqlite(sqlite) => sqlite.name(),
            Self::Postgres(postgres) => postgres.name(),
        }
    }

    /// Whether other nodes may write to it.
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// The file of SQLite's write-ahead log.
    pub fn log_file(&self) -> Option<PathBuf> {
        match self {
            Self::Sqlite(sqlite) => Some(sqlite.log_file()),
            Self::Postgres(_) => None,
        }
    }

    /// Counts the connections to a server that are opened. None where the database is a file.
    pub fn connections(&self) -> Option<Counter> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(postgres) => Some(postgres.connections()),
        }
    }

    pub fn readers(&self) -> Result<Readers, OpenError> {
        match self {
            Self::Sqlite(sqlite) => {
                let broken = |failure| OpenError::Database(self.name(), failure);
                let readers = sqlite.readers().map_err(broken)?;
                Ok(Readers::new(Kind::Blocking, readers.into_iter().map(Connection::Sqlite).collect()))
            }
            Self::Postgres(postgres) => {
                let readers = postgres.readers().into_iter();
                let readers = readers.map(|reader| Connection::Postgres(Box::new(reader)));
                Ok(Readers::new(Kind::Waiting, readers.collect()))
            }
        }
    }

    /// Another connection that writes; none where there can be only one.
    pub fn second_writer(&self) -> Option<Connection> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(postgres) => Some(Connection::Postgres(Box::new(postgres.second_writer()))),
        }
    }

    /// What the journal does on its connection between two batches.
    pub fn after_batch(&self) -> AfterBatch {
        match self {
            Self::Sqlite(sqlite) => {
                let mut after_batch = sqlite.after_batch();
                Box::new(move |connection, writes| {
                    if let Connection::Sqlite(writer) = connection {
                        after_batch(writer, writes);
                    }
                })
            }
            Self::Postgres(_) => Box::new(|_, _| {}),
        }
    }

    /// Starts the journal. Cancels `broken` if it breaks down.
    pub fn start(&mut self, committers: Vec<Committer>, broken: &CancellationToken) -> Result<(), OpenError> {
        let name = self.name();
        for committer in committers {
            match self {
                Self::Sqlite(sqlite) => sqlite
                    .start(committer.run(), broken.clone())
                    .map_err(|failure| OpenError::Database(name.clone(), failure))?,
                Self::Postgres(postgres) => postgres.start(committer.run(), broken.clone()),
            }
        }
        Ok(())
    }

    /// Waits for what was started. The journal ends when it is told to.
    pub async fn ended(&self) {
        match self {
            Self::Sqlite(sqlite) => sqlite.ended().await,
            Self::Postgres(postgres) => postgres.ended().await,
        }
    }

    /// Leaves the database as one file once all connections are closed, where it is a file.
    pub async fn tidy(&self) {
        if let Self::Sqlite(sqlite) = self {
            sqlite.fold_back().await;
        }
    }
}
