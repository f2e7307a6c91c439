//! The writers: one task a core, each owning its share of the open streams and writing to their outlets without ever waiting
//! for one. A writer has one receiver a room, however many of its streams listen, and a turn gives everything that is ready
//! to everybody who takes it; what a reader may have is decided by the stream, not here.

mod adoption;
mod lifecycle;
mod line;
mod log_read;
mod mailbox;
#[cfg(test)]
mod model;
mod note;
mod owned;
mod queue;
mod reads;
mod shared;
mod stream;
mod subscriptions;
mod task;
mod turn;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::adoption::{Adoption, Opened};
use self::mailbox::Mailbox;
use self::note::Note;
use self::task::Writer;
use super::node::LiveNode;

/// The writers of a node.
pub struct Writers {
    mailboxes: Vec<Arc<Mailbox<Note>>>,
    next: AtomicUsize,
    tasks: TaskTracker,
    /// End when no stream is left.
    finish: CancellationToken,
    /// End now.
    cut: CancellationToken,
}

impl Writers {
    /// Starts one for each core.
    pub fn start(node: &LiveNode) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (finish, cut, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let mailboxes: Vec<_> = (0..cores).map(|_| Arc::<Mailbox<Note>>::default()).collect();
        for mailbox in &mailboxes {
            let work = work(node.clone(), mailbox.clone(), tasks.clone(), finish.clone());
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

/// Runs a writer. Should it panic, its streams are cut, which their readers resume, and another writer takes its mailbox.
async fn work(node: LiveNode, mailbox: Arc<Mailbox<Note>>, tasks: TaskTracker, finish: CancellationToken) {
    loop {
        let writer = Writer::new(node.clone(), mailbox.clone(), tasks.clone());
        if AssertUnwindSafe(writer.run(&finish)).catch_unwind().await.is_ok() {
            return;
        }
        tracing::error!("a writer broke down and was replaced; its streams were cut");
    }
}
