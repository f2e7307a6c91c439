//! The names that people choose: usernames, display names, room names, titles, topics, client ids.

use std::fmt;
use std::ops::RangeInclusive;

use serde::Serialize;
use unicode_security::skeleton;

use super::ids::hyphenated_uuid;
use super::text::{TextError, visible_text};

/// Names that others would take for the server or its staff.
const RESERVED: &[&str] = &[
    "admin",
    "administrator",
    "all",
    "anonymous",
    "everyone",
    "here",
    "moderator",
    "nobody",
    "official",
    "owner",
    "parlor",
    "room",
    "root",
    "security",
    "server",
    "staff",
    "support",
    "system",
];

macro_rules! text_type {
    ($name:ident) => {
        impl $name {
            /// Text that was checked when it was stored.
            pub fn stored(text: String) -> Self {
                Self(text)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// The name to sign in with: `[a-z0-9_-]{3,32}`, not reserved. Upper case is folded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Username(String);
text_type!(Username);

impl Username {
    /// A name for a new account.
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let name = Self::lookup(text)?;
        if is_reserved(&name.0) { Err(TextError::Reserved) } else { Ok(name) }
    }

    /// A name to look somebody up by. Only the form is checked: a reserved name is well formed, and nobody has it.
    pub fn lookup(text: &str) -> Result<Self, TextError> {
        check_slug(text, 3..=32, "a-z, 0-9, _ and -", |b| {
            b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
        })?;
        Ok(Self(text.to_ascii_lowercase()))
    }
}

/// The name that others see: 1 to 64 code points of visible text. It need not be unique.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct DisplayName(String);
text_type!(DisplayName);

impl DisplayName {
    pub fn parse(text: &str) -> Result<Self, TextError> {
        let name = visible_text(text, 64)?;
        if is_reserved(&name) { Err(TextError::Reserved) } else { Ok(Self(name)) }
    }
}

impl From<&Username> for DisplayName {
    fn from(name: &Username) -> Self {
        Self(name.0.clone())
    }
}

/// The name of a room in addresses: `[a-z0-9-]{1,64}`, and not written like an id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RoomName(String);
text_type!(RoomName);

impl RoomName {
    pub fn parse(text: &str) -> Result<Self, TextError> {
        check_slug(text, 1..=64, "a-z, 0-9 and -", |b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
        })?;
        if hyphenated_uuid(text).is_some() { Err(TextError::LikeAnId) } else { Ok(Self(text.to_owned())) }
    }
}

/// A room's title: 1 to 64 code points of visible text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Title(String);
text_type!(Title);

impl Title {
    pub fn parse(text: &str) -> Result<Self, TextError> {
        visible_text(text, 64).map(Self)
    }
}

/// What a room is about: 1 to 500 code points of visible text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Topic(String);
text_type!(Topic);

impl Topic {
    pub fn parse(text: &str) -> Result<Self, TextError> {
        visible_text(text, 500).map(Self)
    }
}

/// The id that a client gives to one request, so that repeating the request is harmless: `[A-Za-z0-9_-]{1,64}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ClientId(String);
text_type!(ClientId);

impl ClientId {
    pub fn parse(text: &str) -> Result<Self, TextError> {
        check_slug(text, 1..=64, "A-Z, a-z, 0-9, _ and -", |b| {
            b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
        })?;
        Ok(Self(text.to_owned()))
    }
}

fn check_slug(
    text: &str,
    length: RangeInclusive<usize>,
    allowed: &'static str,
    is_allowed: impl Fn(u8) -> bool,
) -> Result<(), TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    if !text.bytes().all(is_allowed) {
        return Err(TextError::Pattern { allowed });
    }
    if text.len() < *length.start() {
        return Err(TextError::TooShort { least: *length.start() });
    }
    if text.len() > *length.end() {
        return Err(TextError::TooLong { most: *length.end() });
    }
    Ok(())
}

/// Compares skeletons (UTS 39, section 4), so that look-alikes from other scripts are reserved too.
fn is_reserved(name: &str) -> bool {
    let skeleton_of =
        |text: &str| skeleton(&text.to_lowercase()).filter(|c| !c.is_whitespace()).collect::<String>();
    let mine = skeleton_of(name);
    RESERVED.iter().any(|reserved| skeleton_of(reserved) == mine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_are_folded_and_bounded() {
        assert_eq!(Username::parse("Ada_1").map(|n| n.0), Ok("ada_1".into()));
        assert_eq!(Username::parse("ab"), Err(TextError::TooShort { least: 3 }));
        assert_eq!(Username::parse("ada lovelace"), Err(TextError::Pattern { allowed: "a-z, 0-9, _ and -" }));
        for reserved in ["Admin", "room", "ALL", "here", "everyone"] {
            assert_eq!(Username::parse(reserved), Err(TextError::Reserved));
        }
    }

    #[test]
    fn look_alikes_of_reserved_names_are_refused() {
        assert_eq!(DisplayName::parse("аdmіn"), Err(TextError::Reserved), "Cyrillic a and i");
        assert_eq!(DisplayName::parse("S y s t e m"), Err(TextError::Reserved));
        assert!(DisplayName::parse("Adminah").is_ok());
    }

    #[test]
    fn a_room_name_is_never_read_as_an_id() {
        assert_eq!(RoomName::parse("0190a7c4-7b1e-7cc0-8000-000000000000"), Err(TextError::LikeAnId));
        assert!(RoomName::parse("0190a7c4-7b1e").is_ok());
        assert_eq!(RoomName::parse("Lobby"), Err(TextError::Pattern { allowed: "a-z, 0-9 and -" }));
    }
}
