//! Opening a stream, in the order that leaves no gap: register, subscribe, check the session, and only then read.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::channels::Channels;
use super::frame::ResetReason;
use super::hub::Hub;
use super::registry::{Registry, SessionCheck};
use super::stream::EventStream;
use crate::domain::clock::Clock;
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
    pub heartbeat: Duration,
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

/// Where a stream begins, once the log has been looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beginning {
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
        // A name has to be looked up before there is a channel to subscribe to; step 4 authorizes what was found.
        let named = self.store.open_room_events(room, reader.caller.user).await?;
        let room = named.rooms.first().map(|membership| membership.room).ok_or(Refusal::RoomNotFound)?;
        // 2. Subscribed before reading: an event is in the snapshot or in the channel, or in both.
        let channels = Channels::of_room(self.hub.clone(), room);
        let mut stream =
            EventStream::new(self.clone(), place, reader.caller.user, Scope::Room(room), channels);
        // 3. The session, after registering: one that ends later tells the stream.
        self.check_session(reader.caller)?;
        // 4. One snapshot is the authorization, as of its head.
        let snapshot = self.store.open_room_events(&RoomRef::Id(room), reader.caller.user).await?;
        let beginning = self.beginning(start, &snapshot, Scope::Room(room), reader.caller).await?;
        // 5. Replay (cursor, head]; live frames up to the head are skipped.
        stream.begin(beginning, &snapshot);
        Ok(stream)
    }

    /// The stream of all rooms of a person.
    pub async fn open_person(&self, reader: Reader, start: &Start) -> Result<EventStream, OpenError> {
        // The same five steps; the rooms to subscribe to are known only from the snapshot.
        let user = reader.caller.user;
        let place = self.registry.register(reader.caller, reader.address).ok_or(OpenError::TooMany)?;
        let channels = Channels::of_person(self.hub.clone(), user);
        let mut stream = EventStream::new(self.clone(), place, user, Scope::Person, channels);
        self.check_session(reader.caller)?;
        let snapshot = stream.subscribe_to_all().await?;
        let beginning = self.beginning(start, &snapshot, Scope::Person, reader.caller).await?;
        stream.begin(beginning, &snapshot);
        Ok(stream)
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
