//! PostgreSQL, for more than one machine: connections, and what durability rests on there. Knows no noun.

mod connection;
mod database;
mod fitness;
mod listener;
mod server;
mod url;

pub(super) use connection::Connection;
pub(super) use database::Database;
pub(super) use fitness::Found;
pub(super) use listener::Notice;
pub use server::Server;
pub use url::UrlError;
