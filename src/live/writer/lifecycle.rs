//! What a writer does for one stream: takes it in, deals with what has happened to it, and lets go of it.

use std::sync::Arc;
use std::time::Duration;

use super::adoption::Adoption;
use super::line::Ticket;
use super::log_read::{Found, LogReply, What};
use super::note::{Key, Stir};
use super::owned::Owned;
use super::stream::{Stream, Written};
use super::task::Writer;
use crate::domain::ids::RoomId;
use crate::live::frame::ResetReason;
use crate::live::meters::End;
use crate::live::scope::Scope;
use crate::storage::{Error, Snapshot};

/// The shortest time that a timer is set for.
const SOON: Duration = Duration::from_millis(2);

impl Writer {
    pub(super) fn adopt(&mut self, mut adoption: Adoption) {
        let rooms = std::mem::take(&mut adoption.opened.rooms);
        let deletions = std::mem::take(&mut adoption.opened.registration.deletions);
        let settled = adoption.opened.settled;
        let key = self.streams.vacant_key();
        let stir = Arc::new(Stir::new(self.mailbox.clone(), key));
        let mut stream = Stream::new(adoption, stir.clone().into(), &self.shared);
        // First it subscribes: what was sent before is in the log, up to the target.
        let is_of_person = stream.scope() == Scope::Person;
        // At least `settled`: what was committed by then and is not published yet may be the end of a room, which is not
        // followed for that reason, so that no channel brings it.
        let mut target = settled;
        for room in rooms {
            if stream.follow(room, &self.shared) {
                target = target.max(self.subscriptions.follow_room(room, key, is_of_person));
            }
        }
        target = target.max(self.subscriptions.follow_person(stream.reader(), key, is_of_person));
        // The writer may have heard of these before it had the stream, or may be newer than they are.
        for removed in deletions {
            self.shared.note_deletion(removed);
            if stream.rooms().contains(&removed.room) {
                stream.note_removal(removed);
            }
        }
        stream.read_log(target);
        if self.shared.node.registry.is_closing() {
            stream.end_at(self.shared.now);
        }
        let ticket = Ticket::new(self.shared.now);
        self.streams.insert(Owned { stream, stir, timer: None, is_dirty: false, ticket });
        self.rearm(key);
        self.stirred(key);
    }

    /// The stream was woken: its client may be gone, its outlet may take more, or its handle has news.
    pub(super) fn stirred(&mut self, key: Key) {
        let Some(owned) = self.streams.get_mut(key) else { return };
        owned.stir.taken();
        if owned.stream.is_gone() {
            self.follow_up(key, Written::Gone(End::Disconnected));
        } else {
            self.mark(key);
        }
    }

    /// A reply of the log has come.
    pub(super) fn answered(&mut self, keys: &[Key], reply: &LogReply) {
        self.reads.answered(reply.number);
        match &reply.found {
            Ok(_) => {}
            Err(error @ (Error::Overloaded | Error::Unavailable(_))) => {
                tracing::warn!(%error, streams = keys.len(), "the log is read later for streams");
            }
            Err(error) => {
                tracing::error!(%error, streams = keys.len(), "the log could not be read for streams");
            }
        }
        for &key in keys {
            self.hears_reply(key, reply);
        }
    }

    fn hears_reply(&mut self, key: Key, reply: &LogReply) {
        let Some(owned) = self.streams.get_mut(key) else { return };
        if !owned.stream.awaits(reply.number) {
            return;
        }
        match &reply.found {
            Ok(Found::Stretch(stretch)) => {
                if !owned.stream.take_stretch(stretch) {
                    let (reader, scope) = (owned.stream.reader(), owned.stream.scope());
                    let number = self.reads.ask(key, reader, scope, What::Snapshot);
                    owned.stream.asked(number);
                }
            }
            Ok(Found::Snapshot(snapshot, cursors)) => {
                let cursor = cursors.of_snapshot(snapshot.head);
                self.start_over(key, snapshot, cursor);
            }
            Ok(Found::NoAccess(reason)) => owned.stream.say_bye(*reason, &self.shared),
            // Cut off, it would come back at once with a new open, which needs the same busy store.
            Err(Error::Overloaded | Error::Unavailable(_)) => owned.stream.ask_again(),
            Err(_) => return self.follow_up(key, Written::Gone(End::Failed)),
        }
        self.mark(key);
    }

