//! Streams: opening them for a caller. What they show and when they end is the live path's business.

use std::net::IpAddr;

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
        self.limits.take_stream_open(caller.user)?;
        Ok(self.live.open_room(Reader { caller, address: network_of(address) }, room, &start).await?)
    }

    pub async fn open_user_stream(
        &self,
        caller: Caller,
        start: StreamStart,
        address: IpAddr,
    ) -> Result<EventStream> {
        self.limits.take_stream_open(caller.user)?;
        Ok(self.live.open_person(Reader { caller, address: network_of(address) }, &start).await?)
    }
}
