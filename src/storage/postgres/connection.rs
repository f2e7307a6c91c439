//! A connection to the server. Statements are prepared once; what begins a transaction or a savepoint goes out together with
//! the next statement, without a wait for its answer.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, TryStreamExt, future};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, RowStream};

use super::fitness::{self, Found};
use super::server::{Server, Warning};
use crate::domain::clock::Timestamp;
use crate::storage::error::{BatchFailure, Failure};
use crate::storage::sql::{Query, Row};

/// The number of the advisory lock: any that no other program uses in this database.
const ONE_NODE: i64 = 7_088_201;

/// How long the server may take to answer. It is longer than a wait for the row of the log.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that is opened when it is needed, and again after it was lost.
pub(in crate::storage) struct Connection {
    server: Arc<Server>,
    open: Option<Open>,
    /// Whether it writes. The server is then checked whenever it is opened: it may be another one after a failover.
    writes: bool,
    /// Whether it may be opened again. Not in the middle of a transaction, whose first part would be lost.
    may_open: bool,
    /// Plain statements that go out with the next one.
    ahead: String,
}

/// A client and the statements that are prepared on its connection, by their names.
struct Open {
    client: Client,
    warning: Warning,
    prepared: HashMap<&'static str, tokio_postgres::Statement>,
}

impl Connection {
    /// For reading. Connects when it is first used.
    pub fn to_read(server: Arc<Server>) -> Self {
        Self { server, open: None, writes: false, may_open: true, ahead: String::new() }
    }

    /// For writing. Connects when it is first used, and fails if the server must not be written to.
    pub fn to_write(server: Arc<Server>) -> Self {
        Self { writes: true, ..Self::to_read(server) }
    }

    /// The same. Connects at once, so that a server that cannot be used is noticed.
    pub async fn open(server: Arc<Server>) -> Result<Self, Failure> {
        let mut this = Self::to_write(server);
        this.in_time(async |this| this.client().await.map(drop)).await?;
        Ok(this)
    }

    pub fn give_up(&mut self) {
        self.open = None;
    }

    pub fn is_open(&self) -> bool {
        self.open.as_ref().is_some_and(|open| !open.client.is_closed())
    }

    /// The library's own client, for what copies whole tables.
    pub fn opened(&self) -> Result<&Client, Failure> {
        Ok(&self.open.as_ref().ok_or_else(|| Failure::lost("there is no connection"))?.client)
    }

    /// The value of a setting of the server.
    pub async fn setting(&self, name: &'static str) -> Result<String, Failure> {
        let open = self.open.as_ref().ok_or_else(|| Failure::lost("there is no connection"))?;
        let row = open.client.query_one("SELECT current_setting($1)", &[&name]).await?;
        Ok(row.try_get(0)?)
    }

    /// Begins a transaction that may write.
    pub fn begin(&mut self) {
        self.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE");
    }

    /// Begins a transaction that only reads, and whose statements all see one state.
    pub fn begin_snapshot(&mut self) {
        self.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    }

    /// What follows are statements each for itself.
    pub fn outside_transaction(&mut self) {
        self.begin_with("");
    }

    /// From here on a lost connection is an error.
    pub fn stay(&mut self) {
        self.may_open = false;
    }

    fn begin_with(&mut self, statement: &str) {
        self.may_open = true;
        self.ahead = statement.into();
    }

    pub fn savepoint(&mut self) {
        self.later("SAVEPOINT request");
    }

    pub fn release(&mut self) {
        self.later("RELEASE request");
    }

    pub fn undo(&mut self) {
        self.later("ROLLBACK TO request");
    }

    /// Ends the transaction. A connection on which that fails is given up.
    pub async fn roll_back(&mut self) -> Result<(), Failure> {
        self.ahead.clear();
        let Some(open) = &self.open else { return Ok(()) };
        let rolled_back = tokio::time::timeout(PATIENCE, open.client.batch_execute("ROLLBACK")).await;
        if !matches!(rolled_back, Ok(Ok(()))) {
            self.open = None;
        }
        Ok(())
    }

    /// Several statements, as a migration has them.
    pub async fn run_all(&mut self, statements: &str) -> Result<(), Failure> {
        self.later(statements);
        self.flush().await
    }

