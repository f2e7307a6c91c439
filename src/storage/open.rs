//! Opening the store: brings the database up to date, begins a new epoch where one has to begin, and starts the journal.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use tokio_util::sync::CancellationToken;

use super::Store;
use super::clocks::Clocks;
use super::database::{Database, Location};
use super::epochs::Begun;
use super::error::OpenError;
use super::journal::{self, Committer, Journal, Lane, OnCommit, Shared, Transaction};
use super::keys::{self, NodeKeys};
use super::meters::Meters;
use super::{epochs, migrations};
use crate::bus::Cluster;
use crate::domain::cursor::Cursors;
use crate::domain::ids::{Ids, Position};

/// What the database is opened for.
#[derive(Debug)]
pub enum Purpose {
    /// Serving streams, by a node with these keys. A new epoch begins unless the database is known to be the same as before.
    Serve(NodeKeys),
    /// One command of the command line, which changes accounts and ends.
    Command,
}

impl Store {
    /// Opens the database at a location. `on_commit` is called after each commit, before the requests of that commit are answered.
    pub async fn open(
        location: &Location,
        purpose: Purpose,
        ids: Ids,
        on_commit: OnCommit,
    ) -> Result<Self, OpenError> {
        let (mut database, mut writer) = Database::open(location, ids.clock()).await?;
        let name = database.name();
        migrations::run(&mut writer, &name).await?;
        let serves = match purpose {
            Purpose::Serve(keys) => {
                keys::check(&mut writer, keys, &name).await?;
                true
            }
            Purpose::Command => false,
        };
        let begun = epochs::begin(&mut writer, serves, Position(0), ids).await;
        let Begun { key, epochs, head } = begun.map_err(|failure| OpenError::Database(name, failure))?;
        let cursors = Cursors::new(&key, epochs, u32::from_be_bytes(ids.random_bytes()));
        let node = u64::from_be_bytes(ids.random_bytes());
        let cluster = database.is_shared().then(|| Cluster::new(&key, node, cursors.clone()));
        let readers = database.readers()?;

        let (fatal, closing) = (CancellationToken::new(), CancellationToken::new());
        let meters = Arc::new(Meters::new(database.log_file(), database.connections()));
        let (queue, requests) = journal::queue();
        let on_commit = Arc::new(on_commit);
        let committer = |requests, transaction, after_batch| Committer {
            requests,
            transaction,
            after_batch,
            on_commit: on_commit.clone(),
            fatal: fatal.clone(),
            closing: closing.clone(),
            meters: meters.clone(),
        };
        let seen = Arc::new(AtomicI64::new(head.0));
        let shared = cluster.clone().map(|cluster| Shared {
            cluster,
            cursors: cursors.clone(),
            seen: seen.clone(),
            meters: meters.clone(),
            ids,
        });
        let log = Transaction::new(writer, Lane::Log, shared);
        let mut committers = vec![committer(requests, log, database.after_batch())];
        let plain = database.second_writer().map(|writer| {
            let (queue, requests) = journal::queue();
            let plain = Transaction::new(writer, Lane::Plain, None);
            committers.push(committer(requests, plain, database.after_batch()));
            queue
        });
        let journal = Journal::new(queue, plain, meters.clone());
        database.start(committers, &fatal)?;
        Ok(Self {
            database,
            readers,
            journal,
            meters,
            cursors,
            clocks: Clocks::new(ids.clock()),
            seen,
            cluster,
            fatal,
            closing,
        })
    }
}
