//! Reactions on the wire.

use poem_openapi::Object;
use serde::Serialize;

use super::user::UserRef;
use crate::chat::{Paged, Reacting};
use crate::domain::emoji;

/// An emoji with which people react to a message.
#[derive(Debug, Serialize, Object)]
pub struct Reaction {
    /// One emoji in its fully qualified form.
    pub emoji: String,
    /// How many people react with it.
    pub count: i64,
    /// `true` if the caller is one of them, else absent. Never in events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub me: Option<bool>,
}

/// What an event says of a reaction: how many there are after it, so applying it twice is harmless.
#[derive(Debug, Serialize, Object)]
pub struct ReactionChange {
    /// UUID of the message.
    pub message: String,
    /// One emoji.
    pub emoji: String,
    /// How many people react with it now; 0 after the last one has stopped.
    pub count: i64,
}

/// Somebody who reacts to a message.
#[derive(Debug, Serialize, Object)]
pub struct Reactor {
    /// With which emoji.
    pub emoji: String,
    /// Who it is.
    pub user: UserRef,
    /// Since when.
    pub created_at: String,
}

/// A page of the people who react to a message.
#[derive(Debug, Serialize, Object)]
pub struct ReactorPage {
    /// By emoji, and of each the oldest first.
    pub items: Vec<Reactor>,
    /// Give it as `page` to get the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page: Option<String>,
}

impl From<emoji::Reaction> for Reaction {
    fn from(reaction: emoji::Reaction) -> Self {
        let emoji::Reaction { emoji, count, me } = reaction;
        Self { emoji: emoji.to_string(), count, me: me.then_some(true) }
    }
}

impl From<Paged<Reacting>> for ReactorPage {
    fn from(page: Paged<Reacting>) -> Self {
        let reactor = |reacting: Reacting| Reactor {
            emoji: reacting.emoji.to_string(),
            user: reacting.user.into(),
            created_at: reacting.since.to_string(),
        };
        Self { items: page.entries.into_iter().map(reactor).collect(), next_page: page.next_page }
    }
}
