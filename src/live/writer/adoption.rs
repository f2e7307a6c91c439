//! A stream that was authorized, on its way to the writer that will own it.

use tokio::time::Instant;

use crate::domain::ids::{Position, RoomId, UserId};
use crate::live::frame::Chunk;
use crate::live::outlet::Outlet;
use crate::live::registry::Registration;
use crate::live::scope::Scope;

/// What a stream is when it was opened.
pub struct Opened {
    pub registration: Registration,
    pub reader: UserId,
    pub scope: Scope,
    /// The rooms to follow.
    pub rooms: Vec<RoomId>,
    /// The position to start after: the reader has everything up to it.
    pub from: Position,
    /// What the reader was a member of is known as of here: the head of the snapshot that authorized the stream.
    pub settled: Position,
    /// When the token that opened it expires.
    pub deadline: Instant,
    /// The first frames.
    pub greeting: Vec<Chunk>,
}

/// The same with the outlet that its bytes go to.
pub struct Adoption {
    pub opened: Opened,
    pub outlet: Box<dyn Outlet>,
    /// Held until the outlet is closed.
    pub pass: Box<dyn Send>,
}
