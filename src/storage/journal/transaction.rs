//! The transaction of a batch as its requests see it: a savepoint for each, numbered events, and what the rest of the node must
//! know after the commit. It knows nothing of requests.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use futures_util::FutureExt;

use super::committed::Committed;
use super::tail::{Mark, Tail};
use crate::bus::Cluster;
use crate::domain::clock::Timestamp;
use crate::domain::cursor::{Cursors, Epoch};
use crate::domain::event::{Audience, Event, NewEvent, Subject};
use crate::domain::ids::{Ids, Position, SessionId};
use crate::storage::epochs;
use crate::storage::error::{BatchFailure, Failure};
use crate::storage::meters::Meters;
use crate::storage::notify::channel;
use crate::storage::sql::{Connection, Query, Row, statements};

statements! {
    /// The row of the log is the lock of all transactions that add to it, on whatever node. SQLite has one for the file.
    HEAD = "SELECT head, at, coalesce(epoch, 0) AS epoch, (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT AS now FROM log FOR UPDATE",
        sqlite "SELECT head, at, coalesce(epoch, 0) AS epoch, NULL AS now FROM log";
    MOVE_HEAD = "UPDATE log SET head = $1, at = $2";
    /// Other nodes are told when the transaction is committed. SQLite has none.
    ANNOUNCE = "SELECT pg_notify($1, $2)", sqlite "SELECT $1, $2";
    STORE_EVENT = "INSERT INTO events (position, audience, room_id, seq, type, ref, message, data, at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    /// Takes the event out of the log whose place a newer one takes. So the log keeps one for each person, room and type.
    SUPERSEDE = "DELETE FROM events WHERE audience = 'person' AND ref = $1 AND room_id = $2 AND type = $3";
}

/// How often a transaction meets the epochs of the log before it gives up. Twice is enough, unless other nodes begin new ones at the
/// same moment.
const MEETINGS: usize = 4;

/// What the transactions of a journal may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::storage) enum Lane {
    /// Everything. Only one transaction of all nodes at a time can be in it.
    Log,
    /// What adds no event to the log.
    Plain,
}

/// What a transaction needs where other nodes write, too.
pub(in crate::storage) struct Shared {
    pub cluster: Cluster,
    pub cursors: Cursors,
    /// The newest position that this node has seen in the log.
    pub seen: Arc<AtomicI64>,
    pub meters: Arc<Meters>,
    pub ids: Ids,
}

/// The running transaction of the journal.
pub(in crate::storage) struct Transaction {
    connection: Connection,
    tail: Tail,
    /// Whether it may add to the log.
    lane: Lane,
    /// None where this node is the only one.
    shared: Option<Shared>,
    /// The state before the running request; none until the request has its savepoint.
    began: Option<Mark>,
}

impl Shared {
    /// The epoch, if it is the one that this node knows, and the log goes on from what the node has seen of it.
    fn known(&self, head: Position, epoch: i64) -> Option<Epoch> {
        let known = self.cursors.epoch();
        let goes_on = head.0 >= self.seen.load(Ordering::Acquire);
        (goes_on && epoch == i64::from(known.0)).then_some(known)
    }

    /// Learns which epochs there are, and begins one if something is lost.
    async fn meet(&self, sql: &mut Connection) -> Result<(), Failure> {
        let seen = Position(self.seen.load(Ordering::Acquire));
        let begun = epochs::begin(sql, true, seen, self.ids).await?;
        if self.cursors.learn(begun.epochs) {
            self.meters.met_epoch();
        }
        self.seen.store(begun.head.0, Ordering::Release);
        Ok(())
    }
}

impl Transaction {
    pub fn new(connection: Connection, lane: Lane, shared: Option<Shared>) -> Self {
        Self { connection, tail: Tail::default(), lane, shared, began: None }
    }

