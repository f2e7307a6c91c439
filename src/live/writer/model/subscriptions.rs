//! Listeners of a room who come and go while it is published to: what a channel does not bring them lies in the log, up to
//! where they were told.

use std::sync::Arc;

use shuttle::future::block_on;
use shuttle::thread;

use super::events::event;
use super::node::HOME;
use super::{explore, ground};
use crate::domain::event::EventType;
use crate::domain::ids::Position;
use crate::live::hub::Hub;
use crate::live::writer::subscriptions::{Source, Step, Subscriptions};

const LAST: i64 = 6;

/// What a listener has.
#[derive(Default)]
struct Listener {
    /// The log is read up to here.
    log: Position,
    came: Vec<i64>,
}

impl Listener {
    fn take(&mut self, step: &Step, hub: &Hub) {
        for taken in &step.taken {
            match &taken.runs {
                Some(runs) => {
                    let frames = runs.iter().flat_map(|run| &run.frames);
                    let new = frames.map(|frame| frame.position).filter(|position| *position > self.log);
                    self.came.extend(new.map(|position| position.0));
                }
                None => self.log = self.log.max(hub.reaching()),
            }
        }
    }

    fn check(&self) {
        let came: Vec<_> = self.came.iter().copied().filter(|position| *position > self.log.0).collect();
        let expected: Vec<_> = (self.log.0 + 1..=LAST).collect();
        assert_eq!(came, expected, "the log is read up to {:?}", self.log);
    }
}

fn publish(hub: &Hub) {
    for position in (1..=LAST).map(Position) {
        hub.publish(&[event(HOME, EventType::MessagePosted, None, position)], ground().store.cursors());
    }
}

/// One is there from the beginning, the other follows after a few steps.
fn listen(hub: &Arc<Hub>, after: usize) {
    let mut subscriptions = Subscriptions::new(hub.clone());
    let mut listeners = vec![Listener { log: subscriptions.follow_room(HOME, 0, false), came: Vec::new() }];
    let mut steps = 0;
    while subscriptions.drained().0 < LAST {
        block_on(subscriptions.moved());
        if let Some(step) = subscriptions.take() {
            for listener in &mut listeners {
                listener.take(&step, hub);
            }
        }
        steps += 1;
        if steps == after {
            listeners.push(Listener { log: subscriptions.follow_room(HOME, 1, false), came: Vec::new() });
        }
    }
    listeners.iter().for_each(Listener::check);
    let keys = subscriptions.listeners(Source::Room(HOME)).of_room.clone();
    for key in keys {
        subscriptions.unfollow_room(HOME, key);
    }
}

#[test]
fn what_does_not_come_is_known_to_be_in_the_log() {
    explore(2_000, || {
        let hub = Arc::<Hub>::default();
        let other = hub.clone();
        let publisher = thread::spawn(move || publish(&other));
        listen(&hub, 1);
        publisher.join().expect("all is published");
    });
}

#[test]
fn a_channel_let_go_of_is_never_listened_to() {
    explore(2_000, || {
        let hub = Arc::<Hub>::default();
        let (one, two) = (hub.clone(), hub.clone());
        let publisher = thread::spawn(move || publish(&one));
        let visitor = thread::spawn(move || {
            let mut subscriptions = Subscriptions::new(two);
            for _ in 0..2 {
                subscriptions.follow_room(HOME, 0, false);
                subscriptions.unfollow_room(HOME, 0);
            }
        });
        listen(&hub, 2);
        publisher.join().expect("all is published");
        visitor.join().expect("it has gone again");
    });
}
