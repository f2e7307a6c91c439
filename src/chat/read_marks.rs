//! Read marks: what a member has read of a room, on all devices alike.

use super::limits::Counted;
use super::{Chat, Result};
use crate::domain::ids::MessageId;
use crate::domain::read_mark::ReadMark;
use crate::domain::room::RoomRef;
use crate::domain::session::Caller;
use crate::storage::MoveTo;

impl Chat {
    /// Moves the caller's mark forward to this message. An older one changes nothing.
    pub async fn mark_read(&self, caller: Caller, room: &RoomRef, message: MessageId) -> Result<ReadMark> {
        self.move_read_mark(caller, room, MoveTo::Read(message)).await
    }

    /// Makes this message the first one that the caller has not read.
    pub async fn mark_unread(&self, caller: Caller, room: &RoomRef, message: MessageId) -> Result<ReadMark> {
        self.move_read_mark(caller, room, MoveTo::Unread(message)).await
    }

    /// Moves the caller's mark to the newest message in each room that has something unread.
    pub async fn mark_all_read(&self, caller: Caller) -> Result<()> {
        self.limits.take(Counted::Mark(caller.user))?;
        Ok(self.store.mark_all_read(caller.user, self.clock.now()).await?)
    }

    async fn move_read_mark(&self, caller: Caller, room: &RoomRef, to: MoveTo) -> Result<ReadMark> {
        self.limits.take(Counted::Mark(caller.user))?;
        Ok(self.store.move_read_mark(room.clone(), caller.user, to, self.clock.now()).await?)
    }
}
