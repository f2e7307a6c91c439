//! A stream that was authorized and waits for the place that its bytes go to: a socket of its own, or a body that is asked
//! for frame after frame.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;

use super::open::Live;
use super::writer::{Adoption, Opened, Outlet, Pipe, Socket};

/// Until it has a writer, nothing is read for it and nothing waits: it costs its place among the open streams.
pub struct EventStream {
    live: Live,
    opened: Option<Box<Opened>>,
    pipe: Option<Arc<Pipe>>,
}

impl EventStream {
    pub(super) fn new(live: Live, opened: Opened) -> Self {
        Self { live, opened: Some(Box::new(opened)), pipe: None }
    }

    /// Gives it a socket whose answer's head has been sent. `pass` is dropped once the socket is closed.
    pub fn write_to(mut self, socket: Socket, pass: Box<dyn Send>) {
        self.adopt(Outlet::Socket(socket), pass);
    }

    /// The next frame, without the framing of chunks. None after `bye`, or when the log cannot be read: the reader resumes.
    pub async fn next(&mut self) -> Option<Bytes> {
        poll_fn(|context| self.poll_frame(context)).await
    }

    fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.pipe.is_none() {
            let pipe = Arc::<Pipe>::default();
            self.pipe = Some(pipe.clone());
            self.adopt(Outlet::Body(pipe), Box::new(()));
        }
        self.pipe.as_ref().map_or(Poll::Ready(None), |pipe| pipe.poll_next(context))
    }

    fn adopt(&mut self, outlet: Outlet, pass: Box<dyn Send>) {
        if let Some(opened) = self.opened.take() {
            self.live.hub.writers(&self.live).adopt(Adoption { opened: *opened, outlet, pass });
        }
    }
}

impl Stream for EventStream {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.poll_frame(context)
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        if let Some(pipe) = &self.pipe {
            pipe.leave();
        }
    }
}
