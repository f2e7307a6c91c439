//! What a reader may have of the frames that wait, decided at the last moment before they are given, and how a stream is
//! told to end.

use super::Stream;
use crate::domain::event::EventType;
use crate::domain::event::Removed;
use crate::live::frame::{self, ByeReason, Frame, Framing};
use crate::live::handle::removal_from;
use crate::live::scope::Scope;
use crate::live::writer::shared::Shared;

/// When to come back after `slow`, in ms.
const SLOW_RETRY_MS: (u64, u64) = (2_000, 5_000);
/// The same when the server goes away and everybody is cut off at once.
const SHUTDOWN_RETRY_MS: (u64, u64) = (2_000, 15_000);

/// Whether a frame may be given now.
pub(super) enum Verdict {
    Give,
    /// It may, and changes what may be given after it.
    GiveAndLook,
    Skip,
    End(ByeReason),
}

impl Stream {
    pub(super) fn verdict(&self, frame: &Frame) -> Verdict {
        let removed = removal_from(frame.room, &self.removed);
        match self.scope {
            // In a room's stream the reader's removal is the last event; when something before it is withheld, not even
            // that. A removal from before the stream was opened is history: it was authorized after it.
            Scope::Room(_) => {
                let removed = removed.filter(|removed| removed.position > self.settled);
                if let Some(removed) = removed.filter(|removed| frame.position < removed.position) {
                    let is_gone = removed.user.is_none();
                    return Verdict::End(if is_gone { ByeReason::Deleted } else { ByeReason::Removed });
                }
            }
            // In a person's stream what lies before a removal is withheld, and the removal stands in its place.
            Scope::Person => {
                if removed.is_some_and(|removed| frame.position < removed.position)
                    && !frame.is_own(self.reader)
                {
                    return Verdict::Skip;
                }
            }
        }
        let looks = frame.position > self.settled && (frame.removes(self.reader) || self.is_own_join(frame));
        if looks { Verdict::GiveAndLook } else { Verdict::Give }
    }

    pub(super) fn is_own_join(&self, frame: &Frame) -> bool {
        frame.kind == EventType::MemberJoined && frame.is_own(self.reader)
    }

    /// Sees what its reader may not have any more, and whether that is the end of it.
    pub fn look(&mut self, shared: &Shared) {
        self.hear(shared);
        self.drop_withheld(shared);
    }

    /// Takes away what may not be given any more from the front of what waits.
    pub(super) fn drop_withheld(&mut self, shared: &Shared) {
        if self.last.is_some() {
            return;
        }
        if self.deadline <= shared.now {
            return self.say_bye(ByeReason::Expired, shared);
        }
        while let Some(frame) = self.ready.front() {
            match self.verdict(frame) {
                Verdict::Give | Verdict::GiveAndLook => return,
                Verdict::Skip => drop(self.ready.pop()),
                Verdict::End(reason) => return self.say_bye(reason, shared),
            }
        }
    }

    /// Hears what the rest of the node has to say.
    pub(super) fn hear(&mut self, shared: &Shared) {
        let Some(counted) = &self.counted else { return };
        if !counted.registration.handle.has_news() {
            return;
        }
        let news = counted.registration.handle.hear();
        self.deadline = news.deadline;
        for removed in news.removed {
            self.note_removal(removed);
        }
        if let Some(reason) = news.end {
            self.say_bye(reason, shared);
        }
    }

    /// Notes that the node knows of a removal: what came before it in the room is withheld from now on. Deletions and other
    /// removals come by two ways, so that an older one may be heard after a newer one: the newest counts.
    pub fn note_removal(&mut self, removed: Removed) {
        if removal_from(removed.room, &self.removed).is_some_and(|known| known.position > removed.position) {
            return;
        }
        self.removed.retain(|other| other.room != removed.room);
        self.removed.push(removed);
    }

    /// Forgets the removals that withhold nothing any more: the rest of what they concern was given. A
    /// removal from a room that is not followed matters only until the channels have brought what came before it.
    pub(super) fn forget_removals(&mut self, shared: &Shared) {
        let (rooms, given) = (&self.rooms, self.given);
        self.removed.retain(|removed| {
            let passed = if rooms.contains(&removed.room) { given } else { shared.drained };
            removed.position > passed
        });
    }

    /// Ends the stream: after the frame that was begun nothing comes but this.
    pub fn say_bye(&mut self, reason: ByeReason, shared: &Shared) {
        if self.last.is_some() || self.is_leaving() {
            return;
        }
        self.ready.clear();
        let draw = |(least, most): (u64, u64)| least + shared.node.ids.random_below(most - least);
        let retry_ms = match reason {
            ByeReason::Expired => Some(0),
            ByeReason::Slow => Some(draw(SLOW_RETRY_MS)),
            ByeReason::Shutdown => Some(draw(SHUTDOWN_RETRY_MS)),
            ByeReason::SignedOut | ByeReason::Removed | ByeReason::Deleted => None,
        };
        let bye = frame::bye(reason, retry_ms);
        let bytes = match self.outlet.framing() {
            Framing::Chunks => [bye.bytes(Framing::Chunks), frame::LAST_CHUNK].concat().into(),
            Framing::Plain => bye.to_bytes(Framing::Plain),
        };
        self.last = Some((bytes, reason));
    }
}
