//! What a committed transaction means for the rest of the node. The journal hands it over once, before it answers the requests.

use crate::domain::clock::Timestamp;
use crate::domain::cursor::Epoch;
use crate::domain::event::Event;
use crate::domain::ids::SessionId;

/// The consequences of one transaction.
#[derive(Debug, Default)]
pub struct Committed {
    /// The epoch in which the log was locked. None where other nodes cannot write, because there it stays the same.
    pub epoch: Option<Epoch>,
    /// The events that were added to the log, in the order of their positions, which have no hole. An event whose place a later one of
    /// the same batch takes is here, and not in the log.
    pub events: Vec<Event>,
    /// Sessions that got a newer access token, and when that token expires.
    pub extended: Vec<(SessionId, Timestamp)>,
}
