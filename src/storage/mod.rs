//! The store: everything that Parlor keeps, in one SQLite file. All SQL of the project is in this folder, one file for each noun.
//! Nothing here knows HTTP, streams, tokens, or who asks.

mod access;
pub mod accounts;
mod batch;
mod checkpoint;
mod committed;
pub mod error;
pub mod events;
mod folder;
mod journal;
mod members;
mod messages;
mod meters;
mod networks;
mod open;
mod paging;
mod posting;
mod posts;
mod probe;
mod purge;
mod rooms;
mod rows;
pub mod sessions;
mod settings;
pub mod statements;
mod tail;
mod writing;

use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::cursor::Cursors;

pub use committed::{Committed, Removed};
pub use error::{Error, OpenError};
pub use events::{Membership, Page, Snapshot};
pub use journal::OnCommit;
pub use members::{MembersPage, NewMember};
pub use meters::Meters;
pub use open::Purpose;
pub use posts::{Admission, NewMessage};
pub use rooms::{DirectoryPage, NewRoom, RoomChanges};

/// Every statement that the store runs, file by file.
pub const STATEMENTS: &[&[statements::Statement]] = &[
    access::STATEMENTS,
    accounts::STATEMENTS,
    events::STATEMENTS,
    members::STATEMENTS,
    messages::STATEMENTS,
    networks::STATEMENTS,
    open::STATEMENTS,
    posting::STATEMENTS,
    posts::STATEMENTS,
    probe::STATEMENTS,
    purge::STATEMENTS,
    rooms::STATEMENTS,
    sessions::STATEMENTS,
    tail::STATEMENTS,
    writing::STATEMENTS,
];

/// A thing, and whether this call has made it or it was there before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made<T> {
    pub value: T,
    pub new: bool,
}

/// The open database: many readers, one journal.
pub struct Store {
    /// How the file is opened for writing.
    options: SqliteConnectOptions,
    readers: SqlitePool,
    journal: journal::Journal,
    meters: Arc<Meters>,
    cursors: Cursors,
    /// Cancelled when a commit failed with an unknown outcome, or when the journal panicked. The process must end then.
    fatal: CancellationToken,
    /// Asks the journal to write what is queued and then to end.
    closing: CancellationToken,
    tasks: TaskTracker,
    /// Held while the store is open, so that a second process is refused.
    _folder: folder::Folder,
}

impl Store {
    pub fn cursors(&self) -> &Cursors {
        &self.cursors
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
        self.tasks.wait().await;
        self.readers.close().await;
        if self.has_failed() {
            // The recovery of the next start decides about what the failed commit has left behind.
            return;
        }
        if let Err(error) = checkpoint::last(self.options.clone()).await {
            tracing::warn!(
                %error,
                "the write-ahead log could not be folded back: keep parlor.db-wal together with parlor.db until the next start"
            );
        }
    }
}
