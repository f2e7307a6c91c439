//! Tag Reactions: who reacts to messages with which emoji.

use poem::web::Data;
use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};

use super::auth::Caller;
use super::fail::{Outcome, refusals};
use super::paging::{emoji_of, limit_of, message_id, room_ref};
use super::reply::{Done, Reply};
use super::wire::reaction::{Reaction, ReactorPage};
use super::{State, Tag};

#[derive(Default)]
pub struct ReactionsApi;

refusals! {
    AddReaction: RoomNotFound, NotAMember, MessageNotFound, NotAnEmoji, MessageDeleted, TooManyKinds;
    RemoveReaction: RoomNotFound, NotAMember, MessageNotFound, NotAnEmoji;
    ListReactions: RoomNotFound, NotAMember, MessageNotFound, NotAnEmoji, BadPage;
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Reactions")]
impl ReactionsApi {
    /// React to a message
    ///
    /// Needs no body. With one emoji, percent-encoded in the path; somebody can react with several. A message takes 20 different ones.
    /// Again it changes nothing, and is no event.
    #[oai(
        path = "/rooms/:room/messages/:message/reactions/:emoji",
        method = "put",
        operation_id = "addReaction"
    )]
    async fn add_reaction(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
        /// UUID of the message.
        message: Path<String>,
        /// One emoji in its fully qualified form.
        emoji: Path<String>,
    ) -> Outcome<Reply<Reaction>, AddReaction> {
        let (room, message, emoji) = (room_ref(&room)?, message_id(&message)?, emoji_of(&emoji)?);
        Ok(Reply(state.chat().add_reaction(caller.0, &room, message, emoji).await?.into()))
    }

    /// Take a reaction back
    ///
    /// The caller's own. 204 also where there is none.
    #[oai(
        path = "/rooms/:room/messages/:message/reactions/:emoji",
        method = "delete",
        operation_id = "removeReaction"
    )]
    async fn remove_reaction(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
        /// UUID of the message.
        message: Path<String>,
        /// One emoji in its fully qualified form.
        emoji: Path<String>,
    ) -> Outcome<Done, RemoveReaction> {
        let (room, message, emoji) = (room_ref(&room)?, message_id(&message)?, emoji_of(&emoji)?);
        state.chat().remove_reaction(caller.0, &room, message, emoji).await?;
        Ok(Done)
    }

    /// List who reacts to a message
    ///
    /// By emoji, and of each the oldest first.
    #[oai(path = "/rooms/:room/messages/:message/reactions", method = "get", operation_id = "listReactions")]
    #[allow(clippy::too_many_arguments, reason = "each is a documented part of the request")]
    async fn list_reactions(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the room, or the name of a public one.
        room: Path<String>,
        /// UUID of the message.
        message: Path<String>,
        /// Only those with this emoji.
        emoji: Query<Option<String>>,
        /// The `next_page` of the page before.
        #[oai(validator(max_length = 512))]
        page: Query<Option<String>>,
        /// Most entries of the page; 50 if absent.
        #[oai(validator(minimum(value = "1"), maximum(value = "200")))]
        limit: Query<Option<i32>>,
    ) -> Outcome<Reply<ReactorPage>, ListReactions> {
        let (room, message) = (room_ref(&room)?, message_id(&message)?);
        let only = emoji.0.as_deref().map(emoji_of).transpose()?;
        let (chat, page, limit) = (state.chat(), page.0, limit_of(limit.0));
        Ok(Reply(chat.reactions(caller.0, &room, message, only, page.as_deref(), limit).await?.into()))
    }
}
