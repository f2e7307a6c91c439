//! The database of this process: takes the folder, checks what durability rests on, recovers, and starts what works on the file.

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::checkpoint::{self, Checkpoints};
use super::connection::Connection;
use super::folder::Folder;
use crate::storage::error::{Failure, OpenError};

/// Connections for reading. Each read that waits for the disk takes a thread; two cores are kept busy by fewer.
const READERS: usize = 4;

/// The open file, and what works on it.
pub(in crate::storage) struct Database {
    /// Held while the database is open, so that a second process is refused.
    folder: Folder,
    checkpoints: Arc<Checkpoints>,
    tasks: TaskTracker,
}

impl Database {
    /// Opens `folder/parlor.db`, and makes it if it is missing. Gives the connection that writes.
    pub fn open(path: &Path) -> Result<(Self, Connection), OpenError> {
        let folder = Folder::take(path)?;
        let (checkpoints, tasks) = (Arc::default(), TaskTracker::new());
        let this = Self { folder, checkpoints, tasks };
        let broken = |failure| OpenError::Database(this.name(), failure);
        let writer = Connection::open(&this.folder.database).map_err(broken)?;
        if let Some(lacking) = writer.lacks().map_err(broken)? {
            return Err(OpenError::NotDurable(this.folder.database.clone(), lacking));
        }
        // Frames recovered from the log may never have been synced. They must be on the disk before anybody reads them.
        if !checkpoint::truncate(&writer).map_err(broken)? {
            return Err(OpenError::InUse(path.to_owned()));
        }
        Ok((this, writer))
    }

    /// How the operator knows it.
    pub fn name(&self) -> String {
        self.folder.database.display().to_string()
    }

    /// The file of the write-ahead log.
    pub fn log_file(&self) -> PathBuf {
        self.folder.log.clone()
    }

    pub fn readers(&self) -> Result<Vec<Connection>, Failure> {
        (0..READERS).map(|_| Connection::open_to_read(&self.folder.database)).collect()
    }

    /// What the journal does on its connection between two batches.
    pub fn after_batch(&self) -> impl FnMut(&Connection, usize) + Send + use<> {
        let checkpoints = self.checkpoints.clone();
        move |writer, writes| checkpoints.after_batch(writer, writes)
    }

    /// Starts the journal on a thread of its own, because it waits for the disk, and the checkpoints on another. Cancels `broken`
    /// if one of them breaks down.
    pub fn start(
        &mut self,
        journal: impl Future<Output = ()> + Send + 'static,
        broken: CancellationToken,
    ) -> Result<(), Failure> {
        let checkpointer = Connection::open(&self.folder.database)?;
        checkpointer.wait_for_locks(Duration::ZERO)?;
        let (ended, checkpoints) = (CancellationToken::new(), self.checkpoints.clone());
        // Once nobody writes any more the checkpoints end, too.
        let over = ended.clone().drop_guard();
        self.on_a_thread(broken.clone(), async move {
            let _over = over;
            journal.await;
        });
        self.on_a_thread(broken, async move { checkpoints.run(checkpointer, &ended).await });
        self.tasks.close();
        Ok(())
    }

    fn on_a_thread(&self, broken: CancellationToken, work: impl Future<Output = ()> + Send + 'static) {
        let runtime = Handle::current();
        self.tasks.spawn_blocking(move || {
            if std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(work))).is_err() {
                tracing::error!("the journal broke down: nothing is written any more");
                broken.cancel();
            }
        });
    }

    /// Waits for what was started. The journal ends when it is told to.
    pub async fn ended(&self) {
        self.tasks.wait().await;
    }

    /// Folds the write-ahead log back once all connections are closed. From then on the database is one file.
    pub async fn fold_back(&self) {
        let file = self.folder.database.clone();
        let folded = tokio::task::spawn_blocking(move || checkpoint::last(&file)).await;
        let Ok(Err(error)) = folded else { return };
        tracing::warn!(
            %error,
            "the write-ahead log could not be folded back: keep parlor.db-wal together with parlor.db until the next start"
        );
    }
}
