//! Members: joining and leaving a room, adding people, and listing who is in it.

use super::limits::Counted;
use super::paging::{cut, name_in};
use super::{Chat, Made, Result};
use crate::domain::ids::Position;
use crate::domain::membership::{Member, Role};
use crate::domain::names::Username;
use crate::domain::refusal::Refusal;
use crate::domain::room::RoomRef;
use crate::domain::session::Caller;
use crate::storage::NewMember;

/// A page of the members of a room, by username.
#[derive(Clone, Debug)]
pub struct MembersPage {
    pub members: Vec<Member>,
    pub next_page: Option<String>,
    pub head: Position,
    pub last_seq: i64,
}

impl Chat {
    pub async fn join_room(&self, caller: Caller, room: &RoomRef) -> Result<Made<Member>> {
        self.limits.take(Counted::Join(caller.user))?;
        Ok(self.store.join_room(room.clone(), caller.user, self.clock.now()).await?)
    }

    pub async fn leave_room(&self, caller: Caller, room: &RoomRef) -> Result<()> {
        self.limits.take(Counted::Join(caller.user))?;
        Ok(self.store.leave_room(room.clone(), caller.user, self.clock.now()).await?)
    }

    pub async fn members(
        &self,
        caller: Caller,
        room: &RoomRef,
        page: Option<&str>,
        limit: u32,
    ) -> Result<MembersPage> {
        self.limits.take(Counted::Read(caller.user))?;
        let after = page.map(username_in).transpose()?;
        let one_more = i64::from(limit) + 1;
        let mut found = self.store.members(room, caller.user, after.as_ref(), one_more).await?;
        let next_page = cut(&mut found.members, limit, |member| member.user.username.as_str());
        Ok(MembersPage { members: found.members, next_page, head: found.head, last_seq: found.last_seq })
    }

    /// Adds a person to a room, or changes their role in it.
    pub async fn put_member(
        &self,
        caller: Caller,
        room: &RoomRef,
        username: &Username,
        role: Option<Role>,
    ) -> Result<Made<Member>> {
        self.limits.take(Counted::Join(caller.user))?;
        let (room, username, at) = (room.clone(), username.clone(), self.clock.now());
        Ok(self.store.put_member(NewMember { room, actor: caller.user, username, role, at }).await?)
    }
}

fn username_in(page: &str) -> Result<Username> {
    Ok(Username::lookup(&name_in(page)?).map_err(|_| Refusal::BadPage)?)
}
