//! Bodies in both directions: a request's body that comes back if it was not read to its end, and a response's body that
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

/// Most bytes of a refused body that are read so that the client gets to see the answer.
const DRAIN_BYTES: usize = 16 * 1024 * 1024;

/// How long reading them may take.
const DRAIN_DEADLINE: Duration = Duration::from_secs(2);

/// The body of a request, lent to the endpoint.
pub struct LentBody {
    body: Option<BoxBody<Bytes, io::Error>>,
    was_read: bool,
    back: Option<oneshot::Sender<RestOfBody>>,
}

/// What the endpoint did not read of a body.
pub struct RestOfBody {
    body: BoxBody<Bytes, io::Error>,
    was_read: bool,
}

/// Lends a body. The receiver gets the rest when the endpoint drops it before its end.
pub fn lend(body: BoxBody<Bytes, io::Error>) -> (LentBody, oneshot::Receiver<RestOfBody>) {
    let (back, rest) = oneshot::channel();
    (LentBody { body: Some(body), was_read: false, back: Some(back) }, rest)
}

impl RestOfBody {
    /// Reads and drops the rest within bounds, so that a client which is still sending gets to see the answer instead of a
    /// broken pipe. Tells whether the end was reached; if not, the connection must be closed.
    pub async fn drain(mut self, expects_continue: bool) -> bool {
        // The client waits for `100 Continue` before it sends, and hyper writes that at the first read.
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

impl Body for LentBody {
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

impl Drop for LentBody {
    fn drop(&mut self) {
        if let (Some(body), Some(back)) = (self.body.take(), self.back.take())
            && !body.is_end_stream()
        {
            // If the client hung up, nobody waits for it.
            let _ = back.send(RestOfBody { body, was_read: self.was_read });
        }
    }
}

/// The body of a response; while it lives, its connection is serving.
pub struct AnswerBody {
    /// None for a stream: `live` writes its body, once the head is sent.
    body: Option<BoxBody<Bytes, io::Error>>,
    /// Given to the bytes when hyper takes them. None for answers that are not counted.
    share: Option<Share>,
    serving: Serving,
}

impl AnswerBody {
    pub fn new(body: BoxBody<Bytes, io::Error>, share: Option<Share>, serving: Serving) -> Self {
        Self { body: Some(body), share, serving }
    }

    /// For a stream, of which only the head is sent here.
    pub fn head_only(serving: Serving) -> Self {
        Self { body: None, share: None, serving }
    }
}

impl Body for AnswerBody {
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

impl Drop for AnswerBody {
    fn drop(&mut self) {
        self.serving.end();
    }
}
