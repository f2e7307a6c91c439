//! The hub: per-room broadcast channels of ready frames, a channel per person for their own memberships and what is for them alone, and the two marks
//! that tell how far they are filled. It does not decide who may subscribe, and does not know who reads.

use std::sync::Arc;

use super::frame::Run;
use super::sync::{AtomicI64, DashMap, Ordering, broadcast, watch};
use crate::domain::cursor::Cursors;
use crate::domain::event::{Audience, Event};
use crate::domain::ids::{Position, RoomId, UserId};

/// Runs that a receiver may fall behind before it has to re-read the log. Tokio allocates them all at once: 2-4 KiB.
/// Few in a model, where that has to happen soon.
const CAPACITY: usize = if cfg!(test) { 2 } else { 64 };
/// The same for the channel of a person, through which little goes. Every stream has one, and it is allocated at once, too.
const CAPACITY_OF_PERSON: usize = if cfg!(test) { 2 } else { 8 };

/// The mark `published`, and what the last step touched.
///
/// A step goes into all its channels before the mark moves. A reader of many rooms takes from its channels only up to
/// the mark: read in turn without it, they would hand out later positions before earlier ones.
#[derive(Clone, Debug)]
pub struct Published {
    /// Every channel holds all of its events up to here.
    pub position: Position,
    /// The mark before this step. A writer whose `drained` is another one has missed a step and looks at all its channels.
    pub previous: Position,
    pub rooms: Arc<[RoomId]>,
    pub people: Arc<[UserId]>,
    /// How often the mark began at another place. What the channels held before means nothing after it.
    pub beginnings: u64,
}

pub type RunReceiver = broadcast::Receiver<Arc<Run>>;

/// The channels of one node.
pub struct Hub {
    rooms: DashMap<RoomId, broadcast::Sender<Arc<Run>>>,
    people: DashMap<UserId, broadcast::Sender<Arc<Run>>>,
    reaching: AtomicI64,
    published: watch::Sender<Published>,
}

impl Default for Hub {
    fn default() -> Self {
        let begin = Position(0);
        let nothing = Published {
            position: begin,
            previous: begin,
            rooms: Arc::new([]),
            people: Arc::new([]),
            beginnings: 0,
        };
        Self {
            rooms: DashMap::new(),
            people: DashMap::new(),
            reaching: AtomicI64::new(begin.0),
            published: watch::Sender::new(nothing),
        }
    }
}

impl Hub {
    /// Subscribes under the entry's guard: a channel is never dropped between being found and being subscribed to.
    pub fn subscribe_room(&self, room: RoomId) -> RunReceiver {
        self.rooms.entry(room).or_insert_with(|| broadcast::Sender::new(CAPACITY)).subscribe()
    }

    pub fn subscribe_person(&self, user: UserId) -> RunReceiver {
        self.people.entry(user).or_insert_with(|| broadcast::Sender::new(CAPACITY_OF_PERSON)).subscribe()
    }

    /// Drops the channel of a room that nobody listens to any more.
    pub fn release_room(&self, room: RoomId) {
        self.rooms.remove_if(&room, |_, channel| channel.receiver_count() == 0);
    }

    pub fn release_person(&self, user: UserId) {
        self.people.remove_if(&user, |_, channel| channel.receiver_count() == 0);
    }

    pub fn published(&self) -> watch::Receiver<Published> {
        self.published.subscribe()
    }

    /// The mark `reaching`. What was sent into any channel until now lies at or below it, and is committed: whoever reads the
    /// log up to here misses nothing that was sent before the subscription, or that ran over.
    ///
    /// The feeder raises it before it takes the first channel's guard; a subscriber must ask after it has let go of that.
    pub fn reaching(&self) -> Position {
        Position(self.reaching.load(Ordering::SeqCst))
    }

    /// Everything up to here was published before this process followed the log.
    pub(super) fn begin(&self, head: Position) {
        self.reaching.store(head.0, Ordering::SeqCst);
        self.published.send_modify(|mark| {
            (mark.position, mark.previous) = (head, head);
            mark.beginnings += 1;
        });
    }

    /// Puts the next stretch of the log into its channels, then moves the mark. Called by the feeder alone.
    pub(super) fn publish(&self, events: &[Event], cursors: &Cursors) {
        let Some(last) = events.last() else { return };
        self.reaching.store(last.position.0, Ordering::SeqCst);
        let for_members = |event: &&Event| event.kind.audience() == Audience::Room;
        let mut by_room: Vec<&Event> = events.iter().filter(for_members).collect();
        // Stable: within a room they stay in the order of the log.
        by_room.sort_by_key(|event| event.room());
        let (mut rooms, mut people) = (Vec::new(), Vec::new());
        for events in by_room.chunk_by(|one, next| one.room() == next.room()) {
            let Some(room) = events[0].room() else { continue };
            if send(&self.rooms, &room, events, cursors) {
                rooms.push(room);
            }
        }
        let mut by_person: Vec<&Event> = events.iter().filter(|event| event.person().is_some()).collect();
        by_person.sort_by_key(|event| event.person());
        for events in by_person.chunk_by(|one, next| one.person() == next.person()) {
            let Some(person) = events[0].person() else { continue };
            if send(&self.people, &person, events, cursors) {
                people.push(person);
            }
        }
        self.published.send_modify(|mark| {
            let previous = mark.position;
            (mark.position, mark.previous) = (last.position, previous);
            (mark.rooms, mark.people) = (rooms.into(), people.into());
        });
    }
}

/// Sends what is encoded only if somebody listens. Tells whether somebody did.
fn send<K: Copy + Eq + std::hash::Hash>(
    channels: &DashMap<K, broadcast::Sender<Arc<Run>>>,
    key: &K,
    events: &[&Event],
    cursors: &Cursors,
) -> bool {
    let Some(channel) = channels.get(key).filter(|channel| channel.receiver_count() > 0) else {
        return false;
    };
    // It fails when the last receiver has just gone: fine.
    channel.send(Arc::new(Run::of(events.iter().copied(), cursors))).is_ok()
}
