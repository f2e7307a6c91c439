//! Streams: opening them for a caller. What they show and when they end is the live path's business.

use std::net::IpAddr;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};

use super::limits::Counted;
use super::{Chat, Result, StreamStart};
use crate::domain::room::RoomRef;
use crate::domain::session::Caller;
use crate::live::Reader;

/// Whole frames, until the stream ends by itself.
pub type Frames = BoxStream<'static, Bytes>;

impl Chat {
    pub async fn open_room_stream(
        &self,
        caller: Caller,
        room: &RoomRef,
        start: StreamStart,
        address: IpAddr,
    ) -> Result<Frames> {
        self.limits.take(Counted::StreamOpen(caller.user))?;
        let stream = self.live.open_room(Reader { caller, address }, room, &start).await?;
        Ok(stream.into_frames().boxed())
    }

    pub async fn open_user_stream(
        &self,
        caller: Caller,
        start: StreamStart,
        address: IpAddr,
    ) -> Result<Frames> {
        self.limits.take(Counted::StreamOpen(caller.user))?;
        let stream = self.live.open_person(Reader { caller, address }, &start).await?;
        Ok(stream.into_frames().boxed())
    }
}
