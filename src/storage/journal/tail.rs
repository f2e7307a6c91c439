//! The end of the log in the running transaction: the next position, and what the rest of the node has to know after the
//! commit. It knows no connection.

use super::committed::Committed;
use crate::domain::event::{Event, NewEvent};
use crate::domain::ids::Position;

/// The end of the log, and what the transaction has added to it.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// The position that the next event takes.
    pub next: Position,
    pub committed: Committed,
}

/// A state of the tail that `cut` returns to.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    next: Position,
    events: usize,
    extended: usize,
}

impl Tail {
    /// Begins a transaction in which the log ends at `head`.
    pub fn after(head: Position) -> Self {
        Self { next: head.next(), ..Self::default() }
    }

    /// The position of the last event.
    pub fn head(&self) -> Position {
        self.next.previous()
    }

    /// Gives an event the next position. Called last in a request, when no rule can refuse it any more.
    pub fn add(&mut self, new: &NewEvent) -> Result<Position, serde_json::Error> {
        let position = self.next;
        let data = serde_json::to_string(new)?;
        let NewEvent { kind, place, subject, at, .. } = *new;
        self.committed.events.push(Event { position, kind, place, subject, at, data });
        self.next = position.next();
        Ok(position)
    }

    pub fn mark(&self) -> Mark {
        Mark { next: self.next, events: self.committed.events.len(), extended: self.committed.extended.len() }
    }

    /// Forgets what was added after the mark.
    pub fn cut(&mut self, mark: Mark) {
        self.next = mark.next;
        self.committed.events.truncate(mark.events);
        self.committed.extended.truncate(mark.extended);
    }
}
