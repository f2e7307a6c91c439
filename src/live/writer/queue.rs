//! A bounded queue of shared frames. When more frames wait for a reader than it holds, the stream goes back to the log.

use std::collections::VecDeque;
use std::collections::vec_deque::Iter;
use std::sync::Arc;

use crate::domain::ids::Position;
use crate::live::frame::Frame;

/// Most frames that wait for one socket.
pub const FRAMES: usize = 256;
/// Most bytes that wait for one socket; a page of the log is cut to this, too. The last frame may go beyond it.
pub const BYTES: usize = 256 * 1024;

/// Frames in the order of the log.
#[derive(Debug, Default)]
pub struct Queue {
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
}

impl Queue {
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub fn len(&self) -> usize {
        self.frames.len()
    }

    pub fn front(&self) -> Option<&Arc<Frame>> {
        self.frames.front()
    }

    pub fn iter(&self) -> Iter<'_, Arc<Frame>> {
        self.frames.iter()
    }

    /// Position of the newest.
    pub fn last(&self) -> Option<Position> {
        self.frames.back().map(|frame| frame.position)
    }

    /// False, and nothing is put in, when it is full.
    #[must_use]
    pub fn push(&mut self, frame: &Arc<Frame>) -> bool {
        let is_full = self.frames.len() >= FRAMES || self.bytes >= BYTES;
        if !is_full {
            self.extend([frame.clone()]);
        }
        !is_full
    }

    /// Puts in frames whose number has a bound elsewhere, as a page of the log has.
    pub fn extend(&mut self, frames: impl IntoIterator<Item = Arc<Frame>>) {
        for frame in frames {
            self.bytes += frame.chunk.len();
            self.frames.push_back(frame);
        }
    }

    /// Moves all of another queue, which comes after this one.
    pub fn append(&mut self, other: &mut Self) {
        self.frames.append(&mut other.frames);
        self.bytes += std::mem::take(&mut other.bytes);
    }

    pub fn pop(&mut self) -> Option<Arc<Frame>> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.chunk.len();
        if self.frames.is_empty() {
            // Most of thousands of streams are quiet: the memory of a burst is given back.
            self.frames.shrink_to(4);
        }
        Some(frame)
    }

    pub fn retain(&mut self, keep: impl Fn(&Frame) -> bool) {
        self.frames.retain(|frame| keep(frame));
        self.bytes = self.frames.iter().map(|frame| frame.chunk.len()).sum();
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
