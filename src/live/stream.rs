//! A stream that was authorized and waits for the outlet that its bytes go to.

use std::sync::Arc;

use super::outlet::Outlet;
use super::writer::{Adoption, Opened, Writers};

/// It has no writer yet: nothing is read for it, nothing is queued, and it only counts among the open streams.
pub struct EventStream {
    opened: Opened,
    writers: Arc<Writers>,
}

impl EventStream {
    pub(super) fn new(opened: Opened, writers: Arc<Writers>) -> Self {
        Self { opened, writers }
    }

    /// Gives the stream to a writer, which sends everything to this outlet. The head of the answer must have been sent.
    /// `pass` is dropped once the outlet is closed.
    pub fn write_to(self, outlet: Box<dyn Outlet>, pass: Box<dyn Send>) {
        self.writers.adopt(Adoption { opened: self.opened, outlet, pass });
    }
}
