//! Places among the open streams: whatever is committed while one is taken is known to it, and all are given back.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use shuttle::thread;

use super::events::{event, signed_out};
use super::explore;
use super::node::{ADA, HOME, SESSION};
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::event::EventType;
use crate::domain::ids::{Position, UserId};
use crate::domain::session::Caller;
use crate::live::handle::removal_from;
use crate::live::registry::{Registration, Registry, SessionCheck, StreamLimits};
use crate::live::sync::Mutex;
use crate::storage::Committed;

const AN_HOUR: Duration = Duration::from_hours(1);

fn registry(limits: Option<StreamLimits>) -> Arc<Registry> {
    Arc::new(Registry::new(Clock::SYSTEM, AN_HOUR, limits))
}

fn register(registry: &Arc<Registry>, expires_at: Timestamp) -> Option<Registration> {
    registry.register(Caller { user: ADA, session: SESSION, expires_at }, IpAddr::V4(Ipv4Addr::LOCALHOST))
}

#[test]
fn a_session_that_ends_is_refused_or_its_stream_is_told() {
    explore(2_000, || {
        let registry = registry(None);
        let other = registry.clone();
        let journal = thread::spawn(move || {
            other.committed(&Committed { events: vec![signed_out(Position(1))], ..Committed::default() });
        });
        let place = register(&registry, Clock::SYSTEM.now()).expect("there are no limits");
        let is_refused = registry.check(SESSION) == SessionCheck::Ended;
        journal.join().expect("the journal is done");
        assert!(is_refused || place.handle.hear().end.is_some());
        assert!(!registry.saw(SESSION, ADA, 1, Clock::SYSTEM.now()), "an ended session does not come back");
    });
}

#[test]
fn a_removal_is_seen_in_the_store_or_told() {
    fn model(of: Option<UserId>) {
        let (registry, is_member) = (registry(None), Arc::new(Mutex::new(true)));
        let (other, store) = (registry.clone(), is_member.clone());
        let journal = thread::spawn(move || {
            *store.lock().expect("no task fails") = false;
            let kind = of.map_or(EventType::RoomDeleted, |_| EventType::MemberLeft);
            let events = vec![event(HOME, kind, of, Position(1))];
            other.committed(&Committed { events, ..Committed::default() });
        });
        let mut place = register(&registry, Clock::SYSTEM.now()).expect("there are no limits");
        let was_member = *is_member.lock().expect("no task fails");
        journal.join().expect("the journal is done");
        let removed = match of {
            Some(_) => place.handle.hear().removed,
            None => place.deletions.by_ref().collect(),
        };
        assert!(!was_member || removal_from(HOME, &removed).is_some());
    }
    explore(1_000, || model(Some(ADA)));
    explore(1_000, || model(None));
}

#[test]
fn a_token_renewed_while_a_place_is_taken_counts() {
    explore(2_000, || {
        let registry = registry(None);
        let (old, new) = (Clock::SYSTEM.now(), Clock::SYSTEM.now().plus(AN_HOUR));
        registry.saw(SESSION, ADA, 1, old);
        let other = registry.clone();
        let journal = thread::spawn(move || {
            other.committed(&Committed { extended: vec![(SESSION, new)], ..Committed::default() });
        });
        let place = register(&registry, old).expect("there are no limits");
        journal.join().expect("the journal is done");
        assert_eq!(place.handle.deadline().1, new);
    });
}

#[test]
fn never_more_places_than_there_are() {
    explore(2_000, || {
        let limits = StreamLimits { per_node: 9, per_address: 9, per_user: 1, per_room_and_user: 9 };
        let registry = registry(Some(limits));
        let takers: Vec<_> = (0..3)
            .map(|_| {
                let registry = registry.clone();
                thread::spawn(move || register(&registry, Clock::SYSTEM.now()))
            })
            .collect();
        let places = takers.into_iter().map(|taker| taker.join().expect("a place was asked for"));
        let places: Vec<_> = places.flatten().collect();
        assert!(places.len() <= 1, "{} places of one", places.len());
        drop(places);
        assert!(register(&registry, Clock::SYSTEM.now()).is_some(), "all were given back");
    });
}
