//! The end of the log in the running transaction: the next position, and what the rest of the node has to know after the
//! commit. It knows no connection.

use uuid::Uuid;

use super::committed::Committed;
use super::statements::statements;
use crate::domain::event::{Event, NewEvent, Subject};
use crate::domain::ids::Position;

statements! {
    /// Stores a numbered event: its position, room, seq, type, subject, data and time.
    pub(super) INSERT_EVENT =
        "INSERT INTO events (position, room_id, seq, type, ref, data, at) VALUES ($1, $2, $3, $4, $5, $6, $7)";
}

/// The end of the log, and what the transaction has added to it.
#[derive(Debug, Default)]
pub(super) struct Tail {
    /// The position that the next event takes.
    pub next: Position,
    pub committed: Committed,
}

/// A numbered event that is still to be stored.
pub(super) struct EventRow {
    pub position: Position,
    pub subject: Option<Uuid>,
    pub data: String,
}

/// A state of the tail that `cut` returns to.
#[derive(Clone, Copy)]
pub(super) struct Mark(Position, [usize; 4]);

impl Tail {
    /// Begins a transaction in which the log ends at `head`.
    pub fn after(head: Position) -> Self {
        Self { next: head.next(), committed: Committed::default() }
    }

    /// The position of the last event.
    pub fn head(&self) -> Position {
        self.next.previous()
    }

    /// Gives an event the next position. Called last in a request, when no rule can refuse it any more. The caller stores the
    /// row.
    pub fn number(&mut self, event: &NewEvent) -> Result<EventRow, serde_json::Error> {
        let position = self.next;
        let data = serde_json::to_string(event)?;
        let (subject, person) = match event.subject() {
            Some(Subject::Person(user)) => (Some(user.uuid()), event.kind.is_membership().then_some(user)),
            Some(Subject::Message(message)) => (Some(message.uuid()), None),
            None => (None, None),
        };
        let published = Event { position, room: event.room, kind: event.kind, person, data: data.clone() };
        self.committed.events.push(published);
        self.next = position.next();
        Ok(EventRow { position, subject, data })
    }

    pub fn mark(&self) -> Mark {
        Mark(self.next, self.committed.marks())
    }

    /// Forgets what was added after the mark.
    pub fn cut(&mut self, Mark(next, marks): Mark) {
        self.next = next;
        self.committed.truncate(marks);
    }
}
