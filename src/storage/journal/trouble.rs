//! What the log is told of batches that fail in a row: a database that is down or full fails thousands of them, and is said once
//! when it begins and once when it is over. Decides nothing else.

use std::time::{Duration, Instant};

use crate::storage::error::{BatchFailure, Kind};

/// A full disk has room for a small batch now and then. It is full until nothing has failed for this long.
const QUIET: Duration = Duration::from_secs(5);

/// Batches that have failed since the last one that was written.
#[derive(Default)]
pub(super) struct Trouble(Option<Since>);

struct Since {
    began: Instant,
    latest: Instant,
    requests: usize,
    /// What the log was told last.
    said: Kind,
}

impl Trouble {
    /// A batch with so many requests has failed.
    pub fn goes_on(&mut self, failure: &BatchFailure, requests: usize) {
        let kind = failure.failure().kind();
        let now = Instant::now();
        let is_new = if let Some(since) = &mut self.0 {
            (since.requests, since.latest) = (since.requests + requests, now);
            std::mem::replace(&mut since.said, kind) != kind
        } else {
            self.0 = Some(Since { began: now, latest: now, requests, said: kind });
            true
        };
        match kind {
            // Each may be another one.
            Kind::Constraint | Kind::Fault => {
                tracing::error!(error = %failure, requests, "a batch of writes failed");
            }
            Kind::Full | Kind::Busy | Kind::Conflict | Kind::Unfit | Kind::Lost if is_new => {
                tracing::error!(error = %failure, requests, "writing fails; nothing is written until it works again");
            }
            Kind::Full | Kind::Busy | Kind::Conflict | Kind::Unfit | Kind::Lost => {
                tracing::debug!(error = %failure, requests, "writing fails still");
            }
        }
    }

    /// A batch was written.
    pub fn is_over(&mut self) {
        let goes_on = |since: &Since| since.said == Kind::Full && since.latest.elapsed() < QUIET;
        if let Some(Since { began, requests, .. }) = self.0.take_if(|since| !goes_on(since)) {
            tracing::info!(ms = began.elapsed().as_millis(), requests, "writing works again");
        }
    }
}
