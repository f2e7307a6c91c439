//! Reactions: adding one to a message, taking it back, and listing who reacts with what.

use super::limits::Counted;
use super::paging::{Paged, name_in, token_of};
use super::{Chat, Error, Result};
use crate::domain::emoji::{Emoji, Reaction};
use crate::domain::ids::{MessageId, Position};
use crate::domain::refusal::Refusal;
use crate::domain::room::RoomRef;
use crate::domain::session::Caller;
use crate::storage::{Reacting, ReactingFrom};

impl Chat {
    pub async fn add_reaction(
        &self,
        caller: Caller,
        room: &RoomRef,
        message: MessageId,
        emoji: Emoji,
    ) -> Result<Reaction> {
        self.limits.take(Counted::React(caller.user))?;
        Ok(self.store.add_reaction(self.touch(caller, room, message), emoji).await?)
    }

    pub async fn remove_reaction(
        &self,
        caller: Caller,
        room: &RoomRef,
        message: MessageId,
        emoji: Emoji,
    ) -> Result<()> {
        self.limits.take(Counted::React(caller.user))?;
        Ok(self.store.remove_reaction(self.touch(caller, room, message), emoji).await?)
    }

    /// Who reacts to a message with one emoji, or with any: by emoji, and of each the oldest first.
    pub async fn reactions(
        &self,
        caller: Caller,
        room: &RoomRef,
        message: MessageId,
        only: Option<Emoji>,
        page: Option<&str>,
        limit: u32,
    ) -> Result<Paged<Reacting>> {
        self.limits.take(Counted::Read(caller.user))?;
        let from = match page {
            None => ReactingFrom { emoji: String::new(), position: Position(0) },
            Some(page) => self.reacting_from(page).await?,
        };
        let one_more = i64::from(limit) + 1;
        let mut entries = self.store.reactions(room, caller.user, message, only, from, one_more).await?;
        let limit = limit as usize;
        let is_cut = entries.len() > limit;
        entries.truncate(limit);
        let last = entries.last().filter(|_| is_cut);
        let cursor = |last: &Reacting| self.cursors().of_event(last.position);
        let next_page = last.map(|last| token_of(&format!("{}\n{}", cursor(last), last.emoji)));
        Ok(Paged { entries, next_page })
    }

    /// Where the page of a token begins. Positions are shown to nobody, so the token has a cursor.
    async fn reacting_from(&self, token: &str) -> Result<ReactingFrom> {
        let name = name_in(token)?;
        let (cursor, emoji) = name.split_once('\n').ok_or(Refusal::BadPage)?;
        let emoji = Emoji::parse(emoji).ok_or(Refusal::BadPage)?;
        let position = match self.position(cursor).await {
            Err(Error::Refused(Refusal::BadCursor)) => return Err(Refusal::BadPage.into()),
            position => position?,
        };
        Ok(ReactingFrom { emoji: emoji.as_str().to_owned(), position })
    }
}
