//! The channels that one stream reads: of its room, or of all rooms of a person and their own memberships. Takes frames
//! out in the order of the log, and says when some are missing; what a reader may have is not known here.

use std::collections::{HashMap, HashSet};
use std::future::pending;
use std::sync::Arc;

use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::watch;

use super::frame::Frame;
use super::hub::{FrameReceiver, Hub, Published};
use crate::domain::ids::{Position, RoomId, UserId};

/// What was taken out of the channels.
pub(super) enum Taken {
    /// The next frames, in order; nothing of these channels up to `through` is still to come.
    Frames { frames: Vec<Arc<Frame>>, through: Position },
    /// A channel ran over: frames are missing, and only the log has them.
    Missed,
}

/// Subscriptions of one stream. Dropping them frees the channels that nobody else listens to.
pub(super) struct Channels {
    hub: Arc<Hub>,
    rooms: HashMap<RoomId, FrameReceiver>,
    /// A person and the channel of their own memberships; none for the stream of one room.
    own: Option<(UserId, FrameReceiver)>,
    published: watch::Receiver<Published>,
    /// The mark up to which the channels were emptied.
    drained: Position,
    /// Frames taken beyond the mark: they belong to a batch that is still being published.
    early: Vec<Arc<Frame>>,
}

impl Channels {
    pub fn of_room(hub: Arc<Hub>, room: RoomId) -> Self {
        let mut channels = Self::new(hub, None);
        channels.follow(room);
        channels
    }

    /// Of a person's rooms; which ones these are is still to be read.
    pub fn of_person(hub: Arc<Hub>, user: UserId) -> Self {
        let own = Some((user, hub.subscribe_person(user)));
        Self::new(hub, own)
    }

    fn new(hub: Arc<Hub>, own: Option<(UserId, FrameReceiver)>) -> Self {
        let published = hub.published();
        Self { hub, rooms: HashMap::new(), own, published, drained: Position(0), early: Vec::new() }
    }

    /// Subscribes to a room. False when it was followed already.
    pub fn follow(&mut self, room: RoomId) -> bool {
        let is_new = !self.rooms.contains_key(&room);
        if is_new {
            self.rooms.insert(room, self.hub.subscribe_room(room));
        }
        is_new
    }

    pub fn follows(&self, room: RoomId) -> bool {
        self.rooms.contains_key(&room)
    }

    /// Gives a room up. The person's own memberships in it stay, for they come by a channel of their own.
    pub fn unfollow(&mut self, room: RoomId) {
        self.rooms.remove(&room);
        self.hub.release_room(room);
        let own = self.own.as_ref().map(|(user, _)| *user);
        self.early.retain(|frame| frame.room != room || (own.is_some() && frame.person == own));
    }

    /// Gives up every room but these.
    pub fn keep_only(&mut self, rooms: &HashSet<RoomId>) {
        let gone: Vec<RoomId> = self.rooms.keys().filter(|room| !rooms.contains(room)).copied().collect();
        for room in gone {
            self.unfollow(room);
        }
    }

    /// The log is about to be read beyond everything taken so far.
    pub fn forget_early(&mut self) {
        self.early.clear();
    }

    /// Waits for the next frames. Cancelling it loses none.
    pub async fn take(&mut self) -> Taken {
        if self.own.is_some() { self.take_of_many().await } else { self.take_of_one().await }
    }

    /// One room's channel is in the order of the log by itself.
    async fn take_of_one(&mut self) -> Taken {
        let Some((&room, channel)) = self.rooms.iter_mut().next() else { return pending().await };
        match channel.recv().await {
            Ok(frame) => Taken::Frames { through: frame.position, frames: vec![frame] },
            Err(RecvError::Lagged(_)) => Taken::Missed,
            Err(RecvError::Closed) => {
                self.rooms.insert(room, self.hub.subscribe_room(room));
                Taken::Missed
            }
        }
    }

    /// Many channels are in the order of the log only up to the mark.
    async fn take_of_many(&mut self) -> Taken {
        let mark = self.next_mark().await;
        let mut taken = std::mem::take(&mut self.early);
        let mut complete = self.own.as_mut().is_none_or(|(_, own)| drain(own, &mut taken));
        if mark.previous == self.drained {
            for room in &*mark.rooms {
                complete &= self.rooms.get_mut(room).is_none_or(|channel| drain(channel, &mut taken));
            }
        } else {
            complete &= self.rooms.values_mut().all(|channel| drain(channel, &mut taken));
        }
        self.drained = mark.position;
        if !complete {
            return Taken::Missed;
        }
        taken.sort_unstable_by_key(|frame| frame.position);
        // The reader's own memberships come by two channels.
        taken.dedup_by_key(|frame| frame.position);
        let (frames, early) = taken.into_iter().partition(|frame| frame.position <= mark.position);
        self.early = early;
        Taken::Frames { frames, through: mark.position }
    }

    async fn next_mark(&mut self) -> Published {
        loop {
            let mark = self.published.borrow_and_update().clone();
            if mark.position > self.drained {
                return mark;
            }
            if self.published.changed().await.is_err() {
                // The hub is held here, so its mark outlives the loop.
                return pending().await;
            }
        }
    }
}

impl Drop for Channels {
    fn drop(&mut self) {
        for (room, channel) in self.rooms.drain() {
            drop(channel);
            self.hub.release_room(room);
        }
        if let Some((user, channel)) = self.own.take() {
            drop(channel);
            self.hub.release_person(user);
        }
    }
}

/// Takes what a channel holds. False when it ran over.
fn drain(channel: &mut FrameReceiver, taken: &mut Vec<Arc<Frame>>) -> bool {
    loop {
        match channel.try_recv() {
            Ok(frame) => taken.push(frame),
            Err(TryRecvError::Empty) => return true,
            Err(TryRecvError::Lagged(_) | TryRecvError::Closed) => return false,
        }
    }
}
