//! Moving everything from the embedded database into an empty PostgreSQL database: rows as they are, with their ids, positions,
//! epochs and the key of the cursors. So clients' cursors stay good.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::ValueRef;
use thiserror::Error;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::error::{Failure, OpenError};
use super::postgres::{self, Server};
use super::sql::{Connection, Value, statements};
use super::{migrations, sqlite, tables};
use crate::domain::clock::Clock;

/// How long the server may keep the copy waiting at its start.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many rows lie between two words of progress.
const PROGRESS: u64 = 100_000;

statements! {
    IS_USED = "SELECT 1 FROM log LIMIT 1";
}

/// What was copied: tables and their rows.
pub type Copied = Vec<(&'static str, u64)>;

/// Why nothing was copied.
#[derive(Debug, Error)]
pub enum CopyError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the database {0} is not empty; create a new one and name that")]
    NotEmpty(String),
    #[error("{0} has {2} rows after copying, and {1} in the folder; nothing was kept")]
    Differs(&'static str, u64, u64),
    #[error(transparent)]
    Engine(#[from] Failure),
}

/// Copies the database of a folder that no server uses. All or nothing: a copy that fails leaves the target empty. `progress` is
/// told a table and the rows of it that are there.
pub async fn copy(
    from: &Path,
    to: Server,
    clock: Clock,
    progress: impl Fn(&str, u64),
) -> Result<Copied, CopyError> {
    let (folder, source) = sqlite::Database::open(from)?;
    let mut source = Connection::Sqlite(source);
    migrations::run(&mut source, &folder.name()).await?;
    let (database, target) = postgres::Database::open(Arc::new(to), clock, PATIENCE).await?;
    let name = database.name();
    let mut target = Connection::Postgres(Box::new(target));
    migrations::run(&mut target, &name).await?;
    target.outside_transaction();
    if IS_USED.query().any(&mut target).await? {
        return Err(CopyError::NotEmpty(name));
    }
    let (Connection::Sqlite(source), Connection::Postgres(target)) = (source, target) else {
        unreachable!("they were opened so")
    };
    copy_all(&source, &target, progress).await
}

async fn copy_all(
    source: &sqlite::Connection,
    target: &postgres::Connection,
    progress: impl Fn(&str, u64),
) -> Result<Copied, CopyError> {
    let client = target.opened()?;
    client.batch_execute("BEGIN").await.map_err(Failure::from)?;
    let mut copied = Copied::new();
    for table in tables::KEPT {
        let rows = copy_table(source, client, table, &progress).await?;
        let there = client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await;
        let there: i64 = there.map_err(Failure::from)?.get(0);
        let there = u64::try_from(there).unwrap_or(0);
        if there != rows {
            return Err(CopyError::Differs(table, rows, there));
        }
        progress(table, rows);
        copied.push((table, rows));
    }
    client.batch_execute("COMMIT").await.map_err(Failure::from)?;
    Ok(copied)
}

async fn copy_table(
    source: &sqlite::Connection,
    client: &tokio_postgres::Client,
    table: &str,
    progress: &impl Fn(&str, u64),
) -> Result<u64, Failure> {
    // The columns of the target, by name: both have the same.
    let columns = client.prepare(&format!("SELECT * FROM {table}")).await?;
    let names: Vec<_> = columns.columns().iter().map(tokio_postgres::Column::name).collect();
    let types: Vec<Type> = columns.columns().iter().map(|column| column.type_().clone()).collect();
    let names = names.join(", ");
    let sink = client.copy_in(&format!("COPY {table} ({names}) FROM STDIN BINARY")).await?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    let mut statement = source.raw().prepare(&format!("SELECT {names} FROM {table}"))?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let values: Vec<Value<'_>> = types
            .iter()
            .enumerate()
            .map(|(at, kind)| value_of(row.get_ref(at)?, kind))
            .collect::<Result<_, Failure>>()?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        writer.as_mut().write(&values).await?;
        count += 1;
        if count % PROGRESS == 0 {
            progress(table, count);
        }
    }
    writer.finish().await?;
    Ok(count)
}

fn value_of<'r>(value: ValueRef<'r>, kind: &Type) -> Result<Value<'r>, Failure> {
    let odd = || Failure::fault(format!("a value of the folder's database is no {kind}"));
    Ok(match (value, kind) {
        (ValueRef::Null, _) => Value::Null,
        (ValueRef::Integer(number), &Type::BOOL) => Value::Bool(number != 0),
        (ValueRef::Integer(number), _) => Value::Int(number),
        (ValueRef::Blob(bytes), &Type::UUID) => Value::Uuid(Uuid::from_slice(bytes).map_err(|_| odd())?),
        (ValueRef::Blob(bytes), _) => Value::Bytes(bytes.into()),
        (ValueRef::Text(text), _) => Value::Text(std::str::from_utf8(text).map_err(|_| odd())?.into()),
        (ValueRef::Real(_), _) => return Err(odd()),
    })
}
