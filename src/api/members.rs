//! Tag Members: who is in a room.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use super::auth::Caller;
use super::fail::{Outcome, refusals};
use super::paging::{limit_of, room_ref};
use super::payload::Body;
use super::problem::Problem;
use super::reply::{CreatedOrFound, Done, Reply};
use super::wire::member::{Member, MemberInput, MemberPage};
use super::{State, Tag};
use crate::domain::names::Username;
use crate::domain::refusal::Refusal;

#[derive(Default)]
pub struct MembersApi;

refusals! {
    JoinRoom: RoomNotFound, TooManyRooms;
    LeaveRoom: RoomNotFound, LastOwner;
    ListMembers: RoomNotFound, NotAMember, BadPage;
    PutMember: RoomNotFound, NotAMember, NotAnOwner, UserNotFound, LastOwner, TooManyRooms;
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Members")]
impl MembersApi {
    /// Join a public room
    ///
    /// Needs no body. 200 if the caller is in it already.
    #[oai(path = "/rooms/:room/join", method = "post", operation_id = "joinRoom")]
    async fn join_room(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
    ) -> Outcome<CreatedOrFound<Member>, JoinRoom> {
        let made = state.chat().join_room(caller.0, &room_ref(&room)?).await?;
        Ok(CreatedOrFound::from_made(made, Member::from))
    }

    /// Leave a room
    ///
    /// Needs no body. 204 also when the caller is not in a public room. The last owner cannot leave.
    #[oai(path = "/rooms/:room/leave", method = "post", operation_id = "leaveRoom")]
    async fn leave_room(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
    ) -> Outcome<Done, LeaveRoom> {
        state.chat().leave_room(caller.0, &room_ref(&room)?).await?;
        Ok(Done)
    }

    /// List the members of a room
    ///
    /// For its members, by username.
    #[oai(path = "/rooms/:room/members", method = "get", operation_id = "listMembers")]
    async fn list_members(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
        /// The `next_page` of the page before.
        #[oai(validator(max_length = 512))]
        page: Query<Option<String>>,
        /// Most entries of the page; 50 if absent.
        #[oai(validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<Option<i32>>,
    ) -> Outcome<Reply<MemberPage>, ListMembers> {
        let chat = state.chat();
        let members = chat.members(caller.0, &room_ref(&room)?, page.as_deref(), limit_of(limit.0)).await?;
        Ok(Reply(MemberPage::new(members, chat.cursors())))
    }

    /// Add somebody to a room, or change a role
    ///
    /// For owners. Without `role` it keeps the role, or adds somebody new as a member.
    #[oai(path = "/rooms/:room/members/:username", method = "put", operation_id = "putMember")]
    async fn put_member(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
        /// The name with which the person signs in.
        username: Path<String>,
        body: Body<MemberInput>,
    ) -> Outcome<CreatedOrFound<Member>, PutMember> {
        let room = room_ref(&room)?;
        let username = Username::lookup(&username).map_err(|_| Problem::from(Refusal::UserNotFound))?;
        let made = state.chat().put_member(caller.0, &room, &username, body.0.role.map(Into::into)).await?;
        Ok(CreatedOrFound::from_made(made, Member::from))
    }
}
