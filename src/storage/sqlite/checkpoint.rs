//! Folds the write-ahead log back into the database file, without ever making a writer wait for long.
//!
//! SQLite's automatic checkpoints are off: they would run inside some post's commit. A connection of its own checkpoints
//! passively, which makes nobody wait: when the log has grown, and in quiet moments after few writes. So the database file alone
//! is soon complete. A passive checkpoint cannot restart a log that somebody reads all the time. When such a log has grown large, the
//! journal restarts it between two batches.

use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use super::settings::LOCK_WAIT;
use crate::storage::error::Failure;

/// Frames (of one page, 4 KiB) after which a checkpoint is worth its two syncs at once, 16 MiB. Writes are not counted for this:
/// one may be a frame or a hundred.
const WORTH_FRAMES: i64 = 4 * 1024;
/// Without a write for this long it is quiet: a checkpoint is in nobody's way.
const QUIET: Duration = Duration::from_secs(2);
/// A checkpoint is made this long after a write at the latest, however few there are and whether it is quiet or not.
const LATEST: Duration = Duration::from_secs(30);
/// Not more writes than this within [`LATEST`] count as quiet, too: a load balancer that asks whether the server is ready causes
/// some all the time.
const FEW: usize = 60;
/// Frames of a log whose file is kept as it is, 4 MiB. A larger file is given back to the disk once it is
/// quiet; the writes after that take a little longer, because they have to extend it again.
const KEPT_FRAMES: i64 = 1024;
/// Frames above which the journal restarts the log, 64 MiB. If an old reader still needs the log, the journal tries again after
/// as many frames more; otherwise every batch would wait for that reader.
const RESTART_FRAMES: i64 = 16 * 1024;
/// How long a restart may wait for readers.
const RESTART_WAIT: Duration = Duration::from_millis(20);
/// How long the last checkpoint may wait for another program that reads the file.
const LAST_WAIT: Duration = Duration::from_secs(1);
/// After a failed checkpoint (a full disk) the next one waits this long, and for the journal's restart at most this long.
const PAUSE: Duration = Duration::from_secs(1);

/// What the journal and the checkpoints know of each other.
pub(super) struct Checkpoints {
    /// Writes since the last checkpoint began.
    writes: AtomicUsize,
    /// Frames in the log when the last checkpoint was found to be due.
    due_at: AtomicI64,
    /// Frames in the log at the last checkpoint.
    frames: AtomicI64,
    restart_above: AtomicI64,
    /// There are writes that no checkpoint has seen.
    written: Notify,
    /// The log has grown so much that the next checkpoint does not wait.
    due: Notify,
    /// The journal has tried to restart the log.
    tried: Notify,
}

/// Why the last checkpoint left something in the log.
#[derive(Debug, Error)]
pub(super) enum LastError {
    #[error("another program reads the database")]
    InUse,
    #[error(transparent)]
    Engine(#[from] Failure),
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self {
            writes: AtomicUsize::new(0),
            due_at: AtomicI64::new(0),
            frames: AtomicI64::new(0),
            restart_above: AtomicI64::new(RESTART_FRAMES),
            written: Notify::new(),
            due: Notify::new(),
            tried: Notify::new(),
        }
    }
}

impl Checkpoints {
    /// Called by the journal between two batches. It may wait for the disk.
    pub fn after_batch(&self, connection: &Connection, writes: usize) {
        // Asking takes no lock and reads no file.
        let frames_now = connection.checkpoint("NOOP").map_or_else(
            |error| {
                tracing::warn!(%error, "the length of the write-ahead log could not be read");
                0
            },
            |(_, frames, _)| frames,
        );
        let before = self.writes.fetch_add(writes, Ordering::Relaxed);
        if before == 0 {
            self.written.notify_one();
        }
        if self.has_grown(frames_now) {
            self.due.notify_one();
        }
        let frames = self.frames.load(Ordering::Relaxed);
        if frames < self.restart_above.load(Ordering::Relaxed) {
            return;
        }
        self.frames.store(0, Ordering::Relaxed);
        let restarted = restart(connection).unwrap_or_else(|error| {
            tracing::warn!(%error, "the write-ahead log could not be restarted");
            false
        });
        let next = if restarted { RESTART_FRAMES } else { frames + RESTART_FRAMES };
        self.restart_above.store(next, Ordering::Relaxed);
        self.tried.notify_one();
    }

