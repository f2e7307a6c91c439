//! The database on a server: waits until it is there, checks what durability rests on, and starts what works on it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::Connection;
use super::listener::{Notice, listen};
use super::server::Server;
use crate::domain::clock::Clock;
use crate::storage::error::{Failure, OpenError};

/// How often a start that waits for the server says so.
const SAY_EVERY: Duration = Duration::from_secs(5);
/// The pause between two tries.
const RETRY: Duration = Duration::from_millis(500);
/// The oldest version that is supported, as `server_version_num` counts.
const OLDEST: i64 = 140_000;
/// How far the clock of the server may be from that of this machine. Tokens and times of messages are compared over all nodes.
const CLOCKS_APART: Duration = Duration::from_secs(5);
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
        this.check(&mut connection, clock).await?;
        Ok((this, connection))
    }

    /// How the operator knows it.
    pub fn name(&self) -> String {
        self.server.name().to_owned()
    }

    /// Another connection. It is opened when it is first needed.
    pub fn connection(&self) -> Connection {
        Connection::new(self.server.clone())
    }

    pub fn readers(&self) -> Vec<Connection> {
        (0..READERS).map(|_| self.connection()).collect()
    }

    async fn check(&self, connection: &mut Connection, clock: Clock) -> Result<(), OpenError> {
        let unsafe_here = |lacking: &str| OpenError::Unfit(self.name(), lacking.to_owned());
        let asked: &Connection = connection;
        let setting = async |name: &'static str| {
            asked.setting(name).await.map_err(|failure| OpenError::Database(self.name(), failure))
        };
        if setting("server_version_num").await?.parse().is_ok_and(|version: i64| version < OLDEST) {
            let version = setting("server_version").await?;
            return Err(unsafe_here(&format!("it is PostgreSQL {version}; Parlor needs 14 or newer")));
        }
        let commit = setting("synchronous_commit").await?;
        if matches!(&*commit, "off" | "local") {
            let lacking = format!("synchronous_commit is {commit}, so commits may be lost; set it to on");
            return Err(unsafe_here(&lacking));
        }
        if setting("fsync").await? != "on" {
            return Err(unsafe_here("fsync is off, so a crash may lose everything; set it to on"));
        }
        if setting("server_encoding").await? != "UTF8" {
            return Err(unsafe_here("its encoding is not UTF8; create the database with encoding UTF8"));
        }
        if setting("transaction_read_only").await? != "off" {
            return Err(unsafe_here("it can only be read; name the primary server"));
        }
        let time = connection.time().await.map_err(|failure| OpenError::Database(self.name(), failure))?;
        let apart = Duration::from_micros(time.micros().abs_diff(clock.now().micros()));
        if apart > CLOCKS_APART {
            let lacking =
                format!("its clock and the one here are {} s apart; set both by NTP", apart.as_secs());
            return Err(unsafe_here(&lacking));
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

    /// Listens to what other nodes notify, until `stop`.
    pub fn listen(
        &self,
        channel: &str,
        stop: CancellationToken,
        hear: impl Fn(Notice) + Send + Sync + 'static,
    ) {
        self.tasks.spawn(listen(self.server.clone(), channel.to_owned(), stop, hear));
    }

    /// Waits for what was started. The journal ends when it is told to.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Tries again and again: whoever starts everything at once starts the server a little later.
async fn wait_for(server: &Arc<Server>, patience: Duration) -> Result<Connection, OpenError> {
    let (began, mut said) = (Instant::now(), Instant::now());
    loop {
        let failure = match Connection::open(server.clone()).await {
            Ok(connection) => return Ok(connection),
            Err(failure) => failure,
        };
        let is_final = !failure.may_pass() || began.elapsed() >= patience;
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
