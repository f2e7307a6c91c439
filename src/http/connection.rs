//! One connection: takes requests from hyper to the endpoint and answers back, and logs one line for each.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::http::uri::Scheme;
use poem::http::{HeaderValue, Method, StatusCode, Version, header};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, Request, Response};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::address::Proxies;
use super::body::{AnswerBody, lend};
use super::meters::Meters;
use super::socket::{Deadlines, Serving, TimedSocket};
use super::unread::{COUNTED_FROM, Share, Unread};
use crate::api::{self, ClientAddress, RequestId};
use crate::live::{EventStream, Framing, StreamSocket};

/// Most bytes of a request's head, and of what hyper buffers for one write.
const HEAD_BYTES: usize = 16 * 1024;

/// Most header fields of a request.
const MAX_HEADERS: usize = 64;

/// A stream whose head was sent, and the socket that it goes on in.
pub struct Detached {
    pub stream: EventStream,
    pub socket: StreamSocket,
}

/// The stream of the present answer, waiting for its head to be sent. Held for a put or a take, never over an await.
type Waiting = Arc<Mutex<Option<(EventStream, Framing)>>>;

/// What a connection needs to be served.
pub struct Connection<E> {
    pub endpoint: Arc<E>,
    pub proxies: Arc<Proxies>,
    pub peer: SocketAddr,
    pub deadlines: Deadlines,
    pub meters: Arc<Meters>,
    pub unread: Arc<Unread>,
    /// Finish what was begun, then close.
    pub stop: CancellationToken,
    /// Close now.
    pub cut: CancellationToken,
}

