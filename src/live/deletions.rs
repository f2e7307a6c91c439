//! Rooms that were deleted, in the order of the log, for streams that must give nothing more of them. The journal adds one at
//! the same cost however many streams are open; it wakes and walks nobody. Whoever has to know follows the chain: a stream
//! from its registration until it has a writer, and from then on the writer for all its streams.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::sync::{Mutex, PoisonError};
use crate::domain::event::Removed;

/// The deletions that this node knows of.
#[derive(Default)]
pub struct Deletions {
    /// Held for a few instructions by the journal and by streams that open, never over an await.
    newest: Mutex<Heard>,
}

/// How far somebody has heard of deletions; an iterator over those that came since. A deletion is kept in memory until
/// everybody who has to hear of it has heard of it.
#[derive(Clone, Default)]
pub struct Heard(Arc<Link>);

/// A point between two deletions.
#[derive(Default)]
struct Link {
    next: OnceLock<(Removed, Heard)>,
}

impl Deletions {
    /// Adds a deletion. Whoever looks for news from now on hears of it.
    pub fn add(&self, removed: Removed) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let after = Heard::default();
        // The newest point has no next one: points are added here alone, under the lock.
        let _ = newest.0.next.set((removed, after.clone()));
        *newest = after;
    }

    /// Whoever takes this hears of every deletion that is added from now on.
    pub fn heard(&self) -> Heard {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Heard {
    /// Whether there are deletions to hear of: one atomic load.
    pub fn has_news(&self) -> bool {
        self.0.next.get().is_some()
    }
}

impl Iterator for Heard {
    type Item = Removed;

    fn next(&mut self) -> Option<Removed> {
        let (removed, after) = self.0.next.get().cloned()?;
        *self = after;
        Some(removed)
    }
}

/// Without the chain: each link would print its next one inside itself, and a long chain would overflow the stack.
impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heard").finish_non_exhaustive()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // One after the other: each would drop its next one inside its own drop, and a long chain would overflow the stack.
        let mut next = self.next.take();
        while let Some((_, Heard(link))) = next {
            next = Arc::into_inner(link).and_then(|mut link| link.next.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{Ids, Position};

    fn add(deletions: &Deletions, positions: std::ops::Range<i64>) {
        let room = Ids::SYSTEM.room();
        positions.for_each(|at| deletions.add(Removed { room, user: None, position: Position(at) }));
    }

    #[test]
    fn everybody_hears_in_order_of_what_came_since() {
        shuttle::check_random(
            || {
                let deletions = Deletions::default();
                let mut early = deletions.heard();
                add(&deletions, 0..2);
                assert!(early.has_news());
                let late = deletions.heard();
                add(&deletions, 2..3);
                let positions =
                    |heard: &mut Heard| heard.map(|removed| removed.position.0).collect::<Vec<_>>();
                assert_eq!(positions(&mut early), [0, 1, 2]);
                assert!(!early.has_news());
                assert_eq!(positions(&mut late.clone()), [2]);
            },
            1,
        );
    }

    #[test]
    fn what_everybody_has_heard_of_is_freed_and_a_long_chain_too() {
        shuttle::check_random(
            || {
                let deletions = Deletions::default();
                let mut heard = deletions.heard();
                let first = Arc::downgrade(&heard.0);
                add(&deletions, 0..100_000);
                assert!(first.upgrade().is_some());
                assert_eq!(heard.next().map(|removed| removed.position.0), Some(0));
                assert!(first.upgrade().is_none(), "nobody needs it any more");
                assert_eq!(format!("{heard:?}"), "Heard { .. }");
                drop(heard);
            },
            1,
        );
    }
}
