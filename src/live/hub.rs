//! The hub: per-room broadcast channels of ready frames, a channel per person for their own memberships, and the
//! published mark. It does not decide who may subscribe.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::{broadcast, watch};

use super::frame::Frame;
use crate::domain::cursor::Cursors;
use crate::domain::event::Event;
use crate::domain::ids::{Position, RoomId, UserId};

/// Frames that a receiver may fall behind before it has to re-read the log. Tokio allocates them all at once: 2-4 KiB.
const CAPACITY: usize = 64;

/// How far the channels are filled, and what the last step touched.
///
/// A batch goes into all its channels before the mark moves. A reader of many rooms takes from its channels only up to
/// the mark: read in turn without it, they would hand out later positions before earlier ones.
#[derive(Clone, Debug)]
pub struct Published {
    pub position: Position,
    /// The mark before this step. A reader that has not seen it has missed a step and looks at all its rooms.
    pub previous: Position,
    pub rooms: Arc<[RoomId]>,
}

pub type FrameReceiver = broadcast::Receiver<Arc<Frame>>;

/// The channels of one node.
pub struct Hub {
    rooms: DashMap<RoomId, broadcast::Sender<Arc<Frame>>>,
    people: DashMap<UserId, broadcast::Sender<Arc<Frame>>>,
    published: watch::Sender<Published>,
}

impl Default for Hub {
    fn default() -> Self {
        let nothing = Published { position: Position(0), previous: Position(0), rooms: Arc::new([]) };
        Self { rooms: DashMap::new(), people: DashMap::new(), published: watch::Sender::new(nothing) }
    }
}

impl Hub {
    /// Subscribes under the entry's guard: a channel is never dropped between being found and being subscribed to.
    pub fn subscribe_room(&self, room: RoomId) -> FrameReceiver {
        self.rooms.entry(room).or_insert_with(|| broadcast::Sender::new(CAPACITY)).subscribe()
    }

    pub fn subscribe_person(&self, user: UserId) -> FrameReceiver {
        self.people.entry(user).or_insert_with(|| broadcast::Sender::new(CAPACITY)).subscribe()
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

    /// Everything up to here was published before this process followed the log.
    pub(super) fn begin(&self, head: Position) {
        self.published.send_replace(Published { position: head, previous: head, rooms: Arc::new([]) });
    }

    /// Puts a stretch of the log, without holes, into its channels, then moves the mark. Called by the feeder alone.
    pub(super) fn publish(&self, events: &[Event], cursors: &Cursors) {
        let Some(last) = events.last() else { return };
        let mut rooms: Vec<RoomId> = Vec::new();
        for event in events {
            self.send(event, cursors);
            if rooms.last() != Some(&event.room) {
                rooms.push(event.room);
            }
        }
        rooms.sort_unstable();
        rooms.dedup();
        self.published.send_modify(|mark| {
            let previous = mark.position;
            *mark = Published { position: last.position, previous, rooms: rooms.into() };
        });
    }

    fn send(&self, event: &Event, cursors: &Cursors) {
        // Encoded at most once, and only for an audience. A send fails when the last receiver has just gone: fine.
        let mut frame = None;
        let mut encoded = || frame.get_or_insert_with(|| Arc::new(Frame::of(event, cursors))).clone();
        if let Some(channel) = self.rooms.get(&event.room).filter(|channel| channel.receiver_count() > 0) {
            let _ = channel.send(encoded());
        }
        let person = event.person.and_then(|user| self.people.get(&user));
        if let Some(channel) = person.filter(|channel| channel.receiver_count() > 0) {
            let _ = channel.send(encoded());
        }
    }
}
