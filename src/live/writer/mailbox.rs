//! How a writer is spoken to: a mailbox that anybody may put a note into, and for each stream a waker that says which one
//! stirs. It knows nothing of what the notes mean.

use std::mem::take;
use std::sync::Arc;
use std::task::Wake;

use super::adoption::Adoption;
use super::replay::Answer;
use crate::live::sync::{AtomicBool, Mutex, MutexGuard, Notify, Ordering, PoisonError};

/// The place of a stream in its writer. A place is used again once its stream has gone: a late waker then stirs another
/// stream, which finds nothing to do.
pub type Key = usize;

/// What a writer has to look at.
pub enum Note {
    /// A stream that this writer owns from now on.
    Adopt(Box<Adoption>),
    /// Something has happened to a stream: its socket, its reader, or the registry's word.
    Stirred(Key),
    /// What was read from the log for streams.
    Read(Vec<Key>, Answer),
}

/// Notes in the order in which they were put in. Bounded by what puts them there: one stir a stream, one answer a read,
/// and one adoption a connection.
#[derive(Default)]
pub struct Mailbox {
    /// Held for a push or a take, never over an await.
    notes: Mutex<Vec<Note>>,
    arrived: Notify,
}

impl Mailbox {
    pub fn put(&self, note: Note) {
        self.notes().push(note);
        self.arrived.notify_one();
    }

    pub fn take(&self) -> Vec<Note> {
        take(&mut *self.notes())
    }

    /// Waits until something was put in since the last call.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    fn notes(&self) -> MutexGuard<'_, Vec<Note>> {
        // A push that panics for want of memory leaves the notes as they were.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The waker of one stream.
pub struct Stir {
    mailbox: Arc<Mailbox>,
    key: Key,
    /// Whether a note of it lies in the mailbox: there is never more than one.
    posted: AtomicBool,
}

impl Stir {
    pub fn new(mailbox: Arc<Mailbox>, key: Key) -> Self {
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
