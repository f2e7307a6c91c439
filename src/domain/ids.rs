//! Identifiers and randomness. The only file that may draw random bytes or make new ids.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Mutex;

use serde::{Serialize, Serializer};
use uuid::{ContextV7, Uuid};

use super::clock::Clock;

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

/// A place in the log: 1 for the first event of the database. 0 is before the first.
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

/// Counts the ids of one millisecond, and goes on from the newest id when the clock goes back. So consecutive ids are neighbours
/// in an index.
static ORDER: Mutex<AssertUnwindSafe<ContextV7>> = Mutex::new(AssertUnwindSafe(ContextV7::new()));

/// The source of new ids, which begin with the time of its clock (UUID version 7), and of randomness. Nothing may depend on the
/// order of ids: clocks jump.
#[derive(Clone, Copy, Debug)]
pub struct Ids(Clock);

impl Ids {
    /// By the system's clock.
    pub const SYSTEM: Self = Self::new(Clock::SYSTEM);

    pub const fn new(clock: Clock) -> Self {
        Self(clock)
    }

    /// The clock whose time ids begin with.
    pub const fn clock(self) -> Clock {
        self.0
    }

    pub fn user(self) -> UserId {
        UserId(self.uuid())
    }

    pub fn room(self) -> RoomId {
        RoomId(self.uuid())
    }

    pub fn message(self) -> MessageId {
        MessageId(self.uuid())
    }

    pub fn session(self) -> SessionId {
        SessionId(self.uuid())
    }

    /// An id that follows a request through the logs.
    pub fn request(self) -> Uuid {
        self.uuid()
    }

    #[allow(clippy::disallowed_methods, reason = "this is the one place that makes ids")]
    fn uuid(self) -> Uuid {
        let micros = self.0.now().micros();
        let (seconds, rest) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        let (seconds, nanos) =
            (u64::try_from(seconds).unwrap_or(0), u32::try_from(rest * 1_000).unwrap_or(0));
        Uuid::new_v7(uuid::Timestamp::from_unix(&ORDER, seconds, nanos))
    }

    /// `N` bytes from the system's generator, fit for keys and tokens.
    #[allow(clippy::disallowed_methods, reason = "this is the one place that draws")]
    pub fn random_bytes<const N: usize>(self) -> [u8; N] {
        let mut bytes = [0; N];
        // Without randomness no key or token is safe, so the program cannot go on.
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
        let id = Ids::SYSTEM.room();
        assert_eq!(RoomId::parse(&id.to_string()), Some(id));
        assert_eq!(RoomId::parse(&id.to_string().to_uppercase()), Some(id));
        assert_eq!(RoomId::parse(&id.uuid().simple().to_string()), None);
        assert_eq!(RoomId::parse(&format!("{{{id}}}")), None);
    }
}