    /// Whatever takes longer than the server may take is given up, and the connection with it.
    async fn in_time<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let done = tokio::time::timeout(PATIENCE, work(self)).await;
        done.unwrap_or_else(|_| {
            self.open = None;
            Err(Failure::lost("the database does not answer in time"))
        })
    }

    pub async fn run(&mut self, query: &Query<'_>) -> Result<u64, Failure> {
        self.in_time(async |this| this.run_now(query).await).await
    }

    async fn run_now(&mut self, query: &Query<'_>) -> Result<u64, Failure> {
        let (ahead, Open { client, .. }, statement) = self.prepare(query).await?;
        let values = query.values.iter().map(|value| value as &(dyn ToSql + Sync));
        let run = client.execute_raw(&statement, values);
        Ok(after(client, &ahead, run).await?)
    }

    pub async fn each(
        &mut self,
        query: &Query<'_>,
        take: &mut (dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>, Failure> + Send),
    ) -> Result<(), Failure> {
        self.in_time(async |this| this.each_now(query, take).await).await
    }

    async fn each_now(
        &mut self,
        query: &Query<'_>,
        take: &mut (dyn FnMut(&Row<'_>) -> Result<ControlFlow<()>, Failure> + Send),
    ) -> Result<(), Failure> {
        let (ahead, Open { client, .. }, statement) = self.prepare(query).await?;
        let values = query.values.iter().map(|value| value as &(dyn ToSql + Sync));
        let rows: RowStream = after(client, &ahead, client.query_raw(&statement, values)).await?;
        let mut rows = pin!(rows);
        while let Some(row) = rows.try_next().await? {
            if take(&Row::Postgres(&row))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Runs statements, without waiting for one before the next goes out.
    pub async fn run_each(&mut self, queries: &[Query<'_>]) -> Result<(), Failure> {
        self.prepare_all(queries).await?;
        self.in_time(async |this| this.send(queries, false).await).await
    }

    /// Runs statements and commits, without waiting for one before the next goes out. If one of them fails, the server rolls back.
    pub async fn commit_after(&mut self, queries: &[Query<'_>]) -> Result<(), BatchFailure> {
        self.prepare_all(queries).await.map_err(BatchFailure::Undone)?;
        self.in_time(async |this| this.send(queries, true).await).await.map_err(|failure| {
            // What the server says is true. Without its answer nobody knows.
            if failure.is_lost() { BatchFailure::Unknown(failure) } else { BatchFailure::Undone(failure) }
        })
    }

    async fn send(&mut self, queries: &[Query<'_>], commits: bool) -> Result<(), Failure> {
        let ahead = std::mem::take(&mut self.ahead);
        let open = self.client().await?;
        let (client, open) = (&open.client, &*open);
        let plain = |text| async move { Ok(client.batch_execute(text).await?) }.boxed();
        let runs = queries.iter().map(|query| run(open, query).boxed());
        let before = (!ahead.is_empty()).then(|| plain(&ahead));
        let last = commits.then(|| plain("COMMIT"));
        let all = before.into_iter().chain(runs).chain(last);
        open.warning.take();
        future::try_join_all(all).await?;
        // Somebody has broken off the wait for the standby: what is committed here may be lost when that takes over.
        let warning = open.warning.take().filter(|_| commits);
        warning.map_or(Ok(()), |text| Err(Failure::lost(&format!("it has committed with a warning: {text}"))))
    }

    /// Costs nothing for statements that were prepared before.
    async fn prepare_all(&mut self, queries: &[Query<'_>]) -> Result<(), Failure> {
        self.in_time(async |this| {
            for query in queries {
                this.prepared(query).await?;
            }
            Ok(())
        })
        .await
    }

    /// The row of a statement that always has one, and then the first row of each of several others, without waiting for one before
    /// the next goes out.
    pub async fn one_and_first_of_each<O, T>(
        &mut self,
        one: &Query<'_>,
        queries: &[Query<'_>],
        read_one: &mut (impl FnMut(&Row<'_>) -> Result<O, Failure> + Send),
        read: &mut (impl FnMut(&Row<'_>) -> Result<T, Failure> + Send),
    ) -> Result<(O, Vec<Option<T>>), Failure> {
        // Prepared first, so that it does not separate the two.
        self.prepare_all(queries).await?;
        self.in_time(async |this| {
            let (ahead, open, statement) = this.prepare(one).await?;
            let client = &open.client;
            let values: Vec<_> = one.values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
            let one = after(client, &ahead, client.query_one(&statement, &values));
            let others = queries.iter().map(|query| first(open, query));
            let (one, others) = future::join(one, future::try_join_all(others)).await;
            // What is wrong with the first is why the others fail.
            let one = read_one(&Row::Postgres(&one?))?;
            Ok((one, read_each(&others?, read)?))
        })
        .await
    }

    /// The first row of each statement, without waiting for one before the next goes out.
    pub async fn first_of_each<T>(
        &mut self,
        queries: &[Query<'_>],
        read: &mut (impl FnMut(&Row<'_>) -> Result<T, Failure> + Send),
    ) -> Result<Vec<Option<T>>, Failure> {
        self.prepare_all(queries).await?;
        let Some(query) = queries.first() else { return Ok(Vec::new()) };
        self.in_time(async |this| {
            let (ahead, open, _) = this.prepare(query).await?;
            let reads = future::try_join_all(queries.iter().map(|query| first(open, query)));
            read_each(&after(&open.client, &ahead, reads).await?, read)
        })
        .await
    }

    /// The server's time.
    pub async fn time(&mut self) -> Result<Timestamp, Failure> {
        let micros = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT";
        let asked = async |this: &mut Self| {
            Ok(this.client().await?.client.query_one(micros, &[]).await?.try_get(0)?)
        };
        Ok(Timestamp::from_micros(self.in_time(asked).await?))
    }

    /// Waits for the lock of what only one node may do at a time. It is held until the transaction ends.
    pub async fn lock_out_others(&mut self) -> Result<(), Failure> {
        self.run_all(&format!("SELECT pg_advisory_xact_lock({ONE_NODE})")).await
    }

    /// What changes when the database is another one than before: the cluster and its timeline, the database in it, the start of the
    /// server, and the file of the table `log`, which a restore in place replaces.
    pub async fn identity(&mut self) -> Result<String, Failure> {
        let identity = "SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()), \
                        left(pg_walfile_name(pg_current_wal_lsn()), 8), \
                        (SELECT oid FROM pg_database WHERE datname = current_database()), \
                        extract(epoch FROM pg_postmaster_start_time()), pg_relation_filenode('log'))";
        let asked = async |this: &mut Self| {
            Ok(this.client().await?.client.query_one(identity, &[]).await?.try_get(0)?)
        };
        self.in_time(asked).await
    }

    /// Whether the database and the rights in it are ours.
    pub async fn survey(&mut self, tables: &[&str]) -> Result<Found, Failure> {
        self.in_time(async |this| fitness::survey(&this.client().await?.client, tables).await).await
    }

    fn later(&mut self, statement: &str) {
        if !self.ahead.is_empty() {
            self.ahead.push_str("; ");
        }
        self.ahead.push_str(statement);
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        let ahead = std::mem::take(&mut self.ahead);
        self.in_time(async |this| Ok(this.client().await?.client.batch_execute(&ahead).await?)).await
    }

    async fn prepare(
        &mut self,
        query: &Query<'_>,
    ) -> Result<(String, &Open, tokio_postgres::Statement), Failure> {
        let statement = self.prepared(query).await?;
        let ahead = std::mem::take(&mut self.ahead);
        Ok((ahead, self.client().await?, statement))
    }

    async fn prepared(&mut self, query: &Query<'_>) -> Result<tokio_postgres::Statement, Failure> {
        let name = query.statement.name;
        if let Some(statement) = self.client().await?.prepared.get(name) {
            return Ok(statement.clone());
        }
        // What is to go out first comes first, or a transaction that waits for its ROLLBACK TO refuses to prepare anything.
        let ahead = std::mem::take(&mut self.ahead);
        let open = self.client().await?;
        if !ahead.is_empty() {
            open.client.batch_execute(&ahead).await?;
        }
        let statement = open.client.prepare(query.statement.sql).await?;
        open.prepared.insert(name, statement.clone());
        Ok(statement)
    }

    async fn client(&mut self) -> Result<&mut Open, Failure> {
        if self.open.as_ref().is_some_and(|open| open.client.is_closed()) {
            self.open = None;
        }
        if self.open.is_none() {
            if !self.may_open {
                return Err(Failure::lost("the connection to the database was lost"));
            }
            let (client, warning) = self.server.connect().await?;
            if self.writes {
                fitness::check(&client).await?;
            }
            self.open = Some(Open { client, warning, prepared: HashMap::new() });
        }
        self.may_open = false;
        Ok(self.open.as_mut().expect("it was opened above"))
    }
}

/// Runs a statement that is prepared.
async fn run(open: &Open, query: &Query<'_>) -> Result<(), Failure> {
    let values = query.values.iter().map(|value| value as &(dyn ToSql + Sync));
    Ok(open.client.execute_raw(prepared(open, query)?, values).await.map(drop)?)
}

/// The first row of a statement that is prepared.
async fn first(open: &Open, query: &Query<'_>) -> Result<Option<tokio_postgres::Row>, Failure> {
    let values: Vec<_> = query.values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
    Ok(open.client.query_opt(prepared(open, query)?, &values).await?)
}

/// A connection that was opened since the statement was prepared does not know it.
fn prepared<'o>(open: &'o Open, query: &Query<'_>) -> Result<&'o tokio_postgres::Statement, Failure> {
    let statement = open.prepared.get(query.statement.name);
    statement.ok_or_else(|| Failure::lost("the connection to the database was lost"))
}

fn read_each<T>(
    rows: &[Option<tokio_postgres::Row>],
    read: &mut impl FnMut(&Row<'_>) -> Result<T, Failure>,
) -> Result<Vec<Option<T>>, Failure> {
    rows.iter().map(|row| row.as_ref().map(|row| read(&Row::Postgres(row))).transpose()).collect()
}

/// Sends plain statements and then a prepared one, without waiting between them. The first failure counts.
async fn after<T, E: From<tokio_postgres::Error>>(
    client: &Client,
    ahead: &str,
    run: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    if ahead.is_empty() {
        return run.await;
    }
    let (before, run) = future::join(client.batch_execute(ahead), run).await;
    before?;
    run
}
