//! Which part of the log a stream shows. Who may see it is not decided here.

use crate::domain::ids::RoomId;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Room(RoomId),
    /// All rooms of the reader; rooms come and go as the reader joins and leaves them.
    Person,
}
