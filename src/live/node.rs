//! What all streams of a node share. It starts nothing and owns no stream.

use std::sync::Arc;
use std::time::Duration;

use super::frame::{Chunk, Hello, ResetReason};
use super::hub::Hub;
use super::meters::Meters;
use super::registry::Registry;
use super::up_to_date::UpToDate;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::ids::Ids;
use crate::storage::Store;

/// The parts of a node that its streams work with.
#[derive(Clone)]
pub struct LiveNode {
    pub store: Arc<Store>,
    pub hub: Arc<Hub>,
    pub registry: Arc<Registry>,
    pub up_to_date: Arc<UpToDate>,
    pub meters: Arc<Meters>,
    pub clock: Clock,
    pub ids: Ids,
    /// A stream that has written nothing for this long sends `ping`.
    pub heartbeat: Duration,
    /// A reader who stays behind for this long is told `bye` slow.
    pub slow_after: Duration,
}

impl LiveNode {
    /// The first frame with data: `hello`, or `reset` when there is a reason. A stream that loses its past later sends the
    /// `reset`, too.
    pub(super) fn greeting(
        &self,
        cursor: String,
        expires_at: Timestamp,
        resumed: bool,
        reason: Option<ResetReason>,
    ) -> Chunk {
        let hello = Hello {
            kind: if reason.is_some() { "reset" } else { "hello" },
            cursor,
            heartbeat_seconds: self.heartbeat.as_secs(),
            expires_at,
            resumed,
            reason,
        };
        hello.chunk()
    }
}
