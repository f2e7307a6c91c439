//! The live path: from a committed batch to the bytes of every open stream. It knows the log and who may read it, and it
//! writes sockets; nothing of requests.

mod feeder;
mod frame;
mod handle;
mod hub;
mod meters;
mod open;
mod registry;
mod stream;
mod sync;
mod writer;

pub use feeder::{Feed, feeder};
pub use frame::Framing;
pub use hub::Hub;
pub use meters::Meters;
pub use open::{Live, OpenError, Reader, Scope, Start};
pub use registry::{Registry, SessionCheck, StreamLimits};
pub use stream::EventStream;
pub use writer::Socket;
