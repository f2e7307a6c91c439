//! The seam between the nouns and the engines: a connection that runs statements, whichever engine is below it. A noun is
//! written once against it. Knows nothing of what is stored.
//!
//! On SQLite a statement runs on the thread that asks, and its future is ready at once. So a connection is used only on a thread
//! that may wait for the disk.

mod connection;
mod row;
mod statement;
mod value;

pub(super) use connection::Connection;
pub(super) use row::Row;
pub use statement::Statement;
pub(super) use statement::{Query, question_marks, statements, text_of};
pub(super) use value::Value;
