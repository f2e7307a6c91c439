//! A mailbox that anybody may put a note into and one task empties. It does not know what the notes are.

use std::mem::take;

use crate::live::sync::{Mutex, MutexGuard, Notify, PoisonError};

/// Notes in the order in which they were put in. It has no bound of its own: what puts notes in has to have one.
pub struct Mailbox<N> {
    /// Held for a push or a take, never over an await.
    notes: Mutex<Vec<N>>,
    arrived: Notify,
}

impl<N> Default for Mailbox<N> {
    fn default() -> Self {
        Self { notes: Mutex::default(), arrived: Notify::default() }
    }
}

impl<N> Mailbox<N> {
    pub fn put(&self, note: N) {
        self.notes().push(note);
        self.arrived.notify_one();
    }

    pub fn take(&self) -> Vec<N> {
        take(&mut *self.notes())
    }

    /// Waits until something was put in since the last call.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }

    fn notes(&self) -> MutexGuard<'_, Vec<N>> {
        // A push that panics because memory has run out leaves the notes as they were.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
