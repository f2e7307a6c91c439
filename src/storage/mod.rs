//! The store: everything that Parlor keeps, in one SQLite file or in a PostgreSQL database. All SQL of the project is in this
//! folder, one file for each noun. Nothing here knows HTTP, streams, tokens, or who asks.

mod access;
pub mod accounts;
mod check;
mod clocks;
mod copy;
mod database;
mod edits;
mod epochs;
pub mod error;
pub mod events;
mod following;
mod journal;
mod keys;
mod members;
mod mentions;
mod messages;
mod meters;
mod migrations;
mod networks;
mod notify;
mod open;
mod paging;
mod people;
mod personal_events;
mod pins;
mod postgres;
mod posting;
mod posts;
mod probe;
mod purge;
mod reactions;
mod read_marks;
mod readers;
mod rooms;
mod rows;
pub mod sessions;
mod sql;
mod sqlite;
mod stream_snapshots;
mod tables;

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use tokio_util::sync::CancellationToken;

use crate::bus::Cluster;
use crate::domain::cursor::Cursors;

pub use copy::{Copied, CopyError, copy};
pub use database::Location;
pub use edits::Touch;
pub use error::{Error, OpenError};
pub use events::Page;
pub use journal::{Committed, OnCommit};
pub use keys::{Keep, NodeKeys};
pub use members::{MembersPage, NewMember};
pub use meters::Meters;
pub use notify::Notify;
pub use open::Purpose;
pub use pins::Pins;
pub use postgres::{Server, UrlError};
pub use posts::{Admission, NewMessage};
pub use reactions::{Reacting, ReactingFrom};
pub use read_marks::MoveTo;
pub use rooms::{DirectoryPage, NewRoom, RoomChanges};
pub use sql::Statement;
pub use stream_snapshots::{Membership, Snapshot};

/// Every statement that the store runs, file by file.
pub const STATEMENTS: &[&[Statement]] = &[
    access::STATEMENTS,
    accounts::STATEMENTS,
    events::STATEMENTS,
    following::STATEMENTS,
    journal::transaction::STATEMENTS,
    keys::STATEMENTS,
    members::STATEMENTS,
    mentions::STATEMENTS,
    messages::STATEMENTS,
    migrations::STATEMENTS,
    networks::STATEMENTS,
    copy::STATEMENTS,
    edits::STATEMENTS,
    epochs::STATEMENTS,
    people::STATEMENTS,
    personal_events::STATEMENTS,
    pins::STATEMENTS,
    posting::STATEMENTS,
    posts::STATEMENTS,
    probe::STATEMENTS,
    purge::STATEMENTS,
    read_marks::STATEMENTS,
    reactions::STATEMENTS,
    rooms::STATEMENTS,
    sessions::STATEMENTS,
    stream_snapshots::STATEMENTS,
];

/// A thing, and whether this call has made it or it was there before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made<T> {
    pub value: T,
    pub new: bool,
}

/// The open database: many readers, one journal.
pub struct Store {
    database: database::Database,
    readers: readers::Readers,
    journal: journal::Journal,
    meters: Arc<Meters>,
    cursors: Cursors,
    clocks: clocks::Clocks,
    /// The newest position that this node has seen in the log, which other nodes write, too.
    seen: Arc<AtomicI64>,
    /// The nodes of the database, where there can be several.
    cluster: Option<Cluster>,
    /// Cancelled when a commit failed with an unknown outcome, or when the journal panicked. The process must end then.
    fatal: CancellationToken,
    /// Asks the journal to write what is queued and then to end.
    closing: CancellationToken,
}

impl Store {
    pub fn cursors(&self) -> &Cursors {
        &self.cursors
    }

    /// Whether other nodes write to the same database.
    pub fn is_shared(&self) -> bool {
        self.database.is_shared()
    }

    /// Whether writes wait in the queue, because others are being written.
    pub fn is_busy(&self) -> bool {
        self.journal.is_busy()
    }

    /// The nodes of the database. None where no other node can write to it.
    pub fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Resolves when nobody knows whether a commit is on the disk, or when nothing can be written any more.
    pub async fn failed(&self) {
        self.fatal.cancelled().await;
    }

    pub fn has_failed(&self) -> bool {
        self.fatal.is_cancelled()
    }

    /// Writes what is queued, folds the write-ahead log back, and closes the database, which is then one file. Writes that
    /// come later are refused.
    pub async fn close(&self) {
        self.closing.cancel();
        self.database.ended().await;
        self.readers.close().await;
        // The recovery of the next start decides about what a failed commit has left behind.
        if !self.has_failed() {
            self.database.tidy().await;
        }
    }
}
