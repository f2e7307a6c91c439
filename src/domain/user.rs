//! People: the account, and the short form of it that stands in messages and events.

use serde::Serialize;

use super::clock::Timestamp;
use super::ids::UserId;
use super::names::{DisplayName, Username};

/// A person in short, as in messages, members and events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserRef {
    pub id: UserId,
    pub username: Username,
    pub display_name: DisplayName,
}

/// An account. Usernames never change and are never given to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub username: Username,
    pub display_name: DisplayName,
    pub created_at: Timestamp,
}

impl User {
    pub fn to_ref(&self) -> UserRef {
        UserRef { id: self.id, username: self.username.clone(), display_name: self.display_name.clone() }
    }
}
