//! Identifiers and randomness. The only file that may draw random bytes or make new ids.

use std::fmt;

use serde::{Serialize, Serializer};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// Reads the hyphenated form of 36 characters, in upper or lower case (RFC 9562, section 4). It is written in lower
            /// case.
            pub fn parse(text: &str) -> Option<Self> {
                hyphenated_uuid(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

id!(UserId);
id!(RoomId);
id!(MessageId);
id!(SessionId);

/// A place in the log: 1 for the first event of the database, without holes. 0 is before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub i64);

impl Position {
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0 - 1)
    }
}

/// A UUID with its hyphens; the forms without them, in braces or as a URN are not ids.
pub(super) fn hyphenated_uuid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36)
}

/// The source of new ids and of randomness, handed to whoever needs it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ids;

#[allow(clippy::disallowed_methods, reason = "this is the one place that draws")]
impl Ids {
    pub fn user(self) -> UserId {
        UserId(Uuid::now_v7())
    }

    pub fn room(self) -> RoomId {
        RoomId(Uuid::now_v7())
    }

    pub fn message(self) -> MessageId {
        MessageId(Uuid::now_v7())
    }

    pub fn session(self) -> SessionId {
        SessionId(Uuid::now_v7())
    }

    /// An id that follows a request through the logs.
    pub fn request(self) -> Uuid {
        Uuid::now_v7()
    }

    /// `N` bytes from the system's generator, fit for keys and tokens.
    pub fn random_bytes<const N: usize>(self) -> [u8; N] {
        let mut bytes = [0; N];
        // Without randomness no key or token is safe: there is nothing sensible to go on with.
        getrandom::fill(&mut bytes).expect("the system's random generator never fails once booted");
        bytes
    }

    /// A uniform number in `0..bound`; `bound` is at least 1.
    pub fn random_below(self, bound: u64) -> u64 {
        u64::from_le_bytes(self.random_bytes()) % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_with_hyphens_in_either_case() {
        let id = Ids.room();
        assert_eq!(RoomId::parse(&id.to_string()), Some(id));
        assert_eq!(RoomId::parse(&id.to_string().to_uppercase()), Some(id));
        assert_eq!(RoomId::parse(&id.uuid().simple().to_string()), None);
        assert_eq!(RoomId::parse(&format!("{{{id}}}")), None);
    }
}
