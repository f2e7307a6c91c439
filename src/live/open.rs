//! Opening a stream, in the order that leaves no gap: register, check the session, and only then read. The stream's writer
//! goes on from there: it subscribes, and reads the log up to what it may have missed by coming late.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::frame::{self, Chunk, Hello, ResetReason};
use super::hub::Hub;
use super::registry::{Registration, Registry, SessionCheck};
use super::stream::EventStream;
use super::writer::Opened;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::cursor::Cursors;
use crate::domain::ids::{Ids, Position, RoomId};
use crate::domain::refusal::Refusal;
use crate::domain::room::RoomRef;
use crate::domain::session::Caller;
use crate::storage::{self, Snapshot, Store};

/// What the streams of a node share.
#[derive(Clone)]
pub struct Live {
    pub store: Arc<Store>,
    pub hub: Arc<Hub>,
    pub registry: Arc<Registry>,
    pub clock: Clock,
    pub ids: Ids,
    /// A stream that has nothing to say says `ping` this often.
    pub heartbeat: Duration,
    /// How long a reader may stay behind what happens.
    pub slow_after: Duration,
}

/// Who reads, and from where.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    pub caller: Caller,
    pub address: IpAddr,
}

/// Which part of the log a stream shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Room(RoomId),
    /// All rooms of the reader, following joins and leaves.
    Person,
}

/// Where a stream starts, as the request says it.
#[derive(Clone, Debug, Default)]
pub struct Start {
    pub after: Option<String>,
    /// Newer than `after` when both are good: a client sends it on its own reconnects.
    pub last_event_id: Option<String>,
    /// Rather a reset than more events than this.
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

/// Bounds of `retry:` at the beginning, in ms: spread, so that readers cut off together do not return together.
const RETRY_MS: (u64, u64) = (2_000, 5_000);

/// Where a stream begins, once the log has been looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    /// No cursor was given.
    Now,
    After(Position),
    Lost(ResetReason),
}

impl Live {
    /// The stream of one room for one of its members.
    pub async fn open_room(
        &self,
        reader: Reader,
        room: &RoomRef,
        start: &Start,
    ) -> Result<EventStream, OpenError> {
        // 1. Registered first: whatever ends the session or the membership from now on is told to this stream.
        let place = self.registry.register(reader.caller, reader.address).ok_or(OpenError::TooMany)?;
        // 2. The session, after registering: one that ends later tells the stream.
        self.check_session(reader.caller)?;
        // 3. One snapshot is the authorization, as of its head.
        let snapshot = self.store.open_room_events(room, reader.caller.user).await?;
        let room = snapshot.rooms.first().map(|membership| membership.room).ok_or(Refusal::RoomNotFound)?;
        if !self.registry.enters(&place.handle, room) {
            return Err(OpenError::TooMany);
        }
        // 4. The writer subscribes once the stream has a socket, and replays (cursor, target]: everything that was sent
        //    before it subscribed lies at or below that target, so what happens meanwhile is in the log or in the channel.
        self.begin(place, reader.caller, Scope::Room(room), &snapshot, start).await
    }

    /// The stream of all rooms of a person: the same four steps.
    pub async fn open_person(&self, reader: Reader, start: &Start) -> Result<EventStream, OpenError> {
        let place = self.registry.register(reader.caller, reader.address).ok_or(OpenError::TooMany)?;
        self.check_session(reader.caller)?;
        let snapshot = self.store.open_user_events(reader.caller.user).await?;
        self.begin(place, reader.caller, Scope::Person, &snapshot, start).await
    }

    async fn begin(
        &self,
        place: Registration,
        caller: Caller,
        scope: Scope,
        snapshot: &Snapshot,
        start: &Start,
    ) -> Result<EventStream, OpenError> {
        let beginning = self.beginning(start, snapshot, scope, caller).await?;
        let (from, reason) = match beginning {
            Beginning::Now => (snapshot.head, None),
            Beginning::After(position) => (position, None),
            Beginning::Lost(reason) => (snapshot.head, Some(reason)),
        };
        let (least, most) = RETRY_MS;
        let retry_ms = least + self.ids.random_below(most - least);
        let resumed = matches!(beginning, Beginning::After(_));
        let (deadline, expires_at) = place.handle.deadline();
        let hello = greeting(self, from, expires_at, resumed, reason);
        let opened = Opened {
            place,
            reader: caller.user,
            scope,
            rooms: snapshot.rooms.iter().map(|membership| membership.room).collect(),
            from,
            settled: snapshot.head,
            deadline,
            greeting: vec![frame::retry(retry_ms), hello],
        };
        Ok(EventStream::new(self.clone(), opened))
    }

    fn check_session(&self, caller: Caller) -> Result<(), OpenError> {
        match self.registry.check(caller.session) {
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
        let wanted = wanted(start, self.store.cursors(), snapshot);
        let (Beginning::After(after), Some(most)) = (wanted, start.max_replay) else { return Ok(wanted) };
        let too_many = match scope {
            Scope::Room(room) => self.store.room_has_more(room, after, snapshot.head, most).await?,
            Scope::Person => self.store.user_has_more(caller.user, after, snapshot.head, most).await?,
        };
        Ok(if too_many { Beginning::Lost(ResetReason::MaxReplay) } else { wanted })
    }
}

/// The first frame with data, and what stands in its place in the middle of a stream that has lost its past.
pub(super) fn greeting(
    live: &Live,
    from: Position,
    expires_at: Timestamp,
    resumed: bool,
    reason: Option<ResetReason>,
) -> Chunk {
    let hello = Hello {
        kind: if reason.is_some() { "reset" } else { "hello" },
        cursor: live.store.cursors().encode(from),
        heartbeat_seconds: live.heartbeat.as_secs(),
        expires_at,
        resumed,
        reason,
    };
    hello.chunk()
}

fn wanted(start: &Start, cursors: &Cursors, snapshot: &Snapshot) -> Beginning {
    let decode = |cursor: &String| cursors.decode(cursor, snapshot.head);
    let after = start.after.as_ref().map(decode);
    let last_event_id = start.last_event_id.as_ref().map(decode);
    let position = match (after, last_event_id) {
        (None, None) => return Beginning::Now,
        // What the client saw last counts; it overrules an `after` that means nothing here.
        (after, Some(Some(last))) => Some(last.max(after.flatten().unwrap_or(last))),
        (_, Some(None)) => None,
        (after, None) => after.flatten(),
    };
    match position {
        None => Beginning::Lost(ResetReason::UnknownCursor),
        Some(position) if position < snapshot.floor => Beginning::Lost(ResetReason::Retention),
        Some(position) => Beginning::After(position),
    }
}
