//! A stream whose bytes go into a pipe: it gives one frame for each time that it is asked, where the buffers of a socket
//! would take many. So a test decides which frames were given, and which wait.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use parlor::live::{EventStream, Framing, Outlet};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::DEADLINE;

/// The reader's end.
pub struct Pipe {
    frames: UnboundedReceiver<Vec<u8>>,
    asking: Arc<Asking>,
}

/// The writer's end.
struct PipeOutlet {
    frames: UnboundedSender<Vec<u8>>,
    asking: Arc<Asking>,
}

#[derive(Default)]
struct Asking {
    is_asked: AtomicBool,
    /// The stream.
    waker: AtomicWaker,
}

impl Pipe {
    /// Gives a stream a pipe to write to.
    pub fn of(stream: EventStream) -> Self {
        let (sender, frames) = unbounded_channel();
        let asking = Arc::<Asking>::default();
        let outlet = PipeOutlet { frames: sender, asking: asking.clone() };
        stream.write_to(Box::new(outlet), Box::new(()));
        Self { frames, asking }
    }

    /// The next frame as text.
    pub async fn next(&mut self) -> String {
        let frame = self.try_next().await.expect("the stream goes on");
        String::from_utf8(frame).expect("frames are UTF-8")
    }

    /// The next frame, or none at the end.
    pub async fn try_next(&mut self) -> Option<Vec<u8>> {
        self.asking.is_asked.store(true, Ordering::SeqCst);
        self.asking.waker.wake();
        tokio::time::timeout(DEADLINE, self.frames.recv()).await.expect("a frame comes in time")
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.frames.close();
        self.asking.waker.wake();
    }
}

impl Outlet for PipeOutlet {
    fn framing(&self) -> Framing {
        Framing::Plain
    }

    /// Takes the first slice alone, which is a frame.
    fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.asking.is_asked.swap(false, Ordering::SeqCst) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let frame = slices.first().map_or_else(Vec::new, |slice| slice.to_vec());
        let given = frame.len();
        self.frames.send(frame).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(given)
    }

    fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.asking.waker.register(context.waker());
        if self.asking.is_asked.load(Ordering::SeqCst) { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn is_gone(&mut self, context: &mut Context<'_>) -> bool {
        self.asking.waker.register(context.waker());
        self.frames.is_closed()
    }

    fn finish(&self) -> bool {
        false
    }
}
