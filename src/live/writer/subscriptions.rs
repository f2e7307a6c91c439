//! What one writer takes from the hub: one receiver a room and a person, however many of its streams listen, emptied in
//! steps of the published mark. Which frames a reader may have is not known here.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::Arc;

use super::note::Key;
use crate::domain::ids::{Position, RoomId, UserId};
use crate::live::frame::Run;
use crate::live::hub::{Hub, Published, RunReceiver};
use crate::live::sync::broadcast::error::TryRecvError;
use crate::live::sync::watch;

/// The subscriptions of one writer.
pub struct Subscriptions {
    hub: Arc<Hub>,
    published: watch::Receiver<Published>,
    /// All channels were emptied up to here.
    drained: Position,
    /// The beginnings of the mark, as far as they are known here.
    beginnings: u64,
    rooms: HashMap<RoomId, Subscription>,
    people: HashMap<UserId, Subscription>,
}

/// One channel and who listens to it here.
struct Subscription {
    receiver: RunReceiver,
    /// What was sent up to here may not have come: it was sent before the subscription, or ran over. The log has it.
    missing: Position,
    /// Runs taken beyond the mark: they belong to a step that is still being published.
    early: Vec<Arc<Run>>,
    listeners: Listeners,
}

/// Streams by what they show: one room, or all rooms of a person. A person's channel has both, too.
#[derive(Clone, Debug, Default)]
pub struct Listeners {
    pub of_room: Vec<Key>,
    pub of_person: Vec<Key>,
}

/// What came with one or several moves of the mark.
pub struct Step {
    /// `drained` before and after; no event of these channels up to `through` is still to come.
    pub before: Position,
    pub through: Position,
    pub taken: Vec<Taken>,
}

/// A channel of the hub.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    Room(RoomId),
    Person(UserId),
}

/// What came by one channel.
pub struct Taken {
    pub source: Source,
    /// Whether streams of all of somebody's rooms listened to it here when it was taken.
    pub is_for_people: bool,
    /// The next runs, in order. None when the channel ran over: then only the log has them all.
    pub runs: Option<Vec<Arc<Run>>>,
}

impl Subscriptions {
    pub fn new(hub: Arc<Hub>) -> Self {
        let mut published = hub.published();
        let mark = published.borrow_and_update().clone();
        let (drained, beginnings) = (mark.position, mark.beginnings);
        Self { hub, published, drained, beginnings, rooms: HashMap::new(), people: HashMap::new() }
    }

    /// What the channels held up to here was handed to whoever listened then.
    pub fn drained(&self) -> Position {
        self.drained
    }

    /// Adds a listener to a room: one of this room alone, or of all rooms of a person. What was sent before lies in the
    /// log up to the position given.
    pub fn follow_room(&mut self, room: RoomId, key: Key, of_person: bool) -> Position {
        self.begin_again();
        let hub = &self.hub;
        let subscription =
            self.rooms.entry(room).or_insert_with(|| Subscription::new(hub.subscribe_room(room), hub));
        subscription.add(key, of_person).max(self.drained)
    }

    /// The same for what is about a person or for that person alone.
    pub fn follow_person(&mut self, user: UserId, key: Key, of_person: bool) -> Position {
        self.begin_again();
        let hub = &self.hub;
        let subscription =
            self.people.entry(user).or_insert_with(|| Subscription::new(hub.subscribe_person(user), hub));
        subscription.add(key, of_person).max(self.drained)
    }

    pub fn unfollow_room(&mut self, room: RoomId, key: Key) {
        if leave(self.rooms.entry(room), key) {
            self.hub.release_room(room);
        }
    }

    pub fn unfollow_person(&mut self, user: UserId, key: Key) {
        if leave(self.people.entry(user), key) {
            self.hub.release_person(user);
        }
    }

    /// Waits until the mark has moved.
    pub async fn moved(&mut self) {
        if self.published.changed().await.is_err() {
            // Impossible: the hub is held here, so its mark outlives the wait.
            std::future::pending::<()>().await;
        }
    }

