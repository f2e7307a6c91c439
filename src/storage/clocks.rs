//! How far the clock of this node and that of the database are apart. Every look at the end of the log brings the database's
//! time with it. Says so once when they differ; decides nothing else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::domain::clock::{Clock, Timestamp};

/// How far the clock of a node may be from that of the database. Times of messages and tokens are compared over all nodes.
pub(super) const APART: Duration = Duration::from_secs(5);

/// How far two nodes may be apart then: one may be ahead of the database and the other one behind it.
pub(super) const NODES_APART: Duration = Duration::from_secs(10);

/// The clock of this node beside that of the database.
pub(super) struct Clocks {
    pub clock: Clock,
    is_wrong: AtomicBool,
}

impl Clocks {
    pub fn new(clock: Clock) -> Self {
        Self { clock, is_wrong: AtomicBool::new(false) }
    }

    /// Whether the two clocks were close enough when the database last told its time.
    pub fn agree(&self) -> bool {
        !self.is_wrong.load(Ordering::Acquire)
    }

    /// The database has told its time. It was asked and has answered at these times of the clock here.
    pub fn note(&self, asked: Timestamp, told: Timestamp, answered: Timestamp) {
        let apart = apart(asked, told, answered);
        let is_wrong = apart > APART;
        if self.is_wrong.swap(is_wrong, Ordering::AcqRel) == is_wrong {
            return;
        }
        if is_wrong {
            let seconds = apart.as_secs();
            tracing::error!(
                seconds,
                "the clock of the database and the one here differ: this node is not ready until both are right; set them by NTP"
            );
        } else {
            tracing::info!("the clocks agree again");
        }
    }
}

/// The least difference between the clocks that explains these times: the question and its answer may have taken long.
pub(super) fn apart(asked: Timestamp, told: Timestamp, answered: Timestamp) -> Duration {
    asked.since(told).max(told.since(answered))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_takes_long_is_no_difference_of_the_clocks() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        for (asked, told, answered, expected) in
            [(10, 10, 10, 0), (10, 15, 30, 0), (10, 4, 11, 6), (10, 18, 11, 7), (10, 30, 30, 0)]
        {
            let expected = Duration::from_secs(expected);
            assert_eq!(apart(at(asked), at(told), at(answered)), expected, "{asked} {told} {answered}");
        }
    }
}
