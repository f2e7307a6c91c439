//! The bus: what the nodes of a cluster tell each other beside the log. All of it is hints. A message that is lost, doubled, late or
//! forged makes a stream later than it could be, never wrong: every node looks at the log each second anyway.
//!
//! There are two ways. `storage` has the one by PostgreSQL's notifications, which needs no other service. `nats` carries the events
//! themselves, so that other nodes read nothing from the database. Knows no store, no stream and no request.

mod address;
mod cluster;
mod inbox;
mod message;
mod meters;
mod nats;
mod whispers;

use crate::domain::clock::Timestamp;
use crate::domain::cursor::Epoch;
use crate::domain::event::Event;
use crate::domain::ids::{RoomId, SessionId};

pub use address::{NatsServers, UrlError};
pub use cluster::Cluster;
pub use inbox::{Ears, Inbox, Reach, inbox};
pub use meters::Meters;
pub use nats::{Nats, NatsError};
pub use whispers::{Gathered, Whispers, gather};

/// A way to the other nodes. What they say arrives in the `Inbox` for which the way was started.
pub trait Bus: Send + Sync {
    /// Tells what this node has committed, in the order of its commits, and in which epoch. Does not wait; what cannot be sent is left
    /// out.
    fn announce(&self, epoch: Epoch, events: &[Event]);

    /// Tells what stands in no log, within 250 ms. Does not wait; what cannot be sent is left out.
    fn whisper(&self, whisper: Whisper);
}

/// What a node tells the others without a place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whisper {
    /// A session got a newer access token, which expires then. Streams that were opened with an older one go on.
    Extended { session: SessionId, expires_at: Timestamp },
    /// A frame for those who read a room now: the JSON object that it carries, on one line.
    Frame { room: RoomId, data: String },
}