    /// Takes what was published since the last step.
    pub fn take(&mut self) -> Option<Step> {
        self.begin_again();
        let mark = self.published.borrow_and_update().clone();
        let before = self.drained;
        if mark.position <= before {
            return None;
        }
        let hub = &self.hub;
        let room = |room: RoomId, subscription: &mut Subscription| {
            let runs = subscription.drain(mark.position, hub, || hub.subscribe_room(room));
            Taken { source: Source::Room(room), is_for_people: subscription.is_for_people(), runs }
        };
        let person = |user: UserId, subscription: &mut Subscription| {
            let runs = subscription.drain(mark.position, hub, || hub.subscribe_person(user));
            Taken { source: Source::Person(user), is_for_people: subscription.is_for_people(), runs }
        };
        let mut taken = Vec::new();
        if mark.previous == before {
            let rooms = mark.rooms.iter().filter_map(|id| Some(room(*id, self.rooms.get_mut(id)?)));
            taken.extend(rooms);
            let people = mark.people.iter().filter_map(|id| Some(person(*id, self.people.get_mut(id)?)));
            taken.extend(people);
        } else {
            taken.extend(self.rooms.iter_mut().map(|(id, subscription)| room(*id, subscription)));
            taken.extend(self.people.iter_mut().map(|(id, subscription)| person(*id, subscription)));
        }
        taken.retain(|taken| taken.runs.as_ref().is_none_or(|runs| !runs.is_empty()));
        self.drained = mark.position;
        Some(Step { before, through: mark.position, taken })
    }

    /// Subscribes anew if the mark has begun at another place. The streams that were there then have been told to end; to those that
    /// come later nothing of the time before may be given.
    fn begin_again(&mut self) {
        let (position, beginnings) = {
            let mark = self.published.borrow();
            (mark.position, mark.beginnings)
        };
        if beginnings == self.beginnings {
            return;
        }
        let hub = &self.hub;
        for (room, subscription) in &mut self.rooms {
            subscription.begin_again(hub.subscribe_room(*room), hub);
        }
        for (user, subscription) in &mut self.people {
            subscription.begin_again(hub.subscribe_person(*user), hub);
        }
        (self.drained, self.beginnings) = (position, beginnings);
    }

    /// Who listens to a channel here.
    pub fn listeners(&self, source: Source) -> &Listeners {
        static NOBODY: Listeners = Listeners { of_room: Vec::new(), of_person: Vec::new() };
        let subscription = match source {
            Source::Room(room) => self.rooms.get(&room),
            Source::Person(user) => self.people.get(&user),
        };
        subscription.map_or(&NOBODY, |subscription| &subscription.listeners)
    }
}

impl Subscription {
    fn new(receiver: RunReceiver, hub: &Hub) -> Self {
        Self { receiver, missing: hub.reaching(), early: Vec::new(), listeners: Listeners::default() }
    }

    /// Adds a listener, and gives the mark up to which something may be missing.
    fn add(&mut self, key: Key, of_person: bool) -> Position {
        let Listeners { of_room, of_person: of_people } = &mut self.listeners;
        if of_person {
            of_people.push(key);
        } else {
            of_room.push(key);
        }
        self.missing
    }

    fn begin_again(&mut self, receiver: RunReceiver, hub: &Hub) {
        self.receiver = receiver;
        self.missing = hub.reaching();
        self.early.clear();
    }

    fn is_for_people(&self) -> bool {
        !self.listeners.of_person.is_empty()
    }

    /// Empties the channel and gives the runs up to the mark. None when some are missing.
    fn drain(&mut self, mark: Position, hub: &Hub, anew: impl Fn() -> RunReceiver) -> Option<Vec<Arc<Run>>> {
        let mut runs = std::mem::take(&mut self.early);
        let mut is_complete = true;
        loop {
            match self.receiver.try_recv() {
                Ok(run) => runs.push(run),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Lagged(_)) => is_complete = false,
                Err(TryRecvError::Closed) => {
                    self.receiver = anew();
                    is_complete = false;
                    break;
                }
            }
        }
        if !is_complete {
            self.missing = hub.reaching();
        }
        // A run belongs to one step as a whole.
        let is_due = |run: &Arc<Run>| run.last().is_some_and(|last| last <= mark);
        let due = runs.iter().take_while(|run| is_due(run)).count();
        self.early = runs.split_off(due);
        is_complete.then_some(runs)
    }
}

/// Takes a listener out. True when it was the last one, and the channel was let go of.
fn leave<K: Eq + Hash>(entry: Entry<'_, K, Subscription>, key: Key) -> bool {
    let Entry::Occupied(mut entry) = entry else { return false };
    let Listeners { of_room, of_person } = &mut entry.get_mut().listeners;
    for keys in [&mut *of_room, &mut *of_person] {
        if let Some(at) = keys.iter().position(|other| *other == key) {
            keys.swap_remove(at);
        }
    }
    let is_last = of_room.is_empty() && of_person.is_empty();
    if is_last {
        entry.remove();
    }
    is_last
}
