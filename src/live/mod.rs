//! The live path: from a committed batch to the bytes of every open stream. It knows the log and who may read it, and it
//! writes sockets; nothing of requests. Each position that it keeps (reaching, published, drained, seen, given ...) is defined
//! in `docs/architecture.md`, under Positions.

mod deletions;
mod feeder;
mod frame;
mod handle;
mod hub;
mod meters;
mod node;
mod open;
mod outlet;
mod registry;
mod scope;
mod stream;
mod sync;
mod up_to_date;
mod watch;
mod whispers;
mod writer;

pub use feeder::{CommitQueue, feeder};
pub use frame::Framing;
pub use hub::Hub;
pub use meters::Meters;
pub use node::LiveNode;
pub use open::{Live, OpenError, Reader, Start};
pub use outlet::{Outlet, StreamSocket};
pub use registry::{Registry, SessionCheck, StreamLimits};
pub use scope::Scope;
pub use stream::EventStream;
pub use up_to_date::UpToDate;
pub use watch::end_what_is_out_of_date;
pub use whispers::hear_whispers;
