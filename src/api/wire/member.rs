//! Members of rooms on the wire.

use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

use super::user::UserRef;
use crate::api::payload::{Input, UnknownVariant};
use crate::chat;
use crate::domain::cursor::Cursors;
use crate::domain::membership;

/// What somebody can be made in a room. Without a role somebody new becomes a `member`, and a member keeps the role.
#[derive(Clone, Copy, Debug, Deserialize, Enum)]
#[serde(try_from = "String")]
#[oai(rename_all = "lowercase")]
pub enum MemberRole {
    Owner,
    Member,
}

/// How somebody should be in a room.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct MemberInput {
    pub role: Option<MemberRole>,
}

/// Somebody's place in a room.
#[derive(Debug, Serialize, Object)]
pub struct Member {
    /// Who it is.
    pub user: UserRef,
    /// `owner` or `member`; more may come.
    pub role: String,
    /// When they came in.
    pub joined_at: String,
}

/// A page of a room's members.
#[derive(Debug, Serialize, Object)]
pub struct MemberPage {
    /// By username.
    pub items: Vec<Member>,
    /// Give it as `page` to get the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page: Option<String>,
    /// The place in the log at which all this was so; over several pages the first counts.
    pub cursor: String,
    /// The `seq` of the room's newest event at that place.
    pub last_seq: i64,
}

impl Input for MemberInput {}

impl TryFrom<String> for MemberRole {
    type Error = UnknownVariant;

    fn try_from(text: String) -> Result<Self, UnknownVariant> {
        match text.as_str() {
            "owner" => Ok(Self::Owner),
            "member" => Ok(Self::Member),
            _ => Err(UnknownVariant),
        }
    }
}

impl From<MemberRole> for membership::Role {
    fn from(role: MemberRole) -> Self {
        match role {
            MemberRole::Owner => Self::Owner,
            MemberRole::Member => Self::Member,
        }
    }
}

impl From<membership::Member> for Member {
    fn from(member: membership::Member) -> Self {
        Self {
            user: member.user.into(),
            role: member.role.to_string(),
            joined_at: member.joined_at.to_string(),
        }
    }
}

impl MemberPage {
    pub fn new(page: chat::MembersPage, cursors: &Cursors) -> Self {
        Self {
            items: page.members.into_iter().map(Into::into).collect(),
            next_page: page.next_page,
            cursor: cursors.of_snapshot(page.head),
            last_seq: page.last_seq,
        }
    }
}
