//! Reading the log for streams that are not level with it: a page at a time, in the order in which they were asked for,
//! so that two thousand readers who come back at once hold in memory what a few of them need. Those of one room who were
//! cut off at the same event, as all are when a server stops, get the same page.

use std::collections::{HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use tokio_util::task::TaskTracker;

use super::mailbox::{Key, Mailbox, Note};
use super::queue;
use crate::domain::ids::{Position, UserId};
use crate::domain::room::RoomRef;
use crate::live::frame::{ByeReason, Run};
use crate::live::open::{Live, Scope};
use crate::storage::{Error, Page, Snapshot};

/// Events read from the log at once.
const PAGE: i64 = 256;
/// Reads under way at once for one writer: requests read from the same store.
const AT_ONCE: usize = 1;

/// The number of the next question in this process. A writer that was replaced still gets the answers to the questions of
/// the one before it: no stream may take them for its own.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// What streams want to know.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who asks. More than one only for a page of a room, which is the same for all who may read it.
    pub keys: Vec<Key>,
    /// No two questions have the same: a stream knows a late answer to another one.
    pub number: u64,
    pub reader: UserId,
    pub scope: Scope,
    pub what: What,
}

#[derive(Clone, Copy, Debug)]
pub enum What {
    /// Its part of the log after the first position, up to the second.
    Page(Position, Position),
    /// What it may read at all, as of now.
    Snapshot,
}

/// What the log says.
pub struct Answer {
    pub number: u64,
    pub found: Result<Found, Error>,
}

pub enum Found {
    Stretch(Stretch),
    Snapshot(Snapshot),
    /// The room is not the reader's any more.
    NoAccess(ByeReason),
}

/// Everything of a reader's up to a position.
pub struct Stretch {
    pub run: Run,
    pub through: Position,
    pub floor: Position,
}

/// The questions of one writer.
pub struct Reads {
    live: Live,
    mailbox: Arc<Mailbox>,
    tasks: TaskTracker,
    waiting: VecDeque<Question>,
    under_way: HashSet<u64>,
}

impl Reads {
    pub fn new(live: Live, mailbox: Arc<Mailbox>, tasks: TaskTracker) -> Self {
        Self { live, mailbox, tasks, waiting: VecDeque::new(), under_way: HashSet::new() }
    }

    /// Asks, and gives the number that the answer will carry.
    pub fn ask(&mut self, key: Key, reader: UserId, scope: Scope, what: What) -> u64 {
        if let Scope::Room(_) = scope
            && let Some(same) = self.waiting.iter_mut().find(|question| question.answers(scope, what))
        {
            same.keys.push(key);
            return same.number;
        }
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        self.waiting.push_back(Question { keys: vec![key], number, reader, scope, what });
        number
    }

    /// An answer has come.
    pub fn answered(&mut self, number: u64) {
        self.under_way.remove(&number);
    }

    /// Nobody waits for the answer any more.
    pub fn forget(&mut self, key: Key) {
        self.waiting.retain_mut(|question| {
            question.keys.retain(|other| *other != key);
            !question.keys.is_empty()
        });
    }

    /// Reads what is asked for, as much as may be read at once.
    pub fn go_on(&mut self) {
        while self.under_way.len() < AT_ONCE
            && let Some(question) = self.waiting.pop_front()
        {
            self.under_way.insert(question.number);
            let (live, mailbox) = (self.live.clone(), self.mailbox.clone());
            self.tasks.spawn(async move {
                // A writer waits for the answer to each of its questions before it puts the next.
                let found = AssertUnwindSafe(find(&live, &question)).catch_unwind().await;
                let found = found.unwrap_or_else(|_| Err(Error::Panicked));
                mailbox.put(Note::Read(question.keys, Answer { number: question.number, found }));
            });
        }
    }
}

impl Question {
    /// Whether its answer is the answer to another question, too: a page that begins at the same event of the same room and
    /// does not go further.
    fn answers(&self, scope: Scope, what: What) -> bool {
        match (self.what, what) {
            (What::Page(after, upto), What::Page(other_after, other_upto)) => {
                matches!(scope, Scope::Room(_))
                    && self.scope == scope
                    && after == other_after
                    && upto <= other_upto
            }
            _ => false,
        }
    }
}

#[cfg(test)]
impl Reads {
    /// Puts no question to the store, as if it were busy with one: a model answers them.
    pub fn hold(&mut self) {
        self.under_way.insert(u64::MAX);
    }

    /// The question whose turn it is, for who holds them.
    pub fn held(&mut self) -> Option<Question> {
        let question = if self.under_way.len() == AT_ONCE { self.waiting.pop_front() } else { None };
        self.under_way.extend(question.as_ref().map(|question| question.number));
        question
    }
}

async fn find(live: &Live, question: &Question) -> Result<Found, Error> {
    let Question { reader, scope, what, .. } = *question;
    let store = &live.store;
    Ok(match (what, scope) {
        (What::Page(after, upto), Scope::Room(room)) => {
            Found::Stretch(stretch(live, store.room_events(room, after, upto, PAGE).await?))
        }
        (What::Page(after, upto), Scope::Person) => {
            Found::Stretch(stretch(live, store.user_events(reader, after, upto, PAGE).await?))
        }
        (What::Snapshot, Scope::Room(room)) => match store.open_room_events(&RoomRef::Id(room), reader).await
        {
            // A deleted room and a private one that the reader has left are refused alike.
            Err(Error::Refused(_)) if store.is_deleted(room).await? => Found::NoAccess(ByeReason::Deleted),
            Err(Error::Refused(_)) => Found::NoAccess(ByeReason::Removed),
            snapshot => Found::Snapshot(snapshot?),
        },
        (What::Snapshot, Scope::Person) => Found::Snapshot(store.open_user_events(reader).await?),
    })
}

/// Encodes a page, cut to what one socket may have waiting.
fn stretch(live: &Live, page: Page) -> Stretch {
    let Page { mut events, mut through, floor } = page;
    let mut bytes = 0;
    let fits = events.iter().take_while(|event| {
        let before = bytes;
        bytes += event.data.len();
        before < queue::BYTES
    });
    let fits = fits.count();
    if fits < events.len() {
        events.truncate(fits);
        through = events.last().map_or(through, |event| event.position);
    }
    Stretch { run: Run::of(&events, live.store.cursors()), through, floor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Ids;

    #[test]
    fn only_the_page_of_a_room_that_goes_no_further_is_shared() {
        let (room, other) = (Scope::Room(Ids.room()), Scope::Room(Ids.room()));
        let page = |after, upto| What::Page(Position(after), Position(upto));
        let waiting = |scope, what| Question { keys: vec![0], number: 0, reader: Ids.user(), scope, what };
        let question = waiting(room, page(3, 7));
        assert!(question.answers(room, page(3, 7)));
        assert!(question.answers(room, page(3, 8)), "the rest is asked for afterwards");
        assert!(!question.answers(room, page(3, 6)), "it would show what the channel shows again");
        assert!(!question.answers(room, page(2, 7)));
        assert!(!question.answers(other, page(3, 7)));
        assert!(
            !waiting(Scope::Person, page(3, 7)).answers(Scope::Person, page(3, 7)),
            "each sees other rooms"
        );
        assert!(!waiting(room, What::Snapshot).answers(room, What::Snapshot), "each has their own");
    }
}
