//! Getting frames: from the log up to a target, from the channels after it, and back to the log when too many wait. All of
//! the reader's, each once and in order; which of them may be given is not decided here.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Phase, Replay, Stream};
use crate::domain::ids::Position;
use crate::live::frame::{Chunk, Frame};
use crate::live::writer::log_read::Stretch;
use crate::live::writer::queue::Queue;
use crate::live::writer::shared::Shared;

/// When fewer frames than this wait, the next page of the log is asked for.
const LOW: usize = 64;

impl Stream {
    /// Reads the log up to the target, from what was seen last. What the channels hold beyond it is kept meanwhile.
    pub fn read_log(&mut self, target: Position) {
        match &mut self.phase {
            Phase::Live if self.seen < target => {
                self.phase = Phase::Replaying(Box::new(Replay::to(target, None)));
            }
            Phase::Replaying(replay) => {
                // What waits beyond the old target lies within the new one.
                replay.target = replay.target.max(target);
                replay.later.clear();
            }
            Phase::Live | Phase::Leaving { .. } => {}
        }
    }

    /// A channel ran over, which was followed up to `drained` until now: frames are missing up to the target.
    pub fn reread(&mut self, drained: Position, target: Position) {
        if let Phase::Live = self.phase {
            self.seen = self.seen.max(drained);
        }
        self.read_log(target);
    }

    /// The reader's own join: everything after it is read from the log, all rooms alike.
    pub fn read_from(&mut self, join: Position, target: Position) {
        self.ready.clear();
        self.seen = join;
        // An answer on its way begins elsewhere.
        self.ask_again();
        self.read_log(target);
    }

    /// Waits for no answer any more: the next question is asked as soon as there is room for what it brings.
    pub fn ask_again(&mut self) {
        if let Phase::Replaying(replay) = &mut self.phase {
            replay.asked = None;
        }
    }

    /// What to read next: none while an answer is awaited, or enough waits for the socket.
    pub fn wants(&self) -> Option<(Position, Position)> {
        let Phase::Replaying(replay) = &self.phase else { return None };
        let is_hungry = self.ready.len() < LOW && self.blocked_since.is_none() && self.last.is_none();
        (is_hungry && replay.asked.is_none()).then_some((self.seen, replay.target))
    }

    /// Whether what it gives next was read from the log.
    pub fn is_catching_up(&self) -> bool {
        self.last.is_none() && self.ready.front().is_some_and(|first| first.position <= self.replayed)
    }

    pub fn asked(&mut self, number: u64) {
        if let Phase::Replaying(replay) = &mut self.phase {
            (replay.asked, replay.replaced) = (Some(number), Vec::new());
        }
    }

    /// Whether this is the answer that it waits for.
    pub fn awaits(&self, number: u64) -> bool {
        // After the last word nothing more is said.
        self.last.is_none() && matches!(&self.phase, Phase::Replaying(replay) if replay.asked == Some(number))
    }

    /// Takes a stretch of the log. False when what was asked for is not in the log any more.
    #[must_use]
    pub fn take_stretch(&mut self, stretch: &Stretch) -> bool {
        if stretch.floor > self.seen {
            return false;
        }
        if let Phase::Replaying(replay) = &mut self.phase
            && stretch.run.frames.iter().any(|frame| frame.has_text_of_any(&replay.replaced))
        {
            replay.asked = None;
            return true;
        }
        let through = stretch.through;
        let own = stretch.own.get(&self.reader).into_iter().flatten();
        let mut own = own.filter(|frame| frame.position <= through).peekable();
        if own.peek().is_some() {
            let mut frames: Vec<_> = stretch.run.frames.iter().chain(own).cloned().collect();
            frames.sort_by_key(|frame| frame.position);
            self.ready.extend(frames);
        } else {
            self.ready.extend(stretch.run.frames.iter().cloned());
        }
        (self.seen, self.replayed) = (stretch.through, stretch.through);
        let Phase::Replaying(replay) = &mut self.phase else { return true };
        replay.asked = None;
        if self.seen >= replay.target {
            self.seen = replay.later.last().unwrap_or(self.seen);
            self.ready.append(&mut replay.later);
            self.phase = Phase::Live;
        }
        true
    }

    /// The log was purged under a slow replay: what is missing cannot be shown any more, so the stream says it, and goes on
    /// from `head`.
    pub fn start_over(&mut self, head: Position, greeting: Chunk) {
        self.ready.clear();
        self.notices.push_back(greeting);
        (self.seen, self.given, self.settled) = (head, head, head);
        self.phase = Phase::Live;
    }

    /// A frame from a channel, in the order of the log. When too many wait the stream goes back to the log, which it reads
    /// up to `through`, the mark of this step.
    pub fn offer(&mut self, frame: &Arc<Frame>, through: Position, shared: &mut Shared) {
        if frame.kind.replaces_text() {
            self.forget_text(frame, through, shared);
        }
        match &mut self.phase {
            Phase::Live if frame.position > self.seen => {
                if self.ready.push(frame) {
                    self.seen = frame.position;
                } else {
                    self.forget_waiting(frame, shared);
                    self.phase = Phase::Replaying(Box::new(Replay::to(through, Some(shared.now))));
                }
            }
            Phase::Replaying(replay) if frame.position > replay.target => {
                let is_new = replay.later.last().is_none_or(|last| last < frame.position);
                if is_new && !replay.later.push(frame) {
                    replay.later.clear();
                    replay.target = through;
                }
            }
            Phase::Live | Phase::Replaying(_) | Phase::Leaving { .. } => {}
        }
    }
}

impl Stream {
    /// The text of the frame's message was replaced. What waits must not show the old one, so it is read again from the log, which
    /// has the new one. What waits may have the new one already, as its page may have been read since then.
    fn forget_text(&mut self, frame: &Frame, through: Position, shared: &mut Shared) {
        if !matches!(self.phase, Phase::Leaving { .. })
            && self.ready.iter().any(|ready| ready.has_text_of(frame))
        {
            self.forget_waiting(frame, shared);
            self.ask_again();
            if matches!(self.phase, Phase::Live) {
                self.phase = Phase::Replaying(Box::new(Replay::to(through, Some(shared.now))));
            }
        }
        if let Phase::Replaying(replay) = &mut self.phase {
            if replay.later.iter().any(|later| later.has_text_of(frame)) {
                replay.later.clear();
                replay.target = through;
            }
            replay.replaced.extend(frame.text_of.filter(|_| replay.asked.is_some()));
        }
    }

    /// Forgets what waits, and the frame that does not wait any more: the log has both.
    fn forget_waiting(&mut self, frame: &Frame, shared: &mut Shared) {
        shared.tally.rereads += 1;
        // Whatever lies before the first frame that waits was given, or is none of the reader's. The last frame given may be older than
        // the log.
        let first = self.ready.front().map_or(frame.position, |first| first.position);
        self.seen = self.given.max(first.previous());
        self.ready.clear();
    }
}

impl Replay {
    fn to(target: Position, behind_since: Option<Instant>) -> Self {
        Self { target, asked: None, replaced: Vec::new(), later: Queue::default(), behind_since }
    }
}
