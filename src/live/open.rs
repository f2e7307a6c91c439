//! Opening a stream, in the order that leaves no gap: register, check the session, and only then read. The stream's writer
//! goes on from there: it subscribes, and reads the log up to what it may have missed by coming late.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::frame::{self, ResetReason};
use super::meters::Meters;
use super::node::LiveNode;
use super::registry::{Registration, Registry, SessionCheck};
use super::scope::Scope;
use super::stream::EventStream;
use super::writer::{Opened, Writers};
use crate::domain::cursor::Cursors;
use crate::domain::ids::Position;
use crate::domain::refusal::Refusal;
use crate::domain::room::RoomRef;
use crate::domain::session::Caller;
use crate::storage::{self, Snapshot};

/// The live path of a node: it opens streams, and owns the writers that go on with them.
#[derive(Clone)]
pub struct Live {
    node: LiveNode,
    writers: Arc<Writers>,
}

/// The person who reads, and the address that they come from.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    pub caller: Caller,
    pub address: IpAddr,
}

/// Where a stream starts, as the request says it.
#[derive(Clone, Debug, Default)]
pub struct Start {
    pub after: Option<String>,
    /// Newer than `after` when both are good: a client sends it on its own reconnects.
    pub last_event_id: Option<String>,
    /// If more events than this would have to be replayed, the stream says `reset` instead.
    pub max_replay: Option<u32>,
}

/// Why no stream was opened.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("too many open streams")]
    TooMany,
    #[error("the session has ended")]
    SignedOut,
    #[error(transparent)]
    Store(#[from] storage::Error),
}

impl From<Refusal> for OpenError {
    fn from(refusal: Refusal) -> Self {
        Self::Store(refusal.into())
    }
}

/// Least and most of the first `retry:`, in ms. It is random, so that readers who were cut off together do not return together.
const RETRY_MS: (u64, u64) = (2_000, 5_000);

/// Where a stream begins, once the log has been looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Beginning {
    /// No cursor was given.
    Now,
    /// After a position, which the client named by this cursor.
    After(Position, String),
    Lost(ResetReason),
}

impl Live {
    /// Starts the writers, on the runtime that it is called on.
    pub fn new(node: LiveNode) -> Self {
        let writers = Arc::new(Writers::start(&node));
        Self { node, writers }
    }

    pub fn node(&self) -> &LiveNode {
        &self.node
    }

    pub fn registry(&self) -> &Registry {
        &self.node.registry
    }

    pub fn meters(&self) -> &Meters {
        &self.node.meters
    }

    /// Waits until every stream has ended, which [`Registry::close`] makes them do; those that are still open after this
    /// time are cut.
    pub async fn finish(&self, within: Duration) {
        self.writers.finish(within).await;
    }

    /// The stream of one room for one of its members.
    pub async fn open_room(
        &self,
        reader: Reader,
        room: &RoomRef,
        start: &Start,
    ) -> Result<EventStream, OpenError> {
        // 1. Registered first: whatever ends the session or the membership from now on is told to this stream.
        let registration =
            self.node.registry.register(reader.caller, reader.address).ok_or(OpenError::TooMany)?;
        // 2. The session, after registering: one that ends later tells the stream.
        self.check_session(reader.caller)?;
        // 3. One snapshot is the authorization, as of its head.
        let cursors = self.node.store.cursors().pinned();
        let snapshot = self.node.store.open_room_events(room, reader.caller.user).await?;
        let room = snapshot.rooms.first().map(|membership| membership.room).ok_or(Refusal::RoomNotFound)?;
        if !self.node.registry.enters(&registration.handle, room) {
            return Err(OpenError::TooMany);
        }
        // 4. The writer subscribes once the stream has a socket, and replays (cursor, target]: everything that was sent
        //    before it subscribed lies at or below that target, so what happens meanwhile is in the log or in the channel.
        self.begin(registration, reader.caller, Scope::Room(room), (&snapshot, &cursors), start).await
    }

