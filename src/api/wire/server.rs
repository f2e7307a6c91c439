//! The server itself on the wire.

use poem_openapi::Object;
use serde::Serialize;

use crate::chat;
use crate::domain::message::{MAX_BODY_BYTES, MAX_BODY_POINTS};
use crate::domain::password;

/// Most entries of one page of anything.
pub const MAX_PAGE: u32 = 200;

/// What anybody may know of this server.
#[derive(Debug, Serialize, Object)]
pub struct ServerFacts {
    /// How the server calls itself.
    pub name: String,
    /// The version of Parlor.
    pub version: String,
    /// Who may make an account: `open` (anybody) or `closed`; more may come.
    pub registration: String,
    /// What requests must keep to.
    pub limits: Limits,
}

/// Bounds that clients may want to know before they send.
#[derive(Debug, Serialize, Object)]
#[oai(rename = "ServerLimits")]
pub struct Limits {
    /// Least characters (code points) of a new password.
    pub min_password: i32,
    /// Most characters of a password.
    pub max_password: i32,
    /// Most characters of a message.
    pub max_message: i32,
    /// Most bytes of a message in UTF-8.
    pub max_message_bytes: i32,
    /// Most entries of a page.
    pub max_page: i32,
}

/// Whether the server lives, or is ready to serve.
#[derive(Debug, Serialize, Object)]
pub struct Health {
    /// `ok`.
    pub status: String,
}

impl Health {
    pub fn ok() -> Self {
        Self { status: "ok".to_owned() }
    }
}

impl From<chat::ServerFacts> for ServerFacts {
    fn from(facts: chat::ServerFacts) -> Self {
        let bound = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
        Self {
            name: facts.name,
            version: facts.version.to_owned(),
            registration: if facts.registration_open { "open" } else { "closed" }.to_owned(),
            limits: Limits {
                min_password: bound(facts.min_password),
                max_password: bound(password::MAX_POINTS),
                max_message: bound(MAX_BODY_POINTS),
                max_message_bytes: bound(MAX_BODY_BYTES),
                max_page: i32::try_from(MAX_PAGE).unwrap_or(i32::MAX),
            },
        }
    }
}
