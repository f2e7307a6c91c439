//! The writer itself: a task that owns its share of the open streams and never waits for one of them. What it does in a turn
//! stands in `turn`, what it does for one stream in `lifecycle`.

use std::sync::Arc;

use slab::Slab;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::time::{DelayQueue, delay_queue};

use super::line::Line;
use super::mailbox::Mailbox;
use super::note::{Key, Note};
use super::owned::Owned;
use super::reads::Reads;
use super::shared::Shared;
use super::subscriptions::Subscriptions;
use crate::live::meters::End;
use crate::live::node::LiveNode;

/// One task that owns open streams.
pub struct Writer {
    pub shared: Shared,
    pub mailbox: Arc<Mailbox<Note>>,
    pub subscriptions: Subscriptions,
    pub reads: Reads,
    pub streams: Slab<Owned>,
    /// One timer a stream. It runs out at the latest when something is due, or earlier.
    pub timers: DelayQueue<Key>,
    /// Streams that may have something to write.
    pub dirty: Vec<Key>,
    pub line: Line,
}

impl Writer {
    pub fn new(node: LiveNode, mailbox: Arc<Mailbox<Note>>, tasks: TaskTracker) -> Self {
        let subscriptions = Subscriptions::new(node.hub.clone());
        Self {
            shared: Shared::new(node.clone(), subscriptions.drained()),
            subscriptions,
            reads: Reads::new(node, mailbox.clone(), tasks),
            mailbox,
            streams: Slab::new(),
            timers: DelayQueue::new(),
            dirty: Vec::new(),
            line: Line::new(),
        }
    }

    /// Works until it is told to finish and has no stream left.
    pub async fn run(mut self, finish: &CancellationToken) {
        let closing = self.shared.node.registry.closing().clone();
        let (mut is_closing, mut is_finishing) = (false, false);
        while !(is_finishing && self.streams.is_empty()) {
            let mut due = None;
            tokio::select! {
                () = self.mailbox.arrived() => {}
                () = self.subscriptions.moved() => {}
                Some(timer) = next_timer(&mut self.timers), if !self.timers.is_empty() => due = Some(timer),
                () = tokio::task::yield_now(), if !self.dirty.is_empty() => {}
                () = self.line.rests(), if !self.line.is_empty() => {}
                () = closing.cancelled(), if !is_closing => {
                    is_closing = true;
                    self.close();
                }
                () = finish.cancelled(), if !is_finishing => is_finishing = true,
            }
            self.turn(due).await;
        }
    }
}

/// Streams that have not ended by now are cut: the writer broke down, or was told to end now.
impl Drop for Writer {
    fn drop(&mut self) {
        for _ in self.streams.iter().filter(|(_, owned)| !owned.stream.is_leaving()) {
            self.shared.node.meters.ended(End::Cut);
        }
    }
}

pub async fn next_timer(timers: &mut DelayQueue<Key>) -> Option<Key> {
    std::future::poll_fn(|context| timers.poll_expired(context)).await.map(delay_queue::Expired::into_inner)
}