    /// Whether the log has grown enough for a checkpoint since this last said so. Called by the journal alone.
    fn has_grown(&self, frames: i64) -> bool {
        let due_at = self.due_at.load(Ordering::Relaxed);
        // Fewer frames than before: the log has begun again.
        let due_at = if frames < due_at { 0 } else { due_at };
        let is_due = frames - due_at >= WORTH_FRAMES;
        self.due_at.store(if is_due { frames } else { due_at }, Ordering::Relaxed);
        is_due
    }

    /// Checkpoints whenever it is worth it, until told to stop, and closes the connection, which must wait for no lock.
    ///
    /// It blocks its thread during a checkpoint.
    pub async fn run(&self, connection: Connection, stop: &CancellationToken) {
        // Opening the database has written, too.
        self.written.notify_one();
        // The most frames that the log had since its file was last cut.
        let mut largest = 0;
        let mut is_failing = false;
        while let Some(is_quiet) = stop.run_until_cancelled(self.worth_it()).await {
            match self.checkpoint(&connection, is_quiet, &mut largest) {
                Ok(true) => is_failing = false,
                // Somebody still reads an old state, or writes just now: the next quiet moment is waited for.
                Ok(false) => self.written.notify_one(),
                Err(error) => {
                    // One line, however often it is tried until there is room on the disk again.
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::warn!(%error, "a checkpoint failed; it is tried again after further writes");
                    }
                    stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
                }
            }
            if self.frames.load(Ordering::Relaxed) >= self.restart_above.load(Ordering::Relaxed) {
                // The journal restarts the log after its next batch. A checkpoint that ran just then would hold SQLite's lock for
                // checkpoints. The restart would fail at once, as it fails for a reader of long ago, and the log would grow on.
                let tried = tokio::time::timeout(PAUSE, self.tried.notified());
                stop.run_until_cancelled(tried).await;
            }
        }
    }

    /// Waits until the log has grown, or for a quiet moment after few writes. True in a quiet moment.
    async fn worth_it(&self) -> bool {
        self.written.notified().await;
        let quiet = async {
            let began = Instant::now();
            let mut seen = self.writes.load(Ordering::Relaxed);
            loop {
                tokio::time::sleep(QUIET).await;
                let now = self.writes.load(Ordering::Relaxed);
                if now == seen || began.elapsed() >= LATEST {
                    return now == seen || now <= FEW;
                }
                seen = now;
            }
        };
        tokio::select! {
            () = self.due.notified() => false,
            is_quiet = quiet => is_quiet,
        }
    }

    /// True when nothing is left to do until the next write.
    fn checkpoint(
        &self,
        connection: &Connection,
        is_quiet: bool,
        largest: &mut i64,
    ) -> Result<bool, Failure> {
        self.writes.store(0, Ordering::Relaxed);
        let (is_busy, frames, folded) = connection.checkpoint("PASSIVE")?;
        if is_busy {
            // The journal restarts the log just now.
            return Ok(false);
        }
        self.frames.store(frames, Ordering::Relaxed);
        if frames < RESTART_FRAMES {
            // The log has restarted by itself, so no reader is in the way any more.
            self.restart_above.store(RESTART_FRAMES, Ordering::Relaxed);
        }
        *largest = frames.max(*largest);
        if folded < frames {
            return Ok(false);
        }
        if !is_quiet || *largest <= KEPT_FRAMES {
            return Ok(true);
        }
        // Everything is folded back, so the writers' lock is held only while the file is cut.
        if !truncate(connection)? {
            return Ok(false);
        }
        self.frames.store(0, Ordering::Relaxed);
        *largest = 0;
        Ok(true)
    }
}

/// Folds everything back when all other connections are closed, and removes the log: from then on the database is one file.
pub(super) fn last(file: &Path) -> Result<(), LastError> {
    let connection = Connection::open(file)?;
    connection.wait_for_locks(LAST_WAIT)?;
    if truncate(&connection)? { Ok(()) } else { Err(LastError::InUse) }
}

/// Folds everything back and empties the log's file. False when somebody else still needs it.
pub(super) fn truncate(connection: &Connection) -> Result<bool, Failure> {
    let (is_busy, ..) = connection.checkpoint("TRUNCATE")?;
    Ok(!is_busy)
}

/// False when a reader still needs the log as it is.
fn restart(connection: &Connection) -> Result<bool, Failure> {
    connection.wait_for_locks(RESTART_WAIT)?;
    let outcome = connection.checkpoint("RESTART");
    connection.wait_for_locks(LOCK_WAIT)?;
    let (is_busy, ..) = outcome?;
    Ok(!is_busy)
}
