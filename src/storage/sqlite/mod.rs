//! SQLite, the embedded engine: one file in the data folder, and what durability rests on there. Knows no noun.

mod checkpoint;
mod connection;
mod folder;
mod open;
mod settings;

pub(super) use connection::Connection;
pub(super) use open::Database;
