//! What the streams of one writer share while it works: the node, the time, and what they count.

use std::mem::take;

use tokio::time::Instant;

use crate::domain::ids::Position;
use crate::live::node::LiveNode;

pub struct Shared {
    pub node: LiveNode,
    /// The time of this turn: asking the clock once is enough for thousands of sockets.
    pub now: Instant,
    /// How far the channels were followed.
    pub drained: Position,
    pub tally: Tally,
}

/// Counted here first, so that two writers do not pull at one counter with every write.
#[derive(Debug, Default)]
pub struct Tally {
    frames: u64,
    joined: u64,
    bytes: u64,
    pub rereads: u64,
}

impl Tally {
    /// One write of so many frames and bytes.
    pub fn count(&mut self, frames: usize, bytes: usize) {
        self.frames += frames as u64;
        self.joined += frames.saturating_sub(1) as u64;
        self.bytes += bytes as u64;
    }
}

impl Shared {
    pub fn new(node: LiveNode, drained: Position) -> Self {
        Self { node, now: Instant::now(), drained, tally: Tally::default() }
    }

    /// Puts what was counted where the operator sees it.
    pub fn publish(&mut self) {
        let Tally { frames, joined, bytes, rereads } = take(&mut self.tally);
        let meters = &self.node.meters;
        meters.frames.inc_by(frames);
        meters.joined.inc_by(joined);
        meters.bytes.inc_by(bytes);
        meters.rereads.inc_by(rereads);
    }
}
