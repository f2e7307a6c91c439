//! The list of the SQL that the store runs. Each file of a noun writes its statements in one `statements!` block, from
//! which a test reads them to ask the engine for the plan of each: SQL outside such a block fails that test.

use sqlx::Sqlite;
use sqlx::sqlite::SqliteArguments;

/// One SQL statement, or several that are sent together.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// The path of its constant, such as `parlor::storage::rooms::DIRECTORY`.
    pub name: &'static str,
    pub sql: &'static str,
}

/// A statement on its way to the engine, with the values that were bound to it.
pub(super) type Query<'q> = sqlx::query::Query<'q, Sqlite, SqliteArguments>;

impl Statement {
    pub(super) fn query<'q>(self) -> Query<'q> {
        sqlx::query(self.sql)
    }
}

/// Declares the statements of a file, and `STATEMENTS`, the list of them.
macro_rules! statements {
    ($($(#[$doc:meta])* $visibility:vis $name:ident = $sql:expr;)+) => {
        $(
            $(#[$doc])*
            $visibility const $name: $crate::storage::statements::Statement = $crate::storage::statements::Statement {
                name: concat!(module_path!(), "::", stringify!($name)),
                sql: $sql,
            };
        )+
        /// Every statement of this file.
        pub(super) const STATEMENTS: &[$crate::storage::statements::Statement] = &[$($name),+];
    };
}
pub(super) use statements;
