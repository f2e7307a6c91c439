//! The list of the SQL that the store runs. Each file of a noun writes its statements in one `statements!` block, from
//! which a test reads them to ask the engine for the plan of each: SQL outside such a block fails that test.
//!
//! One text serves both engines. Parameters are written `$1`, as PostgreSQL reads them. For SQLite that would be a name, whose
//! number depends on where it comes first, so SQLite is given `?1`.

use super::value::Value;

/// One SQL statement.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    /// The path of its constant, such as `parlor::storage::rooms::DIRECTORY`.
    pub name: &'static str,
    /// With parameters as PostgreSQL writes them.
    pub sql: &'static str,
    /// The same with parameters as SQLite writes them.
    pub for_sqlite: &'static str,
}

/// A statement on its way to the engine, with the values that are bound to its parameters.
#[derive(Debug)]
pub(in crate::storage) struct Query<'q> {
    pub statement: Statement,
    pub values: Vec<Value<'q>>,
}

impl Statement {
    pub(in crate::storage) fn query<'q>(self) -> Query<'q> {
        Query { statement: self, values: Vec::new() }
    }

    /// Binds the value of `$1`.
    pub(in crate::storage) fn bind<'q>(self, value: impl Into<Value<'q>>) -> Query<'q> {
        Query { statement: self, values: Vec::with_capacity(10) }.bind(value)
    }
}

impl<'q> Query<'q> {
    /// Binds the value of the next parameter.
    pub fn bind(mut self, value: impl Into<Value<'q>>) -> Self {
        self.values.push(value.into());
        self
    }
}

/// The bytes of a statement with each `$` before a digit replaced by `?`. Nothing else of SQL has a `$`.
pub(in crate::storage) const fn question_marks<const N: usize>(sql: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let mut at = 0;
    while at < N {
        let byte = sql.as_bytes()[at];
        bytes[at] = if byte == b'$' { b'?' } else { byte };
        at += 1;
    }
    bytes
}

/// The text of bytes that are UTF-8.
pub(in crate::storage) const fn text_of(bytes: &'static [u8]) -> &'static str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("one ASCII character was replaced by another"),
    }
}

/// Declares the statements of a file, and `STATEMENTS`, the list of them. A statement that SQLite needs in other words has those
/// behind it.
macro_rules! statements {
    ($($(#[$doc:meta])* $visibility:vis $name:ident = $sql:expr $(, sqlite $own:expr)?;)+) => {
        $(
            $(#[$doc])*
            $visibility const $name: $crate::storage::sql::Statement = {
                const SQL: &str = $sql;
                const OWN: &[&str] = &[SQL, $($own)?];
                const LAST: &str = OWN[OWN.len() - 1];
                const FOR_SQLITE: [u8; LAST.len()] = $crate::storage::sql::question_marks(LAST);
                $crate::storage::sql::Statement {
                    name: concat!(module_path!(), "::", stringify!($name)),
                    sql: SQL,
                    for_sqlite: $crate::storage::sql::text_of(&FOR_SQLITE),
                }
            };
        )+
        /// Every statement of this file.
        pub(in crate::storage) const STATEMENTS: &[$crate::storage::sql::Statement] = &[$($name),+];
    };
}
pub(in crate::storage) use statements;
