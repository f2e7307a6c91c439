//! What a writer is told by mail, and the waker by which one of its streams tells it.

use std::sync::Arc;
use std::task::Wake;

use super::adoption::Adoption;
use super::log_read::LogReply;
use super::mailbox::Mailbox;
use crate::live::sync::{AtomicBool, Ordering};

/// The slot of a stream in its writer. A slot is used again once its stream has gone: a late waker then wakes another
/// stream, which finds nothing to do.
pub type Key = usize;

/// What a writer has to look at. The number of notes in a mailbox is bounded: one `Stirred` a stream, one `Read` a read that
/// is under way, and one `Adopt` a connection.
pub enum Note {
    /// A stream that this writer owns from now on.
    Adopt(Box<Adoption>),
    /// Something has happened to a stream: its outlet or its handle has woken it.
    Stirred(Key),
    /// What was read from the log for streams.
    Read(Vec<Key>, LogReply),
}

/// The waker of one stream: it says in the mailbox which stream has to be looked at.
pub struct Stir {
    mailbox: Arc<Mailbox<Note>>,
    key: Key,
    /// Whether a note of it lies in the mailbox: there is never more than one.
    posted: AtomicBool,
}

impl Stir {
    pub fn new(mailbox: Arc<Mailbox<Note>>, key: Key) -> Self {
        Self { mailbox, key, posted: AtomicBool::new(false) }
    }

    /// To be called before the stream is looked at: whatever happens from then on posts a new note.
    pub fn taken(&self) {
        self.posted.store(false, Ordering::SeqCst);
    }
}

impl Wake for Stir {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.posted.swap(true, Ordering::SeqCst) {
            self.mailbox.put(Note::Stirred(self.key));
        }
    }
}
