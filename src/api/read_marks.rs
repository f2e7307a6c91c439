//! Tag Reading: how far the caller has read each room.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::Path;

use super::auth::Caller;
use super::fail::{Outcome, refusals};
use super::paging::room_ref;
use super::payload::Body;
use super::problem::Problem;
use super::reply::{Done, Reply};
use super::wire::read_mark::{ReadInput, ReadMark};
use super::{State, Tag};
use crate::domain::ids::MessageId;
use crate::domain::refusal::Refusal;

#[derive(Default)]
pub struct ReadMarksApi;

refusals! {
    MarkRead: RoomNotFound, NotAMember, MessageNotFound;
    MarkUnread: RoomNotFound, NotAMember, MessageNotFound;
    MarkAllRead: ;
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Reading")]
impl ReadMarksApi {
    /// Mark a room as read up to a message
    ///
    /// The mark only moves forward: an older message changes nothing. The caller's other devices are told by `read.updated`. Posting
    /// marks everything up to the post as read, without that event, and joining everything there is.
    #[oai(path = "/rooms/:room/read", method = "post", operation_id = "markRead")]
    async fn mark_read(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
        body: Body<ReadInput>,
    ) -> Outcome<Reply<ReadMark>, MarkRead> {
        let room = room_ref(&room)?;
        Ok(Reply(state.chat().mark_read(caller.0, &room, message_of(&body.0)?).await?.into()))
    }

    /// Mark a room as unread from a message on
    ///
    /// The message becomes the first one that the caller has not read. The caller's other devices are told by `read.updated`.
    #[oai(path = "/rooms/:room/unread", method = "post", operation_id = "markUnread")]
    async fn mark_unread(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
        body: Body<ReadInput>,
    ) -> Outcome<Reply<ReadMark>, MarkUnread> {
        let room = room_ref(&room)?;
        Ok(Reply(state.chat().mark_unread(caller.0, &room, message_of(&body.0)?).await?.into()))
    }

    /// Mark all my rooms as read
    ///
    /// Needs no body. `read.updated` comes for each room that had something unread.
    #[oai(path = "/users/me/read", method = "post", operation_id = "markAllRead")]
    async fn mark_all_read(&self, caller: Caller, Data(state): Data<&State>) -> Outcome<Done, MarkAllRead> {
        state.chat().mark_all_read(caller.0).await?;
        Ok(Done)
    }
}

fn message_of(input: &ReadInput) -> Result<MessageId, Problem> {
    input.parse().ok_or(Problem::from(Refusal::MessageNotFound))
}
