//! The reads of one writer: a page of the log at a time, in the order in which they were asked for, so that two thousand
//! readers who come back at once hold in memory what a few of them need. Readers of one room who were cut off at the same
//! event share a page; when a server stops, those are all readers of the room.

use std::collections::{HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::task::TaskTracker;

use super::log_read::{LogRead, LogReply, What};
use super::mailbox::Mailbox;
use super::note::{Key, Note};
use crate::domain::ids::UserId;
use crate::live::node::LiveNode;
use crate::live::scope::Scope;
use crate::storage::Error;

/// Reads under way at once for one writer: requests read from the same store.
const AT_ONCE: usize = 1;
/// How long a writer waits after a read for which the store was too busy. Its streams are late then, never wrong.
const PAUSE: Duration = Duration::from_millis(200);

/// The number of the next read in this process. A writer that replaces another one still gets the replies to the reads of
/// the first: no stream may take them for its own.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// A read and the streams that wait for it. There is more than one only for a page of a room, which is the same for all who
/// may read it, but for what is for one of them alone.
#[derive(Debug)]
pub struct Waiting {
    pub keys: Vec<Key>,
    /// Whose streams they are.
    pub readers: Vec<UserId>,
    pub read: LogRead,
}

/// The reads of one writer.
pub struct Reads {
    node: LiveNode,
    mailbox: Arc<Mailbox<Note>>,
    tasks: TaskTracker,
    waiting: VecDeque<Waiting>,
    under_way: HashSet<u64>,
}

impl Reads {
    pub fn new(node: LiveNode, mailbox: Arc<Mailbox<Note>>, tasks: TaskTracker) -> Self {
        Self { node, mailbox, tasks, waiting: VecDeque::new(), under_way: HashSet::new() }
    }

    /// Asks for a read, and gives the number that the reply will carry.
    pub fn ask(&mut self, key: Key, reader: UserId, scope: Scope, what: What) -> u64 {
        if let Scope::Room(_) = scope
            && let Some(same) = self.waiting.iter_mut().find(|waiting| waiting.read.answers(scope, what))
        {
            same.keys.push(key);
            same.readers.push(reader);
            return same.read.number;
        }
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let read = LogRead { number, reader, scope, what };
        self.waiting.push_back(Waiting { keys: vec![key], readers: vec![reader], read });
        number
    }

    /// A reply has come.
    pub fn answered(&mut self, number: u64) {
        self.under_way.remove(&number);
    }

    /// This stream waits for no reply any more.
    pub fn forget(&mut self, key: Key) {
        self.waiting.retain_mut(|waiting| {
            waiting.keys.retain(|other| *other != key);
            !waiting.keys.is_empty()
        });
    }

    /// Starts the next reads, as many as may be under way at once.
    pub fn go_on(&mut self) {
        while self.under_way.len() < AT_ONCE
            && let Some(Waiting { keys, readers, read }) = self.waiting.pop_front()
        {
            self.under_way.insert(read.number);
            let (node, mailbox) = (self.node.clone(), self.mailbox.clone());
            self.tasks.spawn(async move {
                // The writer starts its next read only after the reply to this one: a panic must be a reply, too.
                let found = AssertUnwindSafe(read.find(&node, readers)).catch_unwind().await;
                let found = found.unwrap_or_else(|_| Err(Error::Panicked));
                if let Err(Error::Overloaded | Error::Unavailable(_)) = found {
                    // Streams ask again as soon as they have the reply.
                    tokio::time::sleep(PAUSE).await;
                }
                mailbox.put(Note::Read(keys, LogReply { number: read.number, found }));
            });
        }
    }
}

#[cfg(test)]
impl Reads {
    /// Starts no read, as if the store were busy with one: a model replies instead.
    pub fn hold(&mut self) {
        self.under_way.insert(u64::MAX);
    }

    /// The next read, for the model that holds them.
    pub fn held(&mut self) -> Option<Waiting> {
        let waiting = if self.under_way.len() == AT_ONCE { self.waiting.pop_front() } else { None };
        self.under_way.extend(waiting.as_ref().map(|waiting| waiting.read.number));
        waiting
    }
}
