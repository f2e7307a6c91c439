//! Whether the chat can take writes right now: known by trying, not too often.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::Chat;
use crate::storage;

/// A trial writes 128 KiB and syncs the disk, and anybody may ask: at least this much time lies between two trials.
const TRY_EVERY: Duration = Duration::from_secs(2);
/// A write that takes longer is no use to anybody: the disk hangs, or another program holds the file.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the last trial came to.
#[derive(Debug)]
pub(super) struct Readiness(Mutex<Known>);

#[derive(Clone, Copy, Debug)]
struct Known {
    tried: Option<Instant>,
    writes: bool,
}

impl Chat {
    /// Whether writes can be taken: false once shutdown has begun or the store has failed, and while a write that was just
    /// tried finds no room on the disk or does not come back.
    pub async fn is_ready(&self) -> bool {
        if self.store.has_failed() || self.live.registry().is_closing() {
            return false;
        }
        if self.readiness.is_due(Instant::now()) {
            let tried = timeout(PATIENCE, self.store.try_writing()).await;
            // Busy is not broken: there is a queue, and it moves.
            let writes = matches!(tried, Ok(Ok(()) | Err(storage::Error::Overloaded)));
            self.readiness.known().writes = writes;
        }
        self.readiness.known().writes
    }
}

impl Default for Readiness {
    /// Opening the store was the first trial.
    fn default() -> Self {
        Self(Mutex::new(Known { tried: None, writes: true }))
    }
}

impl Readiness {
    /// True for one of those who ask; the others make do with what is known until it has found out.
    fn is_due(&self, now: Instant) -> bool {
        let mut known = self.known();
        let due = known.tried.is_none_or(|tried| now.duration_since(tried) >= TRY_EVERY);
        if due {
            known.tried = Some(now);
        }
        due
    }

    /// Held for a few instructions, by whoever asks.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
