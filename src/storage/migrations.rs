//! The schema, step by step: each step is a pair of files, one for each engine. A database says which steps it has.

use super::error::{Failure, OpenError};
use super::postgres::Found;
use super::sql::{Connection, statements};
use super::tables;

statements! {
    TABLE = "CREATE TABLE IF NOT EXISTS migrations (version BIGINT NOT NULL PRIMARY KEY, is_additive BOOLEAN NOT NULL)";
    NEWEST = "SELECT version, is_additive FROM migrations ORDER BY version DESC LIMIT 1";
    NOTE = "INSERT INTO migrations (version, is_additive) VALUES ($1, $2)";
}

/// One step. Its version is its place in the list, from 1 on.
struct Migration {
    /// Whether the version of Parlor before this step can still serve the database after it.
    is_additive: bool,
    for_sqlite: &'static str,
    for_postgres: &'static str,
}

const MIGRATIONS: &[Migration] = &[Migration {
    is_additive: false,
    for_sqlite: include_str!("migrations/sqlite/0001_start.sql"),
    for_postgres: include_str!("migrations/postgres/0001_start.sql"),
}];

/// Brings a database up to date, all or nothing. `named` is how the operator knows the database.
pub(super) async fn run(sql: &mut Connection, named: &str) -> Result<(), OpenError> {
    let applied = sql.in_transaction(async |sql| apply(sql, named).await).await;
    applied.unwrap_or_else(|failure| Err(OpenError::Migration(named.to_owned(), failure)))
}

/// The same in a transaction of the caller's. The inner error is a refusal, which leaves the database as it is.
pub(super) async fn apply(sql: &mut Connection, named: &str) -> Result<Result<(), OpenError>, Failure> {
    // Two nodes may start at once.
    sql.lock_out_others().await?;
    match sql.survey(&tables::KEPT).await? {
        Found::Good => {}
        Found::Foreign => return Ok(Err(OpenError::NotOurs(named.to_owned()))),
        Found::Lacks(rights) => return Ok(Err(OpenError::Unfit(named.to_owned(), rights))),
    }
    TABLE.query().run(sql).await?;
    let newest = NEWEST.query().first(sql, |row| Ok((row.get("version")?, row.get("is_additive")?))).await?;
    let (version, is_additive): (i64, bool) = newest.unwrap_or((0, true));
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if version > known {
        let can_serve = version == known + 1 && is_additive;
        return Ok(if can_serve { Ok(()) } else { Err(OpenError::NewerSchema(named.to_owned(), version)) });
    }
    for (version, migration) in (1..).zip(MIGRATIONS).skip(usize::try_from(version).unwrap_or(0)) {
        let statements = match sql {
            Connection::Sqlite(_) => migration.for_sqlite,
            Connection::Postgres(_) => migration.for_postgres,
        };
        sql.run_all(statements).await?;
        NOTE.bind(version).bind(migration.is_additive).run(sql).await?;
    }
    Ok(Ok(()))
}
