//! Giving frames to the outlet: as many as it takes in one write, and exactly what it took is accounted for. A frame that
//! was not begun can still be withheld.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll};

use super::access::Verdict;
use super::{Phase, SHARE, SLICES, Stream, Written};
use crate::domain::event::EventType;
use crate::domain::ids::Position;
use crate::live::frame::{ByeReason, Frame, Framing, Run};
use crate::live::meters::End;
use crate::live::scope::Scope;
use crate::live::writer::shared::Shared;

impl Stream {
    /// Whether runs of its one room may go to the socket as they are: the stream is level, nothing waits, and there is no news
    /// for it.
    pub fn takes_whole(&self, runs: &[Arc<Run>], shared: &Shared) -> bool {
        let first = runs.first().and_then(|run| run.frames.first());
        matches!(self.phase, Phase::Live)
            && first.is_some_and(|frame| frame.position > self.seen)
            && self.blocked_since.is_none()
            && self.rest.is_empty()
            && self.notices.is_empty()
            && self.ready.is_empty()
            && self.last.is_none()
            && self.removed.is_empty()
            && self.deadline > shared.now
            && self.outlet.framing() == Framing::Chunks
            && self.counted.as_ref().is_some_and(|counted| !counted.registration.handle.has_news())
    }

    /// Gives whole runs in one write. False when something of them is left: it waits now.
    pub fn write_whole(
        &mut self,
        runs: &[Arc<Run>],
        slices: &[IoSlice<'_>],
        through: Position,
        shared: &mut Shared,
    ) -> bool {
        let total: usize = slices.iter().map(|slice| slice.len()).sum();
        let n = self.outlet.write(slices).unwrap_or(0);
        if n < total {
            runs.iter().flat_map(|run| &run.frames).for_each(|frame| self.offer(frame, through, shared));
            // These frames remove and join nobody, so what they come to is of no consequence.
            self.took(n, shared);
            return false;
        }
        shared.tally.count(runs.iter().map(|run| run.frames.len()).sum(), n);
        self.last_write = shared.now;
        self.seen = runs.last().and_then(|run| run.last()).unwrap_or(self.seen);
        self.given = self.seen;
        true
    }

    /// Gives what may be given, as much as is taken. One loop, as what a write came to decides whether there is another: its
    /// length is that of the outcomes.
    pub fn write(&mut self, shared: &mut Shared) -> Written {
        if self.is_leaving() {
            return Written::Enough;
        }
        self.hear(shared);
        self.forget_removals(shared);
        let mut total = 0;
        while total < SHARE {
            if shared.has_news() {
                // The writer has to hear it first.
                return Written::More;
            }
            self.drop_withheld(shared);
            let taken = {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let count = self.plan(&mut slices);
                if count == 0 {
                    self.blocked_since = None;
                    return Written::Enough;
                }
                self.outlet.write(&slices[..count])
            };
            match taken {
                Ok(0) => return Written::Gone(End::Disconnected),
                Ok(n) => {
                    (self.last_write, self.blocked_since) = (shared.now, None);
                    total += n;
                    let outcome = self.took(n, shared);
                    if outcome != Written::Enough {
                        return outcome;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match self.outlet.poll_writable(&mut Context::from_waker(&self.waker)) {
                        Poll::Ready(Ok(())) => {}
                        Poll::Ready(Err(_)) => return Written::Gone(End::Disconnected),
                        Poll::Pending => {
                            self.blocked_since.get_or_insert(shared.now);
                            return Written::Enough;
                        }
                    }
                }
                Err(_) => return Written::Gone(End::Disconnected),
            }
        }
        Written::More
    }

    /// Whether its client has gone. Asked once after it was adopted, and whenever it stirs.
    pub fn is_gone(&mut self) -> bool {
        self.outlet.is_gone(&mut Context::from_waker(&self.waker))
    }

    /// The last frame was given: the stream no longer counts as open, and the sending half is closed. False when there is no
    /// client to wait for.
    pub fn finish(&mut self) -> bool {
        self.counted = None;
        self.outlet.finish()
    }

    /// What is given next, in order, up to what must not be followed without a look. Gives the number of slices.
    fn plan<'s>(&'s self, slices: &mut [IoSlice<'s>; SLICES]) -> usize {
        let framing = self.outlet.framing();
        let (mut count, mut total) = (0, 0);
        // Tells whether one more fits.
        let mut add = |bytes: &'s [u8]| {
            slices[count] = IoSlice::new(bytes);
            count += 1;
            total += bytes.len();
            count < SLICES && total < SHARE
        };
        let mut fits = self.rest.is_empty() || add(&self.rest);
        for notice in &self.notices {
            fits = fits && add(notice.bytes(framing));
        }
        if let Some((last, _)) = &self.last {
            let _ = fits && add(last);
            return count;
        }
        for frame in self.ready.iter() {
            if !fits {
                break;
            }
            fits = match self.verdict(frame) {
                Verdict::Give => add(frame.chunk.bytes(framing)),
                Verdict::GiveAndLook => {
                    add(frame.chunk.bytes(framing));
                    false
                }
                Verdict::Skip | Verdict::End(_) => false,
            };
        }
        count
    }

    /// Accounts for bytes that were taken, in the order of the plan.
    fn took(&mut self, mut n: usize, shared: &mut Shared) -> Written {
        let framing = self.outlet.framing();
        let bytes = n;
        let of_rest = n.min(self.rest.len());
        self.rest = self.rest.split_off(of_rest);
        n -= of_rest;
        let (mut frames, mut outcome) = (0, Written::Enough);
        while n > 0 && outcome == Written::Enough {
            let frame = if let Some(notice) = self.notices.pop_front() {
                notice.to_bytes(framing)
            } else if let Some((last, reason)) = &mut self.last {
                // Nothing comes between its parts.
                *last = last.split_off(n.min(last.len()));
                if last.is_empty() {
                    frames += 1;
                    outcome = Written::Last(*reason);
                }
                break;
            } else if let Some(frame) = self.ready.pop() {
                outcome = self.gave(&frame, shared);
                frame.chunk.to_bytes(framing)
            } else {
                break;
            };
            frames += 1;
            let taken = n.min(frame.len());
            self.rest = frame.slice(taken..);
            n -= taken;
        }
        shared.tally.count(frames, bytes);
        if let Written::Last(_) = outcome {
            self.leave(shared);
        }
        outcome
    }

    /// A frame was given, or begun: what follows from it.
    fn gave(&mut self, frame: &Frame, shared: &Shared) -> Written {
        self.given = frame.position;
        if frame.position <= self.settled {
            return Written::Enough;
        }
        let removes = frame.removes(self.reader);
        match self.scope {
            Scope::Room(_) if removes => {
                let is_gone = frame.kind == EventType::RoomDeleted;
                self.say_bye(if is_gone { ByeReason::Deleted } else { ByeReason::Removed }, shared);
                Written::Enough
            }
            Scope::Person if removes => Written::Left(frame.room),
            Scope::Person if self.is_own_join(frame) && !self.rooms.contains(&frame.room) => {
                Written::Joined(frame.room, frame.position)
            }
            Scope::Room(_) | Scope::Person => Written::Enough,
        }
    }
}
