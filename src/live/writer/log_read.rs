//! One read of the log for streams that are behind it: what is asked, what the store answers, and how much of it one stream
//! may hold in memory. Whose turn it is to read is not decided here.

use std::collections::HashMap;
use std::sync::Arc;

use super::queue;
use crate::domain::cursor::Cursors;
use crate::domain::event::Event;
use crate::domain::ids::{Position, UserId};
use crate::domain::room::RoomRef;
use crate::live::frame::{ByeReason, Frame, Run};
use crate::live::node::LiveNode;
use crate::live::scope::Scope;
use crate::storage::{Error, Page, Snapshot};

/// Events read from the log at once.
const PAGE: i64 = 256;

/// What streams ask of the log.
#[derive(Clone, Copy, Debug)]
pub struct LogRead {
    /// No two reads of this process have the same number: a stream recognises a late reply to another one.
    pub number: u64,
    pub reader: UserId,
    pub scope: Scope,
    pub what: What,
}

#[derive(Clone, Copy, Debug)]
pub enum What {
    /// The reader's part of the log after the first position, up to the second.
    Page(Position, Position),
    /// Which rooms the reader may read at all, as of now.
    Snapshot,
}

/// What the log says.
pub struct LogReply {
    pub number: u64,
    pub found: Result<Found, Error>,
}

pub enum Found {
    Stretch(Stretch),
    /// With what makes its cursor.
    Snapshot(Snapshot, Cursors),
    /// The reader may not read the room any more.
    NoAccess(ByeReason),
}

/// All events of the log that a reader is shown, after the position that was asked for and up to `through`.
pub struct Stretch {
    pub run: Run,
    /// What is for one of the readers of a room alone, in order.
    pub own: HashMap<UserId, Vec<Arc<Frame>>>,
    pub through: Position,
    /// Events up to here are no longer in the log.
    pub floor: Position,
}

impl LogRead {
    /// Whether its reply also answers another read: a page that begins at the same event of the same room and does not go
    /// further.
    pub fn answers(&self, scope: Scope, what: What) -> bool {
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

    /// Reads it. `readers` are the people whose streams wait for a page of a room.
    pub async fn find(&self, node: &LiveNode, mut readers: Vec<UserId>) -> Result<Found, Error> {
        let Self { reader, scope, what, .. } = *self;
        let store = &node.store;
        let cursors = store.cursors().pinned();
        Ok(match (what, scope) {
            (What::Page(after, upto), Scope::Room(room)) => {
                readers.sort_unstable();
                readers.dedup();
                let (page, own) = store.room_events(room, readers, (after, upto), PAGE).await?;
                Found::Stretch(stretch(&cursors, page, &own))
            }
            (What::Page(after, upto), Scope::Person) => {
                Found::Stretch(stretch(&cursors, store.user_events(reader, after, upto, PAGE).await?, &[]))
            }
            (What::Snapshot, Scope::Room(room)) => {
                match store.open_room_events(&RoomRef::Id(room), reader).await {
                    // A deleted room and a private one that the reader has left are refused alike.
                    Err(Error::Refused(_)) if store.is_deleted(room).await? => {
                        Found::NoAccess(ByeReason::Deleted)
                    }
                    Err(Error::Refused(_)) => Found::NoAccess(ByeReason::Removed),
                    snapshot => Found::Snapshot(snapshot?, cursors),
                }
            }
            (What::Snapshot, Scope::Person) => {
                Found::Snapshot(store.open_user_events(reader).await?, cursors)
            }
        })
    }
}

/// Encodes a page, cut to what one stream may hold in its queue.
fn stretch(cursors: &Cursors, page: Page, own: &[Event]) -> Stretch {
    let Page { mut events, mut through, floor } = page;
    let mut bytes = 0;
    let fits = events.iter().take_while(|event| {
        let before = bytes;
        bytes += event.size();
        before < queue::BYTES
    });
    let fits = fits.count();
    if fits < events.len() {
        events.truncate(fits);
        through = events.last().map_or(through, |event| event.position);
    }
    Stretch { run: Run::of(&events, cursors), own: by_reader(own, cursors), through, floor }
}

/// The frames of events that are for one person each, in order.
pub fn by_reader(events: &[Event], cursors: &Cursors) -> HashMap<UserId, Vec<Arc<Frame>>> {
    let mut own: HashMap<UserId, Vec<Arc<Frame>>> = HashMap::new();
    for frame in Run::of(events, cursors).frames {
        if let Some(reader) = frame.person {
            own.entry(reader).or_default().push(frame);
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Ids;

    #[test]
    fn only_the_page_of_a_room_that_goes_no_further_is_shared() {
        let (room, other) = (Scope::Room(Ids::SYSTEM.room()), Scope::Room(Ids::SYSTEM.room()));
        let page = |after, upto| What::Page(Position(after), Position(upto));
        let waiting = |scope, what| LogRead { number: 0, reader: Ids::SYSTEM.user(), scope, what };
        let read = waiting(room, page(3, 7));
        assert!(read.answers(room, page(3, 7)));
        assert!(read.answers(room, page(3, 8)), "the rest is asked for afterwards");
        assert!(!read.answers(room, page(3, 6)), "it would show what the channel shows again");
        assert!(!read.answers(room, page(2, 7)));
        assert!(!read.answers(other, page(3, 7)));
        assert!(
            !waiting(Scope::Person, page(3, 7)).answers(Scope::Person, page(3, 7)),
            "each sees other rooms"
        );
        assert!(!waiting(room, What::Snapshot).answers(room, What::Snapshot), "each has their own");
    }
}
