//! The database on a server: waits until it is there and can be written to, and starts what works on it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use prometheus_client::metrics::counter::Counter;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use super::listener::{Channel, Notice, listen};
use super::server::Server;
use crate::bus::Gathered;
use crate::domain::clock::Clock;
use crate::storage::clocks::{APART, apart};
use crate::storage::error::{Failure, OpenError};

/// How often a start that waits for the server says so.
const SAY_EVERY: Duration = Duration::from_secs(5);
/// The pause between two tries.
const RETRY: Duration = Duration::from_millis(500);
/// Connections for reading.
const READERS: usize = 8;

/// The database, and what works on it.
pub(in crate::storage) struct Database {
    server: Arc<Server>,
    tasks: TaskTracker,
}

impl Database {
    /// Waits for the server for at most `patience`, and checks it. Gives a connection that writes.
    pub async fn open(
        server: Arc<Server>,
        clock: Clock,
        patience: Duration,
    ) -> Result<(Self, Connection), OpenError> {
        let mut connection = wait_for(&server, patience).await?;
        let this = Self { server, tasks: TaskTracker::new() };
        this.check_clock(&mut connection, clock).await?;
        Ok((this, connection))
    }

    /// How the operator knows it.
    pub fn name(&self) -> String {
        self.server.name().to_owned()
    }

    /// Another connection that writes. It is opened when it is first needed.
    pub fn second_writer(&self) -> Connection {
        Connection::to_write(self.server.clone())
    }

    /// Counts those that are opened.
    pub fn connections(&self) -> Counter {
        self.server.opened()
    }

    pub fn readers(&self) -> Vec<Connection> {
        (0..READERS).map(|_| Connection::to_read(self.server.clone())).collect()
    }

    async fn check_clock(&self, connection: &mut Connection, clock: Clock) -> Result<(), OpenError> {
        let asked = clock.now();
        let told = connection.time().await.map_err(|failure| OpenError::Database(self.name(), failure))?;
        let apart = apart(asked, told, clock.now());
        if apart > APART {
            let seconds = apart.as_secs();
            let lacking = format!("its clock and the one here are {seconds} s apart; set both by NTP");
            return Err(OpenError::Unfit(self.name(), lacking));
        }
        Ok(())
    }

    /// The version of the server.
    pub async fn version(connection: &Connection) -> Result<String, Failure> {
        connection.setting("server_version").await
    }

    /// Starts a part of the journal. Cancels `broken` if it breaks down.
    pub fn start(&self, journal: impl Future<Output = ()> + Send + 'static, broken: CancellationToken) {
        self.tasks.spawn(async move {
            if AssertUnwindSafe(journal).catch_unwind().await.is_err() {
                tracing::error!("the journal broke down: nothing is written any more");
                broken.cancel();
            }
        });
    }

    /// Listens to what other nodes notify on a channel, and notifies them of what is whispered, until `stop`.
    pub fn listen(
        &self,
        name: String,
        whispers: Gathered,
        stop: CancellationToken,
        hear: impl Fn(Notice) + Send + Sync + 'static,
    ) {
        self.tasks.spawn(listen(self.server.clone(), Channel { name, whispers }, stop, hear));
    }

    /// Waits for what was started. The journal ends when it is told to.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Tries again and again. When a whole machine starts, the server may be ready later than Parlor.
async fn wait_for(server: &Arc<Server>, patience: Duration) -> Result<Connection, OpenError> {
    let (began, mut said) = (Instant::now(), Instant::now());
    loop {
        let failure = match Connection::open(server.clone()).await {
            Ok(connection) => return Ok(connection),
            Err(failure) => failure,
        };
        let is_final = !failure.may_pass() || began.elapsed() >= patience;
        if failure.is_unfit() {
            return Err(OpenError::Unfit(server.name().to_owned(), failure.to_string()));
        }
        if is_final {
            return Err(OpenError::Database(server.name().to_owned(), failure));
        }
        if said.elapsed() >= SAY_EVERY {
            said = Instant::now();
            tracing::warn!(database = server.name(), error = %failure, "waiting for the database");
        }
        tokio::time::sleep(RETRY).await;
    }
}
