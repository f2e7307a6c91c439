//! A pipe between a writer and whoever asks for frames: all that is given arrives, once and in order, and neither waits
//! for the other once that one has gone.

use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_util::FutureExt;
use shuttle::future::block_on;
use shuttle::thread;

use super::pipe::{Pipe, PipeOutlet};
use super::{exhaust, explore};
use crate::live::outlet::Outlet;
use crate::live::writer::mailbox::Mailbox;
use crate::live::writer::note::Stir;

/// Gives so many frames as a stream does, then says whether the reader had them all or has gone.
fn give(frames: u8, pipe: Arc<Pipe>) -> bool {
    let mailbox = Arc::<Mailbox<_>>::default();
    let stir = Arc::new(Stir::new(mailbox.clone(), 0));
    let waker = Waker::from(stir.clone());
    let context = &mut Context::from_waker(&waker);
    let mut outlet = PipeOutlet(pipe);
    let mut next = 0;
    loop {
        stir.taken();
        if outlet.is_gone(context) {
            return false;
        }
        let is_blocked = loop {
            if next == frames {
                break false;
            }
            match outlet.write(&[IoSlice::new(&[next])]) {
                Ok(_) => next += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => match outlet.poll_writable(context) {
                    Poll::Ready(writable) => writable.expect("a pipe does not fail"),
                    Poll::Pending => break true,
                },
                Err(error) => panic!("{error}"),
            }
        };
        if !is_blocked {
            outlet.finish();
            return true;
        }
        block_on(mailbox.arrived());
        assert!(!mailbox.take().is_empty(), "woken for nothing");
    }
}

/// Reads so many frames at most and goes.
fn read(most: usize, pipe: &Pipe) -> Vec<u8> {
    let mut read = Vec::new();
    for _ in 0..most {
        let next = || poll_fn(|context| pipe.poll_next(context));
        // Whoever asks may do so again before anything has come, from elsewhere.
        let frame = next().now_or_never().unwrap_or_else(|| block_on(next()));
        let Some(frame) = frame else { break };
        read.extend_from_slice(&frame);
    }
    pipe.leave();
    read
}

fn run(frames: u8, most: usize) {
    let pipe = Arc::<Pipe>::default();
    let (other, reader) = (pipe.clone(), thread::spawn(move || read(most, &pipe)));
    let is_all = give(frames, other);
    let read = reader.join().expect("the reader is done");
    let expected: Vec<u8> = (0..frames).take(most).collect();
    assert_eq!(read, expected);
    assert!(is_all || most <= usize::from(frames), "who reads to the end has not gone before");
}

#[test]
fn a_pipe_gives_each_frame_once() {
    explore(2_000, || run(4, 5));
}

#[test]
fn a_writer_hears_that_its_reader_has_gone() {
    exhaust(|| run(2, 0));
    explore(2_000, || run(4, 2));
}

/// A stream that is quiet has nothing to be blocked by.
#[test]
fn a_quiet_writer_hears_it_too() {
    exhaust(|| {
        let pipe = Arc::<Pipe>::default();
        let other = pipe.clone();
        let reader = thread::spawn(move || other.leave());
        let mailbox = Arc::<Mailbox<_>>::default();
        let stir = Arc::new(Stir::new(mailbox.clone(), 0));
        let mut outlet = PipeOutlet(pipe);
        while !outlet.is_gone(&mut Context::from_waker(&stir.clone().into())) {
            block_on(mailbox.arrived());
            stir.taken();
        }
        reader.join().expect("the reader is done");
    });
}
