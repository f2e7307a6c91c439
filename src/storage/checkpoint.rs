//! Keeps the write-ahead log short without ever making a writer wait for long.
//!
//! Automatic checkpoints are off: they would run inside some post's commit. A connection of its own checkpoints passively; as
//! a passive checkpoint cannot restart a log that is being read all the time, the journal restarts it itself between two
//! batches once it has grown large.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::Notify;

use super::settings::LOCK_WAIT;

/// Writes after which a passive checkpoint is worth its two syncs.
const WRITES: usize = 1_000;
/// Frames (of one 4 KiB page) of write-ahead log above which the journal restarts it, 64 MiB; and that it grows by before
/// the journal tries again, when a reader of long ago still needs it. Else every batch would wait for that reader.
const RESTART_FRAMES: i64 = 16 * 1024;
/// How long a restart may wait for readers.
const RESTART_WAIT_MS: u32 = 20;
/// After a failed checkpoint (a full disk) the next one waits.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Checkpoints {
    writes: AtomicUsize,
    frames: AtomicI64,
    restart_above: AtomicI64,
    due: Notify,
}

impl Default for Checkpoints {
    fn default() -> Self {
        let (writes, frames, due) = (AtomicUsize::new(0), AtomicI64::new(0), Notify::new());
        Self { writes, frames, restart_above: AtomicI64::new(RESTART_FRAMES), due }
    }
}

impl Checkpoints {
    /// Called by the journal between two batches.
    pub async fn after_batch(&self, connection: &mut SqliteConnection, writes: usize) {
        if self.writes.fetch_add(writes, Ordering::Relaxed) + writes >= WRITES {
            self.writes.store(0, Ordering::Relaxed);
            self.due.notify_one();
        }
        let frames = self.frames.load(Ordering::Relaxed);
        if frames < self.restart_above.load(Ordering::Relaxed) {
            return;
        }
        self.frames.store(0, Ordering::Relaxed);
        let restarted = restart(connection).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the write-ahead log could not be restarted");
            false
        });
        let next = if restarted { RESTART_FRAMES } else { frames + RESTART_FRAMES };
        self.restart_above.store(next, Ordering::Relaxed);
    }

    /// Checkpoints passively whenever enough was written; ends with the task that runs it.
    pub async fn run(&self, mut connection: SqliteConnection) {
        loop {
            self.due.notified().await;
            match sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(&mut connection).await {
                Ok(row) => {
                    let frames = row.try_get(1).unwrap_or(0);
                    self.frames.store(frames, Ordering::Relaxed);
                    if frames < RESTART_FRAMES {
                        // The log has begun anew by itself: no reader is in the way any more.
                        self.restart_above.store(RESTART_FRAMES, Ordering::Relaxed);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a checkpoint failed");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

/// False when a reader still needs the log as it is.
async fn restart(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    set_lock_wait(connection, RESTART_WAIT_MS).await?;
    let outcome = sqlx::query("PRAGMA wal_checkpoint(RESTART)").fetch_one(&mut *connection).await;
    let usual = u32::try_from(LOCK_WAIT.as_millis()).unwrap_or(u32::MAX);
    set_lock_wait(connection, usual).await?;
    Ok(outcome?.try_get::<i64, _>(0)? == 0)
}

async fn set_lock_wait(connection: &mut SqliteConnection, ms: u32) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA busy_timeout = {ms}")))
        .execute(connection)
        .await
        .map(drop)
}
