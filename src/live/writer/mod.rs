//! The writers: one task a core, each owning its share of the open streams and writing their sockets without ever waiting
//! for one. A writer has one receiver a room, however many of its streams listen, and a turn gives everything that is ready
//! to everybody who takes it; what a reader may have is decided by the stream, not here.

mod adoption;
mod feeds;
mod mailbox;
#[cfg(test)]
mod model;
mod outlet;
mod owned;
mod queue;
mod replay;
mod shared;
mod stream;
mod turn;

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use slab::Slab;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::time::{DelayQueue, delay_queue};

pub use self::adoption::{Adoption, Opened};
use self::feeds::Feeds;
use self::mailbox::{Key, Mailbox, Note};
pub use self::outlet::{Outlet, Pipe, Socket};
use self::owned::Owned;
use self::replay::Reads;
use self::shared::Shared;
use super::meters::End;
use super::open::Live;

/// The writers of a hub.
pub struct Writers {
    mailboxes: Vec<Arc<Mailbox>>,
    next: AtomicUsize,
    tasks: TaskTracker,
    /// End when no stream is left.
    finish: CancellationToken,
    /// End now.
    cut: CancellationToken,
}

impl Writers {
    /// Starts one for each core.
    pub fn start(live: &Live) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (finish, cut, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let mailboxes: Vec<_> = (0..cores).map(|_| Arc::<Mailbox>::default()).collect();
        for mailbox in &mailboxes {
            let work = work(live.clone(), mailbox.clone(), tasks.clone(), finish.clone());
            tasks.spawn(cut.clone().run_until_cancelled_owned(work));
        }
        Self { mailboxes, next: AtomicUsize::new(0), tasks, finish, cut }
    }

    /// Gives a stream to a writer, which owns it from then on.
    pub fn adopt(&self, adoption: Adoption) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.mailboxes[turn % self.mailboxes.len()].put(Note::Adopt(Box::new(adoption)));
    }

    /// Waits until the last stream has ended, and cuts what is left after a time.
    pub async fn finish(&self, within: Duration) {
        self.tasks.close();
        self.finish.cancel();
        if tokio::time::timeout(within, self.tasks.wait()).await.is_err() {
            tracing::warn!("cut streams that did not end in time");
            self.cut.cancel();
            self.tasks.wait().await;
        }
    }
}

/// Runs a writer, and another one in its place should it ever break down: its streams are cut then, and resume.
async fn work(live: Live, mailbox: Arc<Mailbox>, tasks: TaskTracker, finish: CancellationToken) {
    loop {
        let writer = Writer::new(live.clone(), mailbox.clone(), tasks.clone());
        if AssertUnwindSafe(writer.run(&finish)).catch_unwind().await.is_ok() {
            return;
        }
        tracing::error!("a writer broke down and was replaced; its streams were cut");
    }
}

struct Writer {
    shared: Shared,
    mailbox: Arc<Mailbox>,
    feeds: Feeds,
    reads: Reads,
    streams: Slab<Owned>,
    /// One timer a stream, never later than what is due.
    timers: DelayQueue<Key>,
    /// Streams that may have something to write.
    dirty: Vec<Key>,
    /// Streams whose readers have come back and have to catch up, in turn.
    line: VecDeque<Key>,
    /// When the next of the line are written to.
    rested_at: Instant,
}

impl Writer {
    fn new(live: Live, mailbox: Arc<Mailbox>, tasks: TaskTracker) -> Self {
        let feeds = Feeds::new(live.hub.clone());
        Self {
            shared: Shared::new(live.clone(), feeds.drained()),
            feeds,
            reads: Reads::new(live, mailbox.clone(), tasks),
            mailbox,
            streams: Slab::new(),
            timers: DelayQueue::new(),
            dirty: Vec::new(),
            line: VecDeque::new(),
            rested_at: Instant::now(),
        }
    }

    /// Works until it is told to finish and has no stream left.
    async fn run(mut self, finish: &CancellationToken) {
        let closing = self.shared.live.registry.closing().clone();
        let (mut is_closing, mut is_finishing) = (false, false);
        while !(is_finishing && self.streams.is_empty()) {
            let mut due = None;
            tokio::select! {
                () = self.mailbox.arrived() => {}
                () = self.feeds.moved() => {}
                Some(timer) = next_timer(&mut self.timers), if !self.timers.is_empty() => due = Some(timer),
                () = tokio::task::yield_now(), if !self.dirty.is_empty() => {}
                () = tokio::time::sleep_until(self.rested_at), if !self.line.is_empty() => {}
                () = closing.cancelled(), if !is_closing => {
                    is_closing = true;
                    self.close();
                }
                () = finish.cancelled(), if !is_finishing => is_finishing = true,
            }
            self.shared.now = Instant::now();
            if let Some(owned) = due.and_then(|key: Key| self.streams.get_mut(key)) {
                owned.timer = None;
            }
            self.read_mail();
            // Its place may have been taken by another stream, which has a timer of its own.
            due = due.filter(|key| self.streams.get(*key).is_some_and(|owned| owned.timer.is_none()));
            self.pass_on().await;
            self.pass_time(due);
            self.write().await;
            if self.rested_at <= Instant::now() {
                self.catch_up();
            }
            self.read_on();
            self.shared.publish();
        }
    }
}

/// Nobody has ended what is still open now: the writer broke down, or was cut off itself.
impl Drop for Writer {
    fn drop(&mut self) {
        for _ in self.streams.iter().filter(|(_, owned)| !owned.stream.is_leaving()) {
            self.shared.live.hub.meters().ended(End::Cut);
        }
    }
}

async fn next_timer(timers: &mut DelayQueue<Key>) -> Option<Key> {
    std::future::poll_fn(|context| timers.poll_expired(context)).await.map(delay_queue::Expired::into_inner)
}
