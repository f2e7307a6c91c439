//! The harness: servers that are really started, people who use them, streams read byte by byte.
//! Tests say what people do and see; paths, headers and deadlines are here.

#![allow(dead_code, unused_imports, reason = "the harness is whole; not every test file is there yet")]

mod answer;
mod client;
mod crowd;
pub mod cursor;
mod detour;
mod document;
pub mod event_source;
mod figures;
mod follower;
pub mod http1;
pub mod log;
pub mod nats;
mod nginx;
mod person;
pub mod pipe;
pub mod port;
pub mod postgres;
mod program;
pub mod proxy;
pub mod reached;
mod server;
mod small_disk;
pub mod spread;
pub mod sql;
pub mod store;
pub mod strace;
mod stream;
mod wire;
pub mod writing;

use std::future::Future;
use std::time::Duration;

pub use answer::Answer;
pub use client::Client;
pub use crowd::{Comeback, Crowd, Seat};
pub use cursor::{place, without_cursor};
pub use detour::Detour;
pub use document::{Document, check_exchange, published};
pub use figures::Figures;
pub use follower::{Followed, Follower};
pub use nginx::{Nginx, Upstream};
pub use person::{Person, Room};
pub use program::{Finished, parlor};
pub use server::{BREAKS, Server};
pub use small_disk::SmallDisk;
pub use sql::Sql;
pub use stream::{EventStream, Frame, NoStream};
pub use wire::{End, Wire};

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery staple";
/// How long anything may take that a test waits for.
pub const DEADLINE: Duration = Duration::from_secs(20);
/// How often a state is looked at while a test waits for it.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits until the predicate holds; fails with `what` after [`DEADLINE`].
pub async fn wait_for<F, Fut>(what: &str, predicate: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    wait_for_within(DEADLINE, || what.to_owned(), predicate).await;
}

/// The same with a deadline of its own, for what has one, and for crowds.
pub async fn wait_for_within<F, Fut>(deadline: Duration, what: impl Fn() -> String, mut predicate: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let looks = async {
        let mut clock = tokio::time::interval(LOOK_EVERY);
        loop {
            clock.tick().await;
            if predicate().await {
                return;
            }
        }
    };
    assert!(tokio::time::timeout(deadline, looks).await.is_ok(), "waited {deadline:?} in vain: {}", what());
}
