//! A stream is told things from all sides while its writer looks at it, or has not yet begun to: everything that it is told is heard.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use shuttle::future::block_on;
use shuttle::thread;
use tokio::time::Instant;

use super::node::{ADA, HOME, OTHER, SESSION};
use super::{exhaust, explore};
use crate::domain::clock::Timestamp;
use crate::domain::event::Removed;
use crate::domain::ids::{Position, RoomId};
use crate::live::frame::ByeReason;
use crate::live::handle::Handle;
use crate::live::writer::mailbox::Mailbox;
use crate::live::writer::note::Stir;

/// A writer that listens to a handle until it has heard of so many removals and, if it waits for that, of the end.
fn listen(handle: &Handle, removals: usize, waits_for_end: bool) {
    let mailbox = Arc::<Mailbox<_>>::default();
    let stir = Arc::new(Stir::new(mailbox.clone(), 0));
    handle.listen(stir.clone().into());
    let (mut heard, mut has_ended) = (0, false);
    loop {
        if handle.has_news() {
            let news = handle.hear();
            heard += news.removed.len();
            has_ended |= news.end.is_some();
        }
        if heard == removals && has_ended == waits_for_end {
            return;
        }
        block_on(mailbox.arrived());
        let notes = mailbox.take();
        assert!(notes.len() <= 1, "a stream has one note in the mailbox at most");
        for _ in notes {
            stir.taken();
        }
    }
}

fn handle() -> Arc<Handle> {
    let until = (Instant::now(), Timestamp::from_micros(0));
    Arc::new(Handle::new(0, (ADA, SESSION, IpAddr::V4(Ipv4Addr::LOCALHOST)), until))
}

fn removes(handle: &Arc<Handle>, room: RoomId) -> thread::JoinHandle<()> {
    let handle = handle.clone();
    thread::spawn(move || {
        handle.tell(|told| told.note(Removed { room, user: Some(ADA), position: Position(1) }));
    })
}

#[test]
fn what_one_tells_is_heard() {
    exhaust(|| {
        let handle = handle();
        let teller = removes(&handle, HOME);
        listen(&handle, 1, false);
        teller.join().expect("all is told");
    });
}

#[test]
fn what_many_tell_is_heard() {
    explore(4_000, || {
        let handle = handle();
        let mut tellers = vec![removes(&handle, HOME), removes(&handle, OTHER)];
        let ends = handle.clone();
        tellers.push(thread::spawn(move || ends.tell(|told| told.end = Some(ByeReason::SignedOut))));
        listen(&handle, 2, true);
        for teller in tellers {
            teller.join().expect("all is told");
        }
    });
}