    /// The stream of all rooms of a person: the same four steps.
    pub async fn open_person(&self, reader: Reader, start: &Start) -> Result<EventStream, OpenError> {
        let registration =
            self.node.registry.register(reader.caller, reader.address).ok_or(OpenError::TooMany)?;
        self.check_session(reader.caller)?;
        let cursors = self.node.store.cursors().pinned();
        let snapshot = self.node.store.open_user_events(reader.caller.user).await?;
        self.begin(registration, reader.caller, Scope::Person, (&snapshot, &cursors), start).await
    }

    async fn begin(
        &self,
        registration: Registration,
        caller: Caller,
        scope: Scope,
        (snapshot, cursors): (&Snapshot, &Cursors),
        start: &Start,
    ) -> Result<EventStream, OpenError> {
        let beginning = self.beginning(start, snapshot, scope, caller).await?;
        let resumed = matches!(beginning, Beginning::After(..));
        let now = || cursors.of_snapshot(snapshot.head);
        // A client that names a cursor is told the same one: a new one for the same position would look like another place.
        let (from, cursor, reason) = match beginning {
            Beginning::Now => (snapshot.head, now(), None),
            Beginning::After(position, cursor) => (position, cursor, None),
            Beginning::Lost(reason) => (snapshot.head, now(), Some(reason)),
        };
        let (least, most) = RETRY_MS;
        let retry_ms = least + self.node.ids.random_below(most - least);
        let (deadline, expires_at) = registration.handle.deadline();
        let hello = self.node.greeting(cursor, expires_at, resumed, reason);
        let opened = Opened {
            registration,
            reader: caller.user,
            scope,
            rooms: snapshot.rooms.iter().map(|membership| membership.room).collect(),
            from,
            settled: snapshot.head,
            deadline,
            greeting: vec![frame::retry(retry_ms), hello],
        };
        Ok(EventStream::new(opened, self.writers.clone()))
    }

    fn check_session(&self, caller: Caller) -> Result<(), OpenError> {
        match self.node.registry.check(caller.session) {
            SessionCheck::Ended => Err(OpenError::SignedOut),
            SessionCheck::Live { .. } | SessionCheck::Unknown => Ok(()),
        }
    }

    async fn beginning(
        &self,
        start: &Start,
        snapshot: &Snapshot,
        scope: Scope,
        caller: Caller,
    ) -> Result<Beginning, OpenError> {
        if start.after.is_some() || start.last_event_id.is_some() {
            self.node.store.learn_epochs_of_others().await?;
        }
        let wanted = wanted(start, self.node.store.cursors(), snapshot);
        let (&Beginning::After(after, _), Some(most)) = (&wanted, start.max_replay) else {
            return Ok(wanted);
        };
        let too_many = match scope {
            Scope::Room(room) => {
                self.node.store.room_has_more(room, caller.user, after, snapshot.head, most).await?
            }
            Scope::Person => self.node.store.user_has_more(caller.user, after, snapshot.head, most).await?,
        };
        Ok(if too_many { Beginning::Lost(ResetReason::MaxReplay) } else { wanted })
    }
}

fn wanted(start: &Start, cursors: &Cursors, snapshot: &Snapshot) -> Beginning {
    let decode = |cursor: &String| Some((cursors.decode(cursor, snapshot.head)?, cursor.clone()));
    let after = start.after.as_ref().map(decode);
    let last_event_id = start.last_event_id.as_ref().map(decode);
    let place = match (after, last_event_id) {
        (None, None) => return Beginning::Now,
        // What the client saw last counts; it overrules an `after` that means nothing here.
        (after, Some(Some(last))) => after.flatten().filter(|after| after.0 > last.0).or(Some(last)),
        (_, Some(None)) => None,
        (after, None) => after.flatten(),
    };
    match place {
        None => Beginning::Lost(ResetReason::UnknownCursor),
        Some((position, _)) if position < snapshot.floor => Beginning::Lost(ResetReason::Retention),
        Some((position, cursor)) => Beginning::After(position, cursor),
    }
}
