//! Reading: connections of their own, so that a read never waits for a write. A read takes one, uses it on a thread that may
//! wait for the disk, and gives it back.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Store;
use super::error::{Error, Failure, Stop};
use super::sql::{Connection, Query, Row};

/// How long a read waits for a connection. After that it fails as [`Error::Overloaded`], so that requests do not pile up behind
/// reads that hang.
const WAIT: Duration = Duration::from_secs(5);

/// Connections that only read. Those to a file are all opened at the start and kept, so that a process without a free descriptor can
/// still read; those to a server are opened when they are needed.
#[derive(Clone)]
pub(super) struct Readers {
    count: u32,
    kind: Kind,
    /// One permit for each connection that is idle.
    free: Arc<Semaphore>,
    /// Locked for a few instructions.
    idle: Arc<Mutex<Vec<Connection>>>,
}

/// What a statement does while the engine works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It blocks the thread.
    Blocking,
    /// It waits for the server.
    Waiting,
}

/// What the statements of a read see of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    /// Each the state of its own moment.
    Statement,
    /// All of them one state.
    Snapshot,
}

impl Store {
    /// Reads by statements that do not depend on each other.
    pub(super) async fn read<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, Stop>> + Send + 'static,
    {
        self.readers.read(Sight::Statement, work).await
    }

    /// The first row of one statement, if it has one.
    pub(super) async fn first<T: Send + 'static>(
        &self,
        query: Query<'static>,
        read: fn(&Row<'_>) -> Result<T, Failure>,
    ) -> Result<Option<T>, Error> {
        self.read(move |sql| Box::pin(async move { Ok(query.first(sql, read).await?) })).await
    }

    /// All rows of one statement.
    pub(super) async fn all<T: Send + 'static>(
        &self,
        query: Query<'static>,
        read: fn(&Row<'_>) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Error> {
        self.read(move |sql| Box::pin(async move { Ok(query.all(sql, read).await?) })).await
    }

    /// Reads by statements that all see one state of the database.
    pub(super) async fn snapshot<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, Stop>> + Send + 'static,
    {
        self.readers.read(Sight::Snapshot, work).await
    }
}

impl Readers {
    pub fn new(kind: Kind, connections: Vec<Connection>) -> Self {
        let count = u32::try_from(connections.len()).unwrap_or(u32::MAX);
        let free = Arc::new(Semaphore::new(connections.len()));
        Self { count, kind, free, idle: Arc::new(Mutex::new(connections)) }
    }

    async fn read<T, F>(&self, sight: Sight, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, Stop>> + Send + 'static,
    {
        let permit = tokio::time::timeout(WAIT, self.free.clone().acquire_owned()).await;
        // None was free in time, or the store has closed.
        let Ok(Ok(permit)) = permit else { return Err(Error::Overloaded) };
        let this = self.clone();
        // A task of its own, so that a read whose client hangs up ends as every other one, and its connection is as it was.
        let read = match self.kind {
            Kind::Blocking => tokio::task::spawn_blocking(move || {
                let read = this.read_now(permit, sight, work).now_or_never();
                read.expect("a statement is done when it has been asked for")
            }),
            Kind::Waiting => tokio::spawn(async move { this.read_now(permit, sight, work).await }),
        };
        // A task that was never begun: the program ends.
        read.await.unwrap_or(Err(Error::Overloaded))
    }

    async fn read_now<T, F>(&self, permit: OwnedSemaphorePermit, sight: Sight, work: F) -> Result<T, Error>
    where
        F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, Stop>>,
    {
        let mut connection = self.idle().pop().ok_or(Error::Overloaded)?;
        let read = AssertUnwindSafe(run(&mut connection, sight, work)).catch_unwind().await;
        if read.is_err() {
            // A read that panicked has left its snapshot open.
            let _ = connection.roll_back().await;
        }
        self.idle().push(connection);
        drop(permit);
        read.unwrap_or(Err(Error::Panicked))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the reads that are running, and closes the connections. Reads that come later are refused.
    pub async fn close(&self) {
        // An error would mean that it has closed before.
        let _ = self.free.acquire_many(self.count).await;
        self.free.close();
        self.idle().clear();
    }
}

async fn run<T, F>(connection: &mut Connection, sight: Sight, work: F) -> Result<T, Error>
where
    F: for<'c> FnOnce(&'c mut Connection) -> BoxFuture<'c, Result<T, Stop>>,
{
    if sight == Sight::Statement {
        connection.outside_transaction();
        return Ok(work(connection).await?);
    }
    connection.begin_snapshot()?;
    let read = work(connection).await;
    let ended: Result<(), Failure> = connection.roll_back().await;
    let read = read?;
    ended?;
    Ok(read)
}
