//! The end of the log in the running transaction: the next position, and what the rest of the node has to know after the
//! commit. It knows no connection.

use super::committed::Committed;
use crate::domain::clock::Timestamp;
use crate::domain::cursor::Epoch;
use crate::domain::event::{Event, NewEvent};
use crate::domain::ids::Position;
use crate::storage::clocks::{APART, NODES_APART};
use crate::storage::error::Failure;

/// The end of the log, and what the transaction has added to it.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// The position that the next event takes.
    pub next: Position,
    /// The time of the newest event.
    pub at: Timestamp,
    /// The time by the database's own clock, where it has one.
    told: Option<Timestamp>,
    pub committed: Committed,
}

/// A state of the tail that `cut` returns to.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    next: Position,
    at: Timestamp,
    events: usize,
    extended: usize,
}

impl Tail {
    /// Begins a transaction in which the log ends at `head`, with an event of the time `at`. `told` is the time by the database's own
    /// clock, where it has one.
    pub fn after(head: Position, (at, told): (Timestamp, Option<Timestamp>), epoch: Option<Epoch>) -> Self {
        Self { next: head.next(), at, told, committed: Committed { epoch, ..Committed::default() } }
    }

    /// The position of the last event.
    pub fn head(&self) -> Position {
        self.next.previous()
    }

    /// The time of an event that is written now: times never run backwards in the log, although the clocks of nodes differ. A node
    /// whose clock is wrong does not write a time that the database's clock is far from.
    ///
    /// A newest event that is further ahead than right clocks can differ was written while the only clock was wrong. The times of the
    /// log then follow the clock that is right, or they would all be wrong until that time has come.
    pub fn time(&self, now: Timestamp) -> Timestamp {
        let now = self.told.map_or(now, |told| now.clamp(told.minus(APART), told.plus(APART)));
        if self.at.since(now) <= NODES_APART { now.max(self.at) } else { now }
    }

    /// Gives an event the next position. Called last in a request, when no rule can refuse it any more.
    pub fn add(&mut self, new: &NewEvent) -> Result<Position, Failure> {
        if self.time(new.at) != new.at {
            return Err(Failure::fault("an event was written with a time that the log has passed".into()));
        }
        let position = self.next;
        let data = serde_json::to_string(new)?;
        let NewEvent { kind, place, subject, at, .. } = *new;
        self.committed.events.push(Event {
            position,
            kind,
            place,
            subject,
            at,
            data,
            text: new.text(position),
        });
        (self.next, self.at) = (position.next(), at);
        Ok(position)
    }

    pub fn mark(&self) -> Mark {
        let Committed { events, extended, epoch: _ } = &self.committed;
        Mark { next: self.next, at: self.at, events: events.len(), extended: extended.len() }
    }

    /// Forgets what was added after the mark.
    pub fn cut(&mut self, mark: Mark) {
        (self.next, self.at) = (mark.next, mark.at);
        self.committed.events.truncate(mark.events);
        self.committed.extended.truncate(mark.extended);
    }
}
