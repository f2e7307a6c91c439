//! The live path: from a committed batch to the bytes of every open stream. It knows the log and who may read it, but not
//! how a socket is written, and nothing of requests.

mod channels;
mod feeder;
mod frame;
mod hub;
mod open;
mod registry;
mod stream;

pub use feeder::{Feed, feeder};
pub use hub::Hub;
pub use open::{Live, OpenError, Reader, Scope, Start};
pub use registry::{Registry, SessionCheck, StreamLimits};
pub use stream::EventStream;
