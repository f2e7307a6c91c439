//! A stream that was authorized, on its way to the writer that will own it.

use tokio::time::Instant;

use super::outlet::Outlet;
use crate::domain::ids::{Position, RoomId, UserId};
use crate::live::frame::Chunk;
use crate::live::open::Scope;
use crate::live::registry::Registration;

/// What a stream is when it was opened.
pub struct Opened {
    pub place: Registration,
    pub reader: UserId,
    pub scope: Scope,
    /// The rooms to follow.
    pub rooms: Vec<RoomId>,
    /// The log up to here is the reader's past.
    pub from: Position,
    /// What the reader is a member of was read as of here; memberships beyond are followed.
    pub settled: Position,
    /// When the token that opened it expires.
    pub deadline: Instant,
    /// What to say first.
    pub greeting: Vec<Chunk>,
}

/// The same with the place that its bytes go to.
pub struct Adoption {
    pub opened: Opened,
    pub outlet: Outlet,
    /// Held until the outlet is closed.
    pub pass: Box<dyn Send>,
}
