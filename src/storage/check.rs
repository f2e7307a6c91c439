//! Trying whether a database can be served: all that a start does before it serves, in a transaction that is rolled back.

use std::time::Duration;

use super::database::Location;
use super::error::{Failure, OpenError};
use super::keys::{self, NodeKeys};
use super::sql::Connection;
use super::{migrations, postgres};
use crate::domain::clock::Clock;

impl Location {
    /// Tries whether a node with these keys can serve the database of several nodes, and says which one it is. Changes nothing.
    /// None where the database is a file.
    pub async fn check(&self, keys: NodeKeys, clock: Clock) -> Result<Option<String>, OpenError> {
        let Self::Server(server) = self else { return Ok(None) };
        let (database, connection) = postgres::Database::open(server.clone(), clock, Duration::ZERO).await?;
        let name = database.name();
        let broken = |failure| OpenError::Database(name.clone(), failure);
        let version = postgres::Database::version(&connection).await.map_err(broken)?;
        let mut sql = Connection::Postgres(Box::new(connection));
        sql.begin().map_err(broken)?;
        let tried = try_start(&mut sql, keys.not_kept(), &name).await;
        sql.roll_back().await.map_err(broken)?;
        tried.map_err(broken)??;
        Ok(Some(format!("{name}, PostgreSQL {version}")))
    }
}

/// The inner error is a refusal.
async fn try_start(
    sql: &mut Connection,
    keys: NodeKeys,
    name: &str,
) -> Result<Result<(), OpenError>, Failure> {
    match migrations::apply(sql, name).await? {
        Ok(()) => keys::learn(sql, keys, name).await,
        Err(refused) => Ok(Err(refused)),
    }
}
