//! Several nodes on one PostgreSQL. Each measurement has a PostgreSQL of its own, with default settings and synced commits, which
//! shares the machine with the nodes and their clients.

pub mod delivery;
pub mod fan_out;
pub mod following;
pub mod nodes;
pub mod opening;
mod pair;
mod postgres;
pub mod posts;
mod program;
mod straight;

use tempfile::TempDir;

use self::postgres::Database;
use super::server::Server;

pub use self::postgres::is_installed;

/// The same data folder for all nodes: with a database elsewhere it has only their keys.
pub fn start_node(folder: &TempDir, database: &Database) -> Server {
    Server::start_with(folder.path(), &[("PARLOR_STORAGE__URL", &database.url)])
}
