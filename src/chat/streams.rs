//! Streams: opening them for a caller, at a bounded rate. What they show and when they end is decided in `live`.

use std::net::IpAddr;

use super::limits::{Counted, Held};
use super::{Chat, Result, StreamStart};
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
        let place = self.stream_place(caller)?;
        let reader = Reader { caller, address: network_of(address) };
        let stream = self.live.open_room(reader, room, &start).await?;
        place.spend();
        Ok(stream)
    }

    pub async fn open_user_stream(
        &self,
        caller: Caller,
        start: StreamStart,
        address: IpAddr,
    ) -> Result<EventStream> {
        let place = self.stream_place(caller)?;
        let reader = Reader { caller, address: network_of(address) };
        let stream = self.live.open_person(reader, &start).await?;
        place.spend();
        Ok(stream)
    }

    /// Counts an opening. The rate of the person comes first, and an opening that is refused later gives the token of the node
    /// back, so that nobody uses up what all people share without opening anything.
    fn stream_place(&self, caller: Caller) -> Result<Held<'_>> {
        self.limits.take(Counted::StreamOpen(caller.user))?;
        self.limits.hold(Counted::StreamOpenHere)
    }
}
