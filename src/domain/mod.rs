//! Pure rules and types of the chat: what a name, a message, an event, a cursor is. No I/O, no async, no HTTP, no SQL.

pub mod clock;
pub mod cursor;
pub mod emoji;
pub mod event;
mod event_type;
pub mod ids;
pub mod keys;
pub mod membership;
pub mod mentions;
pub mod message;
pub mod names;
pub mod network;
pub mod password;
pub mod read_mark;
pub mod refusal;
pub mod rights;
pub mod room;
pub mod search;
pub mod session;
pub mod text;
pub mod user;
