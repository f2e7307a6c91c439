//! Bodies in both directions: a request's body that comes back when it was not read to its end, and a response's body that
//! tells when it is sent.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::oneshot;

use super::socket::Serving;
use super::unread::Share;

/// Most bytes of a refused body that are read for the client's sake.
const DRAIN_BYTES: usize = 16 * 1024 * 1024;

/// How long that may take.
const DRAIN_DEADLINE: Duration = Duration::from_secs(2);

/// The body of a request, lent to the endpoint.
pub struct Lent {
    body: Option<BoxBody<Bytes, io::Error>>,
    was_read: bool,
    back: Option<oneshot::Sender<Rest>>,
}

/// What the endpoint left of a body.
pub struct Rest {
    body: BoxBody<Bytes, io::Error>,
    was_read: bool,
}

/// Lends a body. The receiver gets the rest when the endpoint drops it before its end.
pub fn lend(body: BoxBody<Bytes, io::Error>) -> (Lent, oneshot::Receiver<Rest>) {
    let (back, rest) = oneshot::channel();
    (Lent { body: Some(body), was_read: false, back: Some(back) }, rest)
}

impl Rest {
    /// Reads and drops the rest within bounds, so that a client which is still sending gets to see the answer instead of a
    /// broken pipe. Tells whether the end was reached; if not, the connection must be closed.
    pub async fn drain(mut self, expects_continue: bool) -> bool {
        // A client that waits for leave to send has not begun: reading would give it leave.
        if expects_continue && !self.was_read {
            return false;
        }
        let to_the_end = async {
            let mut left = DRAIN_BYTES;
            while let Some(frame) = self.body.frame().await {
                let length =
                    frame.ok().and_then(|frame| frame.into_data().ok()).map_or(0, |bytes| bytes.len());
                match left.checked_sub(length) {
                    Some(less) if length > 0 => left = less,
                    _ => return false,
                }
            }
            true
        };
        tokio::time::timeout(DRAIN_DEADLINE, to_the_end).await.unwrap_or(false)
    }
}

impl Body for Lent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.was_read = true;
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take())
            && !body.is_end_stream()
        {
            // Nobody waits any more when the client hung up.
            let _ = back.send(Rest { body, was_read: self.was_read });
        }
    }
}

/// The body of a response; while it lives, its connection is serving.
pub struct Answer {
    /// None: somebody else writes it, once the head is sent.
    body: Option<BoxBody<Bytes, io::Error>>,
    /// Goes with the bytes once hyper takes them. None for what is not counted.
    share: Option<Share>,
    serving: Serving,
}

impl Answer {
    pub fn new(body: BoxBody<Bytes, io::Error>, share: Option<Share>, serving: Serving) -> Self {
        Self { body: Some(body), share, serving }
    }

    /// Of a stream, of which only the head is sent here.
    pub fn head_only(serving: Serving) -> Self {
        Self { body: None, share: None, serving }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(body) = &mut self.body {
            let frame = ready!(Pin::new(body).poll_frame(context));
            let Some(share) = self.share.take() else { return Poll::Ready(frame) };
            return Poll::Ready(
                frame.map(|frame| frame.map(|frame| frame.map_data(|bytes| share.of(bytes)))),
            );
        }
        self.serving.head_is_written();
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_some_and(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.serving.end();
    }
}