    pub fn sql(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Begins the transaction of a batch. Long because what it learns may make it begin again.
    pub(super) async fn begin(&mut self) -> Result<(), Failure> {
        self.begin_looking(&[], |_| Ok(())).await.map(drop)
    }

    /// The same, and reads the first row of each query. A server is waited for once.
    pub(super) async fn begin_looking<T: Send>(
        &mut self,
        looks: &[Query<'_>],
        read: fn(&Row<'_>) -> Result<T, Failure>,
    ) -> Result<Vec<Option<T>>, Failure> {
        if let Some(shared) = &self.shared
            && !self.connection.is_open()
        {
            // The database may be another one since the connection was lost. (Boxed, because the compiler gives up on futures that are
            // nested more deeply.)
            let met = shared.meet(&mut self.connection).boxed().await;
            if met.is_err() {
                // Nothing is written through a connection that has not been looked at.
                self.connection.give_up();
            }
            met?;
        }
        self.tail = Tail::default();
        for _ in 0..MEETINGS {
            self.connection.begin()?;
            if self.shared.is_some() {
                self.connection.stay();
            }
            if self.lane == Lane::Plain {
                return Query::first_of_each(looks, &mut self.connection, read).await;
            }
            let end = |row: &Row<'_>| {
                let at = Timestamp::from_micros(row.get("at")?);
                let told = row.get::<Option<i64>, _>("now")?.map(Timestamp::from_micros);
                Ok((Position(row.get("head")?), row.get::<i64, _>("epoch")?, (at, told)))
            };
            let began = Instant::now();
            let ((head, epoch, times), found) =
                HEAD.query().one_and_first_of_each(looks, &mut self.connection, end, read).await?;
            let Some(shared) = &self.shared else {
                self.tail = Tail::after(head, times, None);
                return Ok(found);
            };
            shared.meters.waited(began.elapsed());
            if let Some(epoch) = shared.known(head, epoch) {
                self.tail = Tail::after(head, times, Some(epoch));
                return Ok(found);
            }
            // In a transaction of its own: whatever is published of this one has to be of an epoch that is known.
            self.connection.roll_back().await?;
            shared.meet(&mut self.connection).boxed().await?;
        }
        // Its readers are connected to another database, as when two servers take writes at once after a failover.
        self.connection.give_up();
        Err(Failure::lost("the database that is written to lacks an epoch that this node has read"))
    }

    /// Opens the savepoint of a request.
    pub(super) fn begin_request(&mut self) -> Result<(), Failure> {
        self.began = None;
        self.connection.savepoint()?;
        self.began = Some(self.tail.mark());
        Ok(())
    }

    /// Ends a request that has written what it should.
    pub(super) fn end_request(&mut self) -> Result<(), Failure> {
        self.began = None;
        self.connection.release()
    }

    /// Undoes the running request, if it has its savepoint.
    pub(super) fn undo_request(&mut self) -> Result<(), Failure> {
        let Some(mark) = self.began.take() else { return Ok(()) };
        self.tail.cut(mark);
        self.connection.undo()?;
        self.connection.release()
    }

    /// The position of the last event.
    pub fn head(&self) -> Position {
        self.tail.head()
    }

    /// The time of what is written to the log now, by the clock that shows `now`. It is that of the newest event if the clock is
    /// behind the one of the node that has written it.
    pub fn time(&self, now: Timestamp) -> Timestamp {
        self.tail.time(now)
    }

    /// The position that the next event takes.
    pub fn next_position(&self) -> Position {
        self.tail.next
    }

    /// Whether events can be added to the log.
    pub fn may_append(&self) -> bool {
        self.lane == Lane::Log
    }

    /// Adds an event to the log, with a time that `time` has given. A request calls it last, after all rules were checked.
    pub fn append(&mut self, event: &NewEvent) -> Result<Position, Failure> {
        if self.lane == Lane::Plain {
            return Err(Failure::fault("an event was written where the log is not locked".into()));
        }
        self.tail.add(event)
    }

    /// A session got a newer access token, which expires then.
    pub fn extend(&mut self, session: SessionId, expires_at: Timestamp) {
        self.tail.committed.extended.push((session, expires_at));
    }

    /// Ends the batch: writes what is left, stores its events and commits, with a sync.
    pub(super) async fn commit(&mut self, mut last: Vec<Query<'_>>) -> Result<(), BatchFailure> {
        if self.tail.committed.events.is_empty() {
            return self.connection.commit_after(&last).await;
        }
        last.extend(kept(&self.tail.committed.events));
        let head = self.tail.head();
        last.push(MOVE_HEAD.bind(head).bind(self.tail.at));
        if let (Some(Shared { cluster, .. }), Some(epoch)) = (&self.shared, self.tail.committed.epoch) {
            last.push(ANNOUNCE.bind(channel(cluster.id())).bind(cluster.reaches(epoch, head)));
        }
        self.connection.commit_after(&last).await
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

/// What is written of the events of a batch: those whose place a later one of the batch takes are left out, and those of earlier
/// batches whose place one takes go.
fn kept(events: &[Event]) -> impl Iterator<Item = Query<'_>> {
    let is_personal = |event: &Event| event.kind.audience() == Audience::Person;
    let mut left_out = HashSet::new();
    if events.iter().any(is_personal) {
        let mut newer = HashSet::new();
        let personal = events.iter().rev().filter(|event| is_personal(event));
        let superseded = personal.filter(|event| !newer.insert((event.subject, event.room(), event.kind)));
        left_out = superseded.map(|event| event.position).collect();
    }
    events.iter().filter(move |event| !left_out.contains(&event.position)).flat_map(move |event| {
        let supersede = is_personal(event).then(|| {
            SUPERSEDE.bind(event.subject.map(Subject::uuid)).bind(event.room()).bind(event.kind.as_str())
        });
        supersede.into_iter().chain([stored(event)])
    })
}

fn stored(event: &Event) -> Query<'_> {
    STORE_EVENT
        .bind(event.position)
        .bind(event.kind.audience().as_str())
        .bind(event.place.map(|place| place.room))
        .bind(event.place.and_then(|place| place.seq))
        .bind(event.kind.as_str())
        .bind(event.subject.map(Subject::uuid))
        .bind(event.text.as_ref().map(|text| text.message))
        .bind(&event.data)
        .bind(event.at)
}
