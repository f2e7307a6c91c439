//! The transaction of a batch as its requests see it: a savepoint for each, numbered events, and what the rest of the node must
//! know after the commit. It knows nothing of requests.

use super::committed::Committed;
use super::tail::{Mark, Tail};
use crate::domain::clock::Timestamp;
use crate::domain::event::{NewEvent, Subject};
use crate::domain::ids::{Position, SessionId};
use crate::storage::error::{BatchFailure, Failure};
use crate::storage::sql::{Connection, Value, statements};

statements! {
    HEAD = "SELECT head FROM log";
    MOVE_HEAD = "UPDATE log SET head = $1";
    STORE_EVENT = "INSERT INTO events (position, audience, room_id, seq, type, ref, data, at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
}

/// The running transaction of the journal.
pub(in crate::storage) struct Transaction {
    connection: Connection,
    tail: Tail,
    /// The state before the running request; none until the request has its savepoint.
    began: Option<Mark>,
}

impl Transaction {
    pub fn new(connection: Connection) -> Self {
        Self { connection, tail: Tail::default(), began: None }
    }

    pub fn sql(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Begins the transaction of a batch.
    pub(super) async fn begin(&mut self) -> Result<(), Failure> {
        self.connection.begin().await?;
        let head = HEAD.query().one(&mut self.connection, |row| row.get(0)).await?;
        self.tail = Tail::after(Position(head));
        Ok(())
    }

    /// Opens the savepoint of a request.
    pub(super) async fn begin_request(&mut self) -> Result<(), Failure> {
        self.began = None;
        self.connection.savepoint().await?;
        self.began = Some(self.tail.mark());
        Ok(())
    }

    /// Ends a request that has written what it should.
    pub(super) async fn end_request(&mut self) -> Result<(), Failure> {
        self.began = None;
        self.connection.release().await
    }

    /// Undoes the running request, if it has its savepoint.
    pub(super) async fn undo_request(&mut self) -> Result<(), Failure> {
        let Some(mark) = self.began.take() else { return Ok(()) };
        self.tail.cut(mark);
        self.connection.undo().await?;
        self.connection.release().await
    }

    /// The position of the last event.
    pub fn head(&self) -> Position {
        self.tail.head()
    }

    /// The position that the next event takes.
    pub fn next_position(&self) -> Position {
        self.tail.next
    }

    /// Adds an event to the log. A request calls it last, after all rules were checked.
    pub fn append(&mut self, event: &NewEvent) -> Result<Position, Failure> {
        Ok(self.tail.add(event)?)
    }

    /// A session got a newer access token, which expires then.
    pub fn extend(&mut self, session: SessionId, expires_at: Timestamp) {
        self.tail.committed.extended.push((session, expires_at));
    }

    /// Stores the events that were added. They are stored together at the end, unless a request has to change them.
    pub async fn store_events(&mut self) -> Result<(), Failure> {
        for event in self.tail.take_unstored() {
            STORE_EVENT
                .bind(event.position)
                .bind(event.kind.audience().as_str())
                .bind(event.place.map(|place| place.room))
                .bind(event.place.map(|place| place.seq))
                .bind(event.kind.as_str())
                .bind(event.subject.map(Subject::uuid))
                .bind(Value::from(&event.data))
                .bind(event.at)
                .run(&mut self.connection)
                .await?;
        }
        Ok(())
    }

    /// Ends the batch: stores its events and commits, with a sync.
    pub(super) async fn commit(&mut self) -> Result<(), BatchFailure> {
        if !self.tail.committed.events.is_empty() {
            self.end_log().await.map_err(BatchFailure::Undone)?;
        }
        self.connection.commit().await.map_err(BatchFailure::of_commit)
    }

    async fn end_log(&mut self) -> Result<(), Failure> {
        self.store_events().await?;
        MOVE_HEAD.bind(self.tail.head()).run(&mut self.connection).await.map(drop)
    }

    /// Prepares for the next batch, and returns what the rest of the node must know of this one.
    pub(super) fn take(&mut self) -> Committed {
        std::mem::take(&mut self.tail.committed)
    }

    /// Ends the transaction, unless the engine has ended it already.
    pub(super) async fn roll_back(&mut self) -> Result<(), Failure> {
        self.connection.roll_back().await
    }
}
