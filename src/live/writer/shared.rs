//! What the streams of one writer share while it works: the node, the time, and what they count.

use std::mem::take;

use tokio::time::Instant;

use crate::domain::event::Removed;
use crate::domain::ids::{Position, RoomId};
use crate::live::deletions::Heard;
use crate::live::node::LiveNode;

pub struct Shared {
    pub node: LiveNode,
    /// The time of this turn: asking the clock once is enough for thousands of sockets.
    pub now: Instant,
    /// All channels were emptied up to here.
    pub drained: Position,
    /// Deletions of rooms that this writer has not heard of.
    deletions: Heard,
    /// Those it has heard of that lie beyond `drained`: the channels may still bring what came before them, to streams that
    /// follow the room only from now on.
    undrained: Vec<Removed>,
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
        let (deletions, undrained) = (node.registry.deletions(), Vec::new());
        Self { node, now: Instant::now(), drained, deletions, undrained, tally: Tally::default() }
    }

    /// Notes that all channels are emptied up to here.
    pub fn drain(&mut self, through: Position) {
        self.drained = through;
        self.undrained.retain(|removed| removed.position > through);
    }

    /// Whether a room was deleted and the streams were not told yet: nothing may be given before.
    pub fn has_news(&self) -> bool {
        self.deletions.has_news()
    }

    /// The next room that was deleted.
    pub fn next_deletion(&mut self) -> Option<Removed> {
        let removed = self.deletions.next()?;
        self.note_deletion(removed);
        Some(removed)
    }

    /// Notes a deletion. A stream may know of one that was added before its writer was there.
    pub fn note_deletion(&mut self, removed: Removed) {
        if removed.position > self.drained && !self.undrained.contains(&removed) {
            self.undrained.push(removed);
        }
    }

    /// The deletion of a room that a stream begins to follow.
    pub fn deletion_of(&self, room: RoomId) -> Option<Removed> {
        self.undrained.iter().find(|removed| removed.room == room).copied()
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
