//! Whether the server can write right now. It is found out by trying, at most every two seconds.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::Chat;
use crate::storage;

/// A trial writes 128 KiB and syncs the disk, and anybody may ask: at least this much time lies between two trials.
const TRY_EVERY: Duration = Duration::from_secs(2);
/// A write that takes longer is no use to anybody: the disk hangs, or another program holds the file.
const PATIENCE: Duration = Duration::from_secs(2);

/// The outcome of the last trial.
#[derive(Debug)]
pub(super) struct Readiness(Mutex<Known>);

#[derive(Clone, Copy, Debug)]
struct Known {
    tried: Option<Instant>,
    writes: bool,
}

impl Chat {
    /// Whether the server can write. False once shutdown has begun or the store has failed, while the node does not see the end of
    /// the log or has a wrong clock, and while a trial finds no room on the disk or does not return.
    pub async fn is_ready(&self) -> bool {
        let is_out_of_date = !self.live.node().up_to_date.for_streams();
        let is_ending = self.store.has_failed() || self.live.registry().is_closing();
        if is_ending || is_out_of_date || !self.store.clocks_agree() {
            return false;
        }
        if self.readiness.is_due(Instant::now()) {
            let (store, readiness) = (self.store.clone(), self.readiness.clone());
            // A task, so that the outcome is known also if the client hangs up before it.
            let trial = self.tasks.spawn(async move {
                let tried = timeout(PATIENCE, store.try_writing()).await;
                // A full queue does not mean that writing fails: the queue is being emptied.
                let writes = matches!(tried, Ok(Ok(()) | Err(storage::Error::Overloaded)));
                readiness.known().writes = writes;
            });
            if trial.await.is_err() {
                return false;
            }
        }
        self.readiness.known().writes
    }
}

impl Default for Readiness {
    /// Opening the store has written to the disk, so it counts as a trial that went well.
    fn default() -> Self {
        Self(Mutex::new(Known { tried: None, writes: true }))
    }
}

impl Readiness {
    /// Whether the caller has to make a trial. Until it is over all others get the outcome of the trial before.
    fn is_due(&self, now: Instant) -> bool {
        let mut known = self.known();
        let due = known.tried.is_none_or(|tried| now.duration_since(tried) >= TRY_EVERY);
        if due {
            known.tried = Some(now);
        }
        due
    }

    /// The lock is held for a few instructions.
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
