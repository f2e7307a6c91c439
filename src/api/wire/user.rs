//! People on the wire.

use poem_openapi::Object;
use serde::{Deserialize, Serialize};

use super::{field, optional};
use crate::api::payload::Input;
use crate::api::problem::Problem;
use crate::domain::names::{DisplayName, Username};
use crate::domain::password::Password;
use crate::domain::user;

/// An account.
#[derive(Debug, Serialize, Object)]
pub struct User {
    /// UUID; never changes.
    pub id: String,
    /// The name to sign in with; never changes, and is never given to another.
    pub username: String,
    /// The name to show; need not be unique.
    pub display_name: String,
    /// When the account was made.
    pub created_at: String,
}

/// Who somebody is, in short. Take names from the newest one you see of an id.
#[derive(Debug, Serialize, Object)]
pub struct UserRef {
    /// UUID of the user.
    pub id: String,
    /// The name to sign in with.
    pub username: String,
    /// The name to show.
    pub display_name: String,
}

/// A new account.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Upper case is folded. Some names are reserved (422).
    #[oai(validator(pattern = "^[A-Za-z0-9_-]{3,32}$"))]
    pub username: String,
    /// 12 characters at least unless the server says otherwise (`limits.min_password` of getServer), counted after
    /// normalising to NFC; common passwords are refused (422).
    #[oai(validator(min_length = 12, max_length = 128))]
    pub password: String,
    /// The username if absent.
    #[oai(validator(min_length = 1, max_length = 64))]
    pub display_name: Option<String>,
}

/// What to change about oneself; what is absent stays.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct ProfilePatch {
    /// The new name to show.
    #[oai(validator(min_length = 1, max_length = 64))]
    pub display_name: Option<String>,
}

/// A change of one's own password.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password as it is now.
    #[oai(validator(max_length = 128))]
    pub current_password: String,
    /// The password from now on, under the rules of registration.
    #[oai(validator(min_length = 12, max_length = 128))]
    pub new_password: String,
}

impl Input for Registration {
    const IS_AUTH: bool = true;
}

impl Input for ProfilePatch {}

impl Input for PasswordChange {
    const IS_AUTH: bool = true;
}

impl Registration {
    /// The checked parts; `least` is the least length of a password.
    pub fn parse(self, least: usize) -> Result<(Username, Password, Option<DisplayName>), Problem> {
        let username = field("/username", &self.username, Username::parse)?;
        let password = field("/password", &self.password, |text| Password::new(text, least))?;
        let display_name = optional("/display_name", self.display_name.as_ref(), DisplayName::parse)?;
        Ok((username, password, display_name))
    }
}

impl ProfilePatch {
    pub fn parse(&self) -> Result<Option<DisplayName>, Problem> {
        optional("/display_name", self.display_name.as_ref(), DisplayName::parse)
    }
}

impl PasswordChange {
    /// The current and the new password.
    pub fn parse(self, least: usize) -> Result<(Password, Password), Problem> {
        let current = field("/current_password", &self.current_password, Password::presented)?;
        let new = field("/new_password", &self.new_password, |text| Password::new(text, least))?;
        Ok((current, new))
    }
}

impl From<user::User> for User {
    fn from(user: user::User) -> Self {
        Self {
            id: user.id.to_string(),
            username: user.username.to_string(),
            display_name: user.display_name.to_string(),
            created_at: user.created_at.to_string(),
        }
    }
}

impl From<user::UserRef> for UserRef {
    fn from(user: user::UserRef) -> Self {
        Self {
            id: user.id.to_string(),
            username: user.username.to_string(),
            display_name: user.display_name.to_string(),
        }
    }
}
