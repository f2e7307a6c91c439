//! Parlor, a chat server in one binary: rooms, login, durable history and live streams behind an OpenAPI document.
//!
//! # The map of the house
//!
//! A request comes in at [`http`] (sockets, deadlines, connections), is routed by [`api`] (one file a tag of the document), asks
//! one use case of [`chat`] (which also keeps the rates), and that asks [`storage`] (all the SQL there is). What was committed
//! goes from the journal in storage to [`live`], which turns it into frames for every open stream, and by the [`bus`] to other nodes
//! where there are any. [`domain`] holds the rules
//! and types that all of them share, and imports nothing.
//!
//! [`web`] serves the built client, [`metrics`] the figures. [`app`] puts the parts together; [`cli`], [`config`] and [`secrets`]
//! are how the operator speaks to it, and [`stderr`] is where it answers. Debug builds have `breakdown` and `test_clock` beside
//! them, by which tests make a part panic and set the time.
//!
//! Imports go one way: `domain` <- `bus` <- `storage` <- `live` <- `chat` <- `api` <- `http` <- `app` <- `cli`. A test keeps it so.
//!
//! # The promises
//!
//! 1. Acknowledged is durable: a write is answered with success only after its transaction is committed and synced.
//! 2. One log: whatever others may see is an event, written with the change it tells of. Every room
//!    counts its events 1, 2, 3 ... so that a reader can check.
//! 3. A stream is the log from a cursor on, limited to what its reader may see: no gap, no duplicate, no reorder. Where that
//!    is impossible it says `reset`.
//! 4. Losing access is exact: nothing of a room reaches a person after the event that removes them.
//! 5. A slow reader costs only itself: every queue is bounded.
//! 6. Repeats are harmless: a post carries a client-made id.
//! 7. State plus events equals a fresh fetch: every snapshot names its cursor.
//! 8. The document is the product: what it says, the server does.
//!
//! # Why it is so
//!
//! `docs/architecture.md` has the reasons, the vocabulary, what each position of a stream means, and the decisions with their
//! dates. `CONTRIBUTING.md` has a recipe for each usual change, `docs/operations.md` is for people who run a server.

pub mod api;
pub mod app;
#[cfg(debug_assertions)]
mod breakdown;
pub mod bus;
pub mod chat;
pub mod cli;
pub mod config;
pub mod domain;
pub mod http;
pub mod live;
pub mod metrics;
pub mod secrets;
pub mod stderr;
pub mod storage;
#[cfg(debug_assertions)]
mod test_clock;
pub mod web;
