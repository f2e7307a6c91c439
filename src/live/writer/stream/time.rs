//! What time means to a stream: pings while it is quiet, the end of its session, a reader who stalls or stays behind.

use std::time::Duration;

use tokio::time::Instant;

use super::{Phase, Stream, Written};
use crate::live::frame::{ByeReason, Chunk};
use crate::live::meters::End;
use crate::live::writer::shared::Shared;

/// A socket that takes no byte for this long, though there are some for it, is closed: its reader is gone, or stalls.
const STALL: Duration = Duration::from_secs(20);
/// How long a client may take to close its end after the last frame. Closing while it sends could make it lose that frame.
const DRAIN: Duration = Duration::from_secs(2);

impl Stream {
    /// When something is due next: a ping, an end, or giving up on the reader.
    pub fn due(&self, shared: &Shared) -> Instant {
        if let Phase::Leaving { until } = self.phase {
            return until;
        }
        let next = match self.blocked_since {
            Some(since) => since + STALL,
            None => self.last_write + shared.node.heartbeat,
        };
        if self.last.is_some() {
            return next;
        }
        let behind = self.behind_since().map(|since| since + shared.node.slow_after);
        [Some(self.deadline), self.ends_at, behind].into_iter().flatten().fold(next, Instant::min)
    }

    /// Does what is due by now. The next write gives what follows from it.
    pub fn pass_time(&mut self, ping: impl FnOnce() -> Chunk, shared: &Shared) -> Written {
        let is_over = |at: Instant| at <= shared.now;
        if let Phase::Leaving { until } = self.phase {
            return if is_over(until) { Written::Gone(End::Stalled) } else { Written::Enough };
        }
        if self.blocked_since.is_some_and(|since| is_over(since + STALL)) {
            return Written::Gone(End::Stalled);
        }
        self.hear(shared);
        if self.last.is_some() {
            return Written::More;
        }
        if is_over(self.deadline) {
            self.say_bye(ByeReason::Expired, shared);
        } else if self.ends_at.is_some_and(is_over) {
            self.say_bye(ByeReason::Shutdown, shared);
        } else if self.behind_since().is_some_and(|since| is_over(since + shared.node.slow_after)) {
            self.say_bye(ByeReason::Slow, shared);
        } else if self.blocked_since.is_none() && is_over(self.last_write + shared.node.heartbeat) {
            self.notices.push_back(ping());
            self.last_write = shared.now;
        } else {
            return Written::Enough;
        }
        Written::More
    }

    /// The server stops: the stream ends then.
    pub fn end_at(&mut self, at: Instant) {
        self.ends_at = Some(at);
    }

    /// All is said.
    pub(super) fn leave(&mut self, shared: &Shared) {
        self.last = None;
        self.phase = Phase::Leaving { until: shared.now + DRAIN };
    }

    fn behind_since(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Replaying(replay) => replay.behind_since,
            Phase::Live | Phase::Leaving { .. } => None,
        }
    }
}
