//! Parlor, a chat server in one binary: rooms, login, durable history and live streams behind an OpenAPI document.
//!
//! # The map of the house
//!
//! A request comes in at [`http`] (sockets, deadlines, limits), is routed by [`api`] (one file a tag of the document), asks
//! one use case of [`chat`], which asks [`storage`] (all the SQL there is). What was committed goes from the journal in
//! storage to [`live`], which turns it into frames for every open stream. [`domain`] holds the rules and types that all of
//! them share, and imports nothing. [`web`] serves the built client, [`metrics`] the figures. [`app`] puts the parts together; [`cli`], [`config`] and
//! [`secrets`] are how the operator speaks to it. Debug builds have `breakdown` beside them, by which tests make a part panic.
//!
//! Imports go one way: `domain` <- `storage` <- `live` <- `chat` <- `api` <- `http` <- `app` <- `cli`. A test keeps it so.
//!
//! # The promises
//!
//! 1. Acknowledged is durable: a write is answered with success only after its transaction is committed and synced.
//! 2. One log: whatever others may see is an event, written with the change it tells of. Positions have no hole; every room
//!    counts its events 1, 2, 3 ... so that a reader can check.
//! 3. A stream is the log from a cursor on, limited to what its reader may see: no gap, no duplicate, no reorder. Where that
//!    is impossible it says `reset`.
//! 4. Losing access is exact: nothing of a room reaches a person after the event that removes them.
//! 5. A slow reader costs only itself: every queue is bounded.
//! 6. Repeats are harmless: a post carries a client-made id.
//! 7. State plus events equals a fresh fetch: every snapshot names its cursor.
//! 8. The document is the product: what it says, the server does.
//!
//! # Decisions
//!
//! * 2026-11-23: **The store is a struct, not a set of traits.** There is one engine; its SQL stands by noun and keeps to
//!   what PostgreSQL also speaks, so that traits can be drawn where a second engine shows that they are needed.
//! * 2026-11-23: **A stream is opened by one look at the store, and subscribed to by its writer afterwards.** The hub raises
//!   a mark before it puts anything into a channel. Whoever subscribes asks for that mark afterwards and reads the log up
//!   to it: what was sent before he came lies there, what comes after lies in the channel. So nothing has to be subscribed
//!   to before a request is answered, and a room that fills while a thousand readers arrive costs each one statement.
//! * 2026-11-23: **Streams leave HTTP.** Once the head of a stream is sent its socket is taken out of hyper and owned by one of
//!   the writers, one task a core, which loops over its sockets and never waits for one: a task, a timer and two buffers for
//!   each of thousands of streams cost more than all that is ever written to them.
//! * 2026-11-23: **jemalloc.** A request needs a hundred times what the stream keeps that it becomes. The system's allocator
//!   and mimalloc kept 35 KiB a stream after thousands had come at once, jemalloc 3.4.
//! * 2026-11-23: **What goes through a channel is a run**: the frames of one room in one step of publishing, in one buffer,
//!   framed as HTTP chunks. A batch of two hundred posts to one room is one item, so it cannot run over a channel of 64,
//!   and a socket that is level gets the buffer as it is, without a queue in between.
//! * 2026-11-23: **A reader whose queue runs over goes back to the log** instead of being cut off: it costs the node less
//!   than a new connection with its authorization, and the reader nothing. Only who stays behind for a minute is told
//!   `bye` slow, and who takes no byte for 20 s is cut off.
//! * 2026-11-23: **Who comes back is served in turns.** After a restart thousands come at one event: those of a room share the
//!   pages of the log that they missed, and for the first seconds of a stream its writer gives such pages a tenth of its
//!   time, when others wait for theirs, too. Connections are accepted a few at a time. A post's p99 in such a storm is about
//!   twice that of a quiet node, and was six times that; the storm takes two seconds, and could take half a one. Yielding
//!   more often did not help: what a post waits for is a core, not its place in a queue.
//! * 2026-11-23: **Frames are withheld at the last moment.** A stream decides what its reader may have when it hands bytes to
//!   the socket, and only what the socket took counts as given: what a full socket left over can still be withheld.
//! * 2026-11-23: **Releasing the savepoint is the check that the transaction is still open.** SQLite rolls back by itself
//!   on a full disk, and its savepoints go with the transaction: the next `RELEASE` fails before a second request can
//!   write outside one. No raw handle, no unsafe code.
//! * 2026-11-23: **Posts go straight into the engine**, on the journal's own thread and through a connection of their own
//!   (`storage::posting`, by `rusqlite`). All else that is written or read goes through `sqlx`, where each statement is sent to
//!   another thread and back: for a lone post that was half of the time and of the CPU. Threads and runtimes of its own,
//!   fewer statements, fewer results and spinning did not help. The posts of a batch share one transaction without
//!   savepoints; if one of them stands in the way it is undone, and each is written alone.
//! * 2026-11-23: **Refresh tokens are derived, not stored.** Session, generation and an HMAC over both: a used one is told
//!   from a forged one without keeping any, and the child of a token whose answer was lost is simply made again.
//! * 2026-11-23: **Whether a refresh token is spent is decided by `seen`**, the newest generation whose tokens came back.
//!   It is written before the first request with a new access token is answered, so that a crash forgets nothing.
//! * 2026-11-23: **A deleted room keeps its row.** Its memberships are closed and its name is free at once; its messages
//!   are taken away in pieces, from the log too, so that deleting a huge room does not hold up the posts of others.
//! * 2026-11-23: **The password blocklist is applied to the word inside.** Few common passwords have twelve characters:
//!   digits and signs around a word, and repetitions of it, are taken off before the list is asked.
//! * 2026-11-23: **Swagger UI comes from the web client's packages**, built and embedded with it, so that it runs under a
//!   content security policy without inline script.
//! * 2026-11-23: **Whether the server can write is found out by writing**, at most once a second and only when somebody asks.
//!   The outcome of the last write would say nothing of an idle server, and one that was taken out of rotation for a full
//!   disk would get no write that could say that there is room again.
//! * 2026-11-23: **Metrics are `OpenMetrics` text on a listener of their own**, with labels of closed sets only. The operation
//!   is the label, never the path: a path names rooms and people, and is a new series for each.
//! * 2026-11-23: **A full house waits in the kernel, one address too many is closed.** Whoever comes while all descriptors
//!   are taken is let in as soon as there is room, and nothing is spent on telling them; but what one address has too many
//!   of would only fill the queue for others.
//! * 2026-11-23: **What two tasks of [`live`] share comes from one module**, `live::sync`: in unit tests its locks, atomics and
//!   channels ask a scheduler at each touch, and the writers as they are run through thousands of orders. It found
//!   what no stream test had: the second reader of a room, taken in just after the first, missed an event.

pub mod api;
pub mod app;
#[cfg(debug_assertions)]
mod breakdown;
pub mod chat;
pub mod cli;
pub mod config;
pub mod domain;
pub mod http;
pub mod live;
pub mod metrics;
pub mod secrets;
pub mod storage;
pub mod web;
