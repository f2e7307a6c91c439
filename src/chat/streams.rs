//! Streams: opening them for a caller, at a bounded rate. What they show and when they end is decided in `live`.

use std::net::IpAddr;

use super::limits::Counted;
use super::{Chat, Error, Result, StreamStart};
use crate::domain::network::network_of;
use crate::domain::room::RoomRef;
use crate::domain::session::Caller;
use crate::live::{EventStream, Reader};

impl Chat {
    pub async fn open_room_stream(
        &self,
        caller: Caller,
        room: &RoomRef,
        start: StreamStart,
        address: IpAddr,
    ) -> Result<EventStream> {
        self.count_opening(caller)?;
        let reader = Reader { caller, address: network_of(address) };
        let opened = self.live.open_room(reader, room, &start).await;
        self.opened(opened)
    }

    pub async fn open_user_stream(
        &self,
        caller: Caller,
        start: StreamStart,
        address: IpAddr,
    ) -> Result<EventStream> {
        self.count_opening(caller)?;
        let reader = Reader { caller, address: network_of(address) };
        let opened = self.live.open_person(reader, &start).await;
        self.opened(opened)
    }

    /// Counts an opening, first for the person: nobody uses up what all people share faster than at their own rate.
    fn count_opening(&self, caller: Caller) -> Result<()> {
        self.limits.take(Counted::StreamOpen(caller.user))?;
        self.limits.take(Counted::StreamOpenHere)
    }

    /// Gives the token of the node back if the opening was refused. An opening whose client has hung up stays counted: the work
    /// for it was done.
    fn opened<E: Into<Error>>(&self, opened: std::result::Result<EventStream, E>) -> Result<EventStream> {
        if opened.is_err() {
            self.limits.give_back(&Counted::StreamOpenHere);
        }
        opened.map_err(Into::into)
    }
}
