//! A pipe: the outlet of the models. It takes one frame for each time that its reader asks, and gives it to the reader.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::live::frame::Framing;
use crate::live::outlet::Outlet;
use crate::live::sync::{Mutex, MutexGuard, PoisonError};

/// One frame on its way to whoever asks for it.
#[derive(Default)]
pub struct Pipe {
    /// Held for a few instructions, never over an await.
    state: Mutex<State>,
}

/// The writer's end.
pub struct PipeOutlet(pub Arc<Pipe>);

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

impl Outlet for PipeOutlet {
    fn framing(&self) -> Framing {
        Framing::Plain
    }

    /// Takes the first slice alone, which is a frame.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut state = self.0.state();
        if !state.is_wanted {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let frame = slices.first().map_or_else(Bytes::new, |slice| Bytes::copy_from_slice(slice));
        let given = frame.len();
        (state.is_wanted, state.frame) = (false, Some(frame));
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
        Ok(given)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.0.state();
        state.stream = Some(context.waker().clone());
        if state.is_wanted { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn is_gone(&mut self, context: &mut Context<'_>) -> bool {
        let mut state = self.0.state();
        // A reader may go while there is nothing to be given, and before anything was.
        state.stream = Some(context.waker().clone());
        state.is_gone
    }

    fn finish(&self) -> bool {
        self.0.end();
        false
    }
}

impl Drop for PipeOutlet {
    fn drop(&mut self) {
        self.0.end();
    }
}
