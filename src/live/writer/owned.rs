//! A stream and what its writer keeps beside it.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::time::delay_queue;

use super::line::Ticket;
use super::note::{Key, Stir};
use super::stream::Stream;

pub struct Owned {
    pub stream: Stream,
    pub stir: Arc<Stir>,
    /// Its timer, and when that runs out.
    pub timer: Option<(delay_queue::Key, Instant)>,
    /// Whether it is in the writer's list of dirty streams.
    pub is_dirty: bool,
    pub ticket: Ticket,
}

impl Owned {
    /// Notes that the stream may have something to write.
    pub fn mark(&mut self, key: Key, dirty: &mut Vec<Key>) {
        if !self.is_dirty {
            self.is_dirty = true;
            dirty.push(key);
        }
    }
}
