//! The store: everything Parlor keeps, in one SQLite file. All SQL of the project stands below this folder, one file a
//! noun; nothing here knows HTTP, streams, tokens, or who asks.

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
mod posting;
mod posts;
mod probe;
mod rooms;
pub mod sessions;
mod settings;
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
pub use rooms::{NewRoom, RoomChanges};

/// Whether a thing was made by this call or was there before.
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
    /// Cancelled when a commit failed with unknown outcome, or the journal broke down; the process has to end.
    fatal: CancellationToken,
    /// Asks the journal to write what it has and end.
    closing: CancellationToken,
    tasks: TaskTracker,
    /// Held for as long as the store is open: a second process is refused.
    _folder: folder::Folder,
}

impl Store {
    pub fn cursors(&self) -> &Cursors {
        &self.cursors
    }

    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// Resolves when a commit has failed and nobody knows whether it is on disk, or nothing can be written any more.
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
            // What the failed commit has left behind is for the recovery of the next start.
            return;
        }
        if let Err(error) = checkpoint::last(self.options.clone()).await {
            tracing::warn!(
                %error,
                "the write-ahead log stays beside the database: the next start needs it, and so does a copy"
            );
        }
    }
}