impl<E: Endpoint<Output = Response> + 'static> Connection<E> {
    /// Serves the connection to its end, or until it has become a stream. Long because hyper's connection cannot be named or
    /// handed on: what drives it and what takes it apart stand in one place.
    pub async fn run(self, stream: TcpStream) -> Option<Detached> {
        let local = stream.local_addr().ok();
        let (serving, waiting) = (Serving::default(), Waiting::default());
        let io = TokioIo::new(TimedSocket::new(stream, serving.clone(), self.deadlines, self.meters.clone()));
        let (stop, cut, deadlines) = (self.stop.clone(), self.cut.clone(), self.deadlines);
        let connection = Arc::new(self);
        let service = {
            let (serving, waiting) = (serving.clone(), waiting.clone());
            service_fn(move |request| {
                let (connection, serving, waiting) = (connection.clone(), serving.clone(), waiting.clone());
                serving.begin();
                // Boxed for two reasons: a connection that is taken apart must not be pinned, and hyper keeps room for the
                // future from the start, which would cost 8 KiB for each silent client.
                Box::pin(async move {
                    Ok::<_, Infallible>(connection.answer(request, local, serving, &waiting).await)
                })
            })
        };
        // The deadlines are the socket's, because hyper has one timer for both waiting and heads. hyper needs its timer all
        // the same: only then does it read from the socket after an answer, which starts the socket's own deadline.
        let mut served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(deadlines.idle + deadlines.head)
            .max_buf_size(HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .serve_connection(io, service);
        let mut is_stopping = false;
        loop {
            let progress = poll_fn(|context| match served.poll_without_shutdown(context) {
                Poll::Pending if serving.head_is_sent() => Poll::Ready(None),
                outcome => outcome.map(Some),
            });
            tokio::select! {
                outcome = progress => match outcome {
                    None => break,
                    Some(Ok(())) => {
                        // Closes the sending half.
                        let _ = served.await;
                        return None;
                    }
                    Some(Err(error)) => {
                        // Clients hang up, time out and send nonsense every day: that is no fault of the server.
                        tracing::debug!(%error, "a connection broke");
                        return None;
                    }
                },
                () = stop.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    std::pin::Pin::new(&mut served).graceful_shutdown();
                }
                () = cut.cancelled() => return None,
            }
        }
        let parts = served.into_parts();
        let (stream, framing) = waiting.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let socket = parts.io.into_inner().into_stream();
        Some(Detached {
            stream,
            socket: StreamSocket { stream: socket, framing, input: parts.read_buf.len() },
        })
    }

    /// The answer of the endpoint. If it is a stream, only its head goes through hyper, and the stream is left in `waiting`.
    async fn answer(
        &self,
        request: hyper::Request<Incoming>,
        local: Option<SocketAddr>,
        serving: Serving,
        waiting: &Waiting,
    ) -> hyper::Response<AnswerBody> {
        let started = Instant::now();
        let id = RequestId::draw();
        let method = name_of(request.method());
        let framing = framing_of(&request);
        let expects_continue = request.headers().contains_key(header::EXPECT);
        let client = self.proxies.client(self.peer.ip(), request.headers());

        let mut request = self.for_endpoint(request, local);
        let (body, mut rest) = lend(request.take_body().into());
        request.set_body(poem::Body::from(BoxBody::new(body)));
        request.set_data(id.clone());
        request.set_data(ClientAddress(client));
        let mut response = self.endpoint.get_response(request).await;
        if let Ok(rest) = rest.try_recv()
            && !rest.drain(expects_continue).await
        {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let operation = api::operation_of(&response);
        let done = Done { method, operation, started, id: &id };
        let framing = framing.filter(|_| response.status() == StatusCode::OK);
        let stream = framing.and_then(|framing| Some((api::take_stream(&response)?, framing)));
        let Some((stream, framing)) = stream else {
            let (response, share) = self.bounded(response, client, &done);
            self.note(&done, response.status());
            return response.map(|body| AnswerBody::new(body, share, serving));
        };
        self.note(&done, response.status());
        *waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some((stream, framing));
        if framing == Framing::Plain {
            // Otherwise hyper tells an HTTP/1.0 client that the connection is kept.
            response.set_version(Version::HTTP_10);
        }
        hyper::Response::<_>::from(response).map(|_| AnswerBody::head_only(serving))
    }

    fn for_endpoint(&self, request: hyper::Request<Incoming>, local: Option<SocketAddr>) -> Request {
        let local = local.map_or_else(|| Addr::Custom("unknown", "".into()), Addr::SocketAddr);
        (request, LocalAddr(local), RemoteAddr(Addr::SocketAddr(self.peer)), Scheme::HTTP).into()
    }

    /// The answer with its share of the bytes that may wait for readers. If too many wait already, the answer is 503.
    fn bounded(
        &self,
        response: Response,
        client: IpAddr,
        done: &Done<'_>,
    ) -> (hyper::Response<BoxBody<Bytes, io::Error>>, Option<Share>) {
        let response = hyper::Response::<BoxBody<_, _>>::from(response);
        let length = response.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
        let length = length.unwrap_or(0);
        // The document and the files of the web client are no operations. They are part of the program and never copied.
        if done.operation.is_none() || length < COUNTED_FROM {
            return (response, None);
        }
        // A GET can be refused after the work is done, because it changed nothing.
        let share = self.unread.share(client, length, done.method == "GET");
        if share.is_some() {
            return (response, share);
        }
        let (mut head, _) = response.into_parts();
        let (refusal, body) = hyper::Response::<BoxBody<_, _>>::from(api::overloaded(done.id)).into_parts();
        head.status = refusal.status;
        head.headers.extend(refusal.headers);
        (hyper::Response::from_parts(head, body), None)
    }

    /// Counts a request whose answer is about to be sent, and logs its one line.
    fn note(&self, done: &Done<'_>, status: StatusCode) {
        let Done { method, operation, started, id } = done;
        let (operation, status, after) = (operation.unwrap_or("none"), status.as_u16(), started.elapsed());
        self.meters.answered(operation, status, after);
        tracing::info!(
            method,
            operation,
            status,
            ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            request.id = id.0,
            "answered"
        );
    }
}

/// A request that has its answer.
struct Done<'r> {
    method: &'static str,
    /// None for what is no operation of the document.
    operation: Option<&'static str>,
    started: Instant,
    id: &'r RequestId,
}

/// How the body of a stream is framed for this client. None for methods that open no stream.
fn framing_of(request: &hyper::Request<Incoming>) -> Option<Framing> {
    match (request.method(), request.version()) {
        (&Method::GET, Version::HTTP_11) => Some(Framing::Chunks),
        (&Method::GET, Version::HTTP_10) => Some(Framing::Plain),
        _ => None,
    }
}

/// The method as it is logged. A method that is not known is logged as `other`, so that clients cannot write into the log.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => "other",
    }
}