    /// A part of the log that a stream still had to show was purged: the stream goes on from the snapshot's head, with its
    /// rooms.
    fn start_over(&mut self, key: Key, snapshot: &Snapshot, cursor: String) {
        let node = &self.shared.node;
        let stream = &mut self.streams[key].stream;
        let rooms: Vec<RoomId> = snapshot.rooms.iter().map(|membership| membership.room).collect();
        let gone: Vec<RoomId> = stream.rooms().iter().filter(|room| !rooms.contains(room)).copied().collect();
        for room in gone {
            stream.unfollow(room);
            self.subscriptions.unfollow_room(room, key);
        }
        let is_of_person = stream.scope() == Scope::Person;
        for room in rooms {
            if stream.follow(room, &self.shared) {
                self.subscriptions.follow_room(room, key, is_of_person);
            }
        }
        let expires_at = stream.expires_at(node.clock.now());
        let reset = node.greeting(cursor, expires_at, false, Some(ResetReason::Retention));
        stream.start_over(snapshot.head, reset);
        stream.read_log(node.hub.reaching());
    }

    pub(super) fn follow_up(&mut self, key: Key, written: Written) {
        match written {
            Written::Enough => {}
            Written::More => self.mark(key),
            Written::Joined(room, join) => {
                let stream = &mut self.streams[key].stream;
                if stream.follow(room, &self.shared) {
                    self.subscriptions.follow_room(room, key, true);
                    stream.read_from(join, self.shared.node.hub.reaching());
                }
                self.mark(key);
            }
            Written::Left(room) => {
                if self.streams[key].stream.rooms().contains(&room) {
                    self.streams[key].stream.unfollow(room);
                    self.subscriptions.unfollow_room(room, key);
                }
                self.mark(key);
            }
            Written::Last(reason) => {
                self.shared.node.meters.ended(End::Bye(reason));
                self.stop_listening(key);
                if !self.streams[key].stream.finish() {
                    self.remove(key);
                }
            }
            Written::Gone(end) => {
                if !self.streams[key].stream.is_leaving() {
                    self.shared.node.meters.ended(end);
                    self.stop_listening(key);
                }
                self.remove(key);
            }
        }
    }

    fn stop_listening(&mut self, key: Key) {
        let stream = &self.streams[key].stream;
        for room in stream.rooms() {
            self.subscriptions.unfollow_room(*room, key);
        }
        self.subscriptions.unfollow_person(stream.reader(), key);
        self.reads.forget(key);
    }

    fn remove(&mut self, key: Key) {
        let owned = self.streams.remove(key);
        if let Some((timer, _)) = owned.timer {
            self.timers.remove(&timer);
        }
    }

    pub(super) fn mark(&mut self, key: Key) {
        if let Some(owned) = self.streams.get_mut(key) {
            owned.mark(key, &mut self.dirty);
        }
    }

    pub(super) fn ask(&mut self, key: Key) {
        let Some(owned) = self.streams.get_mut(key) else { return };
        if let Some((from, upto)) = owned.stream.wants() {
            let (reader, scope) = (owned.stream.reader(), owned.stream.scope());
            let number = self.reads.ask(key, reader, scope, What::Page(from, upto));
            owned.stream.asked(number);
        }
    }

    /// Sets the timer of a stream earlier where that is needed. One that runs out too early does no harm.
    pub(super) fn rearm(&mut self, key: Key) {
        let Some(owned) = self.streams.get_mut(key) else { return };
        // Not at once: what is overdue is written in this turn anyway.
        let due = owned.stream.due(&self.shared).max(self.shared.now + SOON);
        match &mut owned.timer {
            None => owned.timer = Some((self.timers.insert_at(key, due), due)),
            Some((timer, at)) if due < *at => {
                self.timers.reset_at(timer, due);
                *at = due;
            }
            Some(_) => {}
        }
    }
}
