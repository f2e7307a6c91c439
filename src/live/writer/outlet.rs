//! Where a stream's bytes go: a socket of its own, or the body of an answer where the socket cannot be had. Both take what
//! they can without waiting, and stir the stream when they take more or are gone.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use rustix::net::Shutdown;
use tokio::net::TcpStream;

use crate::live::frame::Framing;
use crate::live::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes that a client may send behind its request before it is taken for a broken one. They are read and dropped, so
/// that its end of the connection is noticed.
const MOST_INPUT: usize = 16 * 1024;

/// A connection whose answer's head has been sent, and whose body is a stream.
#[derive(Debug)]
pub struct Socket {
    pub stream: TcpStream,
    pub framing: Framing,
    /// Bytes that were read from it and are of no use.
    pub input: usize,
}

/// The writer's end.
pub enum Outlet {
    Socket(Socket),
    Body(Arc<Pipe>),
}

impl Outlet {
    pub fn framing(&self) -> Framing {
        match self {
            Self::Socket(socket) => socket.framing,
            Self::Body(_) => Framing::Plain,
        }
    }

    /// How many frames it takes at once: a body is asked for one after the other.
    pub fn takes_one(&self) -> bool {
        matches!(self, Self::Body(_))
    }

    /// Gives what it takes. `WouldBlock` when that is nothing.
    pub fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self, slices) {
            (Self::Socket(socket), [one]) => socket.stream.try_write(one),
            (Self::Socket(socket), many) => socket.stream.try_write_vectored(many),
            (Self::Body(pipe), slices) => pipe.give(slices),
        }
    }

    /// Ready when a write may succeed; else the stream is stirred once it may.
    pub fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Socket(socket) => socket.stream.poll_write_ready(context),
            Self::Body(pipe) => pipe.poll_wanted(context),
        }
    }

    /// Whether nobody reads any more; else the stream is stirred once that may be so. Half a close is a close.
    pub fn is_gone(&mut self, context: &mut Context<'_>) -> bool {
        match self {
            Self::Socket(socket) => socket.is_gone(context),
            Self::Body(pipe) => pipe.is_gone(context),
        }
    }

    /// Says that nothing more comes. True if there is somebody to be waited for, who may still be sending.
    pub fn finish(&self) -> bool {
        match self {
            Self::Socket(socket) => rustix::net::shutdown(&socket.stream, Shutdown::Write).is_ok(),
            Self::Body(pipe) => {
                pipe.end();
                false
            }
        }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        if let Self::Body(pipe) = self {
            pipe.end();
        }
    }
}

impl Socket {
    fn is_gone(&mut self, context: &mut Context<'_>) -> bool {
        let mut dropped = [0; 4 * 1024];
        while self.input <= MOST_INPUT {
            match self.stream.poll_read_ready(context) {
                Poll::Pending => return false,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return true,
            }
            match self.stream.try_read(&mut dropped) {
                Ok(0) => return true,
                Ok(n) => self.input += n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return true,
            }
        }
        true
    }
}

/// One frame on its way to whoever asks for it: the body of an answer that another hand writes.
#[derive(Default)]
pub struct Pipe {
    /// Held for a few instructions, never over an await.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_wanted: bool,
    frame: Option<Bytes>,
    has_ended: bool,
    is_gone: bool,
    stream: Option<Waker>,
    reader: Option<Waker>,
}

impl Pipe {
    /// The next frame, or none at the end. Only by asking is one taken out of the stream.
    pub fn poll_next(&self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let mut state = self.state();
        if let Some(frame) = state.frame.take() {
            return Poll::Ready(Some(frame));
        }
        if state.has_ended {
            return Poll::Ready(None);
        }
        state.reader = Some(context.waker().clone());
        state.is_wanted = true;
        let stream = state.stream.clone();
        drop(state);
        stream.into_iter().for_each(Waker::wake);
        Poll::Pending
    }

    /// Says that nobody asks any more.
    pub fn leave(&self) {
        let stream = {
            let mut state = self.state();
            state.is_gone = true;
            state.stream.take()
        };
        stream.into_iter().for_each(Waker::wake);
    }

    fn give(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.state();
        if !state.is_wanted {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let given = bytes.len();
        (state.is_wanted, state.frame) = (false, Some(bytes.into()));
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        Ok(given)
    }

    fn poll_wanted(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.state();
        state.stream = Some(context.waker().clone());
        if state.is_wanted { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn is_gone(&self, context: &mut Context<'_>) -> bool {
        let mut state = self.state();
        // A reader may go while there is nothing to be given, and before anything was.
        state.stream = Some(context.waker().clone());
        state.is_gone
    }

    fn end(&self) {
        let reader = {
            let mut state = self.state();
            state.has_ended = true;
            state.reader.take()
        };
        reader.into_iter().for_each(Waker::wake);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
