//! Rows on their way out of the engine.

use std::fmt::Display;

use crate::storage::error::Failure;

/// A row of an answer, valid until the next one is read.
pub(in crate::storage) enum Row<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r tokio_postgres::Row),
}

impl Row<'_> {
    /// The value of a column, by its name or by its number from 0 on.
    pub fn get<T, C>(&self, column: C) -> Result<T, Failure>
    where
        T: rusqlite::types::FromSql + for<'a> tokio_postgres::types::FromSql<'a>,
        C: rusqlite::RowIndex + tokio_postgres::row::RowIndex + Display,
    {
        match self {
            Self::Sqlite(row) => Ok(row.get(column)?),
            Self::Postgres(row) => Ok(row.try_get(column)?),
        }
    }
}
