//! Several nodes on one PostgreSQL. Each measurement has a PostgreSQL of its own, with default settings and synced commits, which
//! shares the machine with the nodes and their clients.

mod bus;
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

use self::bus::Bus;
use self::postgres::Database;
use super::server::Server;

pub use self::bus::is_installed as has_nats;
pub use self::postgres::is_installed as has_postgres;

/// The same data folder for all nodes: with a database elsewhere it has only their keys.
pub fn start_node(folder: &TempDir, database: &Database, bus: &Bus) -> Server {
    let env = [("PARLOR_STORAGE__URL", &*database.url), ("PARLOR_CLUSTER__BUS", &bus.url())];
    Server::start_with(folder.path(), &env)
}
