//! A clock that tests of the whole program move: it shows the system's time and what a file adds to it. Builds without debug
//! assertions, as releases are, have none of this.

use std::sync::LazyLock;
use std::time::Duration;

use crate::domain::clock::{Clock, Timestamp};

/// The system's clock, moved by the whole seconds in the file that `PARLOR_TEST_CLOCK` names, if it names one.
pub fn clock() -> Clock {
    if FILE.is_some() { Clock::new(moved) } else { Clock::SYSTEM }
}

static FILE: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("PARLOR_TEST_CLOCK").ok());

/// Read at each look at the clock: a test that has moved it need not wait for anything.
fn moved() -> Timestamp {
    let now = Clock::SYSTEM.now();
    let text = FILE.as_ref().and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
    let seconds: i64 = text.trim().parse().unwrap_or(0);
    let span = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { now.minus(span) } else { now.plus(span) }
}
