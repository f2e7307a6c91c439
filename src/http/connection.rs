//! One connection: requests from hyper to the endpoint and answers back, and one line of log for each.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::http::uri::Scheme;
use poem::http::{HeaderValue, Method, header};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, Request, Response};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::address::Proxies;
use super::body::{Answer, lend};
use super::socket::{Deadlines, Serving, Socket};
use crate::api::{self, ClientAddress, RequestId};

/// Most bytes of a request's head, and of what is buffered for one write.
const HEAD_BYTES: usize = 16 * 1024;

/// Most header fields of a request.
const MAX_HEADERS: usize = 64;

/// What a connection needs to be served.
pub struct Connection<E> {
    pub endpoint: Arc<E>,
    pub proxies: Arc<Proxies>,
    pub peer: SocketAddr,
    pub deadlines: Deadlines,
    /// Finish what was begun, then close.
    pub stop: CancellationToken,
    /// Close now.
    pub cut: CancellationToken,
}

impl<E: Endpoint<Output = Response> + 'static> Connection<E> {
    /// Serves the connection to its end.
    pub async fn run(self, stream: TcpStream) {
        let local = stream.local_addr().ok();
        let serving = Serving::default();
        let io = TokioIo::new(Socket::new(stream, serving.clone(), self.deadlines));
        let (stop, cut, deadlines) = (self.stop.clone(), self.cut.clone(), self.deadlines);
        let connection = Arc::new(self);
        let service = service_fn(move |request| {
            let (connection, serving) = (connection.clone(), serving.clone());
            serving.begin();
            async move { Ok::<_, Infallible>(connection.answer(request, local, serving).await) }
        });
        let mut http = http1::Builder::new();
        // The socket has the deadlines: hyper has one timer for waiting and for heads. But only with its timer set does it
        // look at the socket again after an answer, and so start the socket's.
        http.timer(TokioTimer::new())
            .header_read_timeout(deadlines.idle + deadlines.head)
            .max_buf_size(HEAD_BYTES)
            .max_headers(MAX_HEADERS);
        let mut served = pin!(http.serve_connection(io, service));
        let mut is_stopping = false;
        loop {
            tokio::select! {
                outcome = served.as_mut() => {
                    // Broken connections are everyday and nobody's fault: hung up, timed out, malformed.
                    if let Err(error) = outcome {
                        tracing::debug!(%error, "a connection broke");
                    }
                    return;
                }
                () = stop.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    served.as_mut().graceful_shutdown();
                }
                () = cut.cancelled() => return,
            }
        }
    }

    async fn answer(
        &self,
        request: hyper::Request<Incoming>,
        local: Option<SocketAddr>,
        serving: Serving,
    ) -> hyper::Response<Answer> {
        let started = Instant::now();
        let id = RequestId::draw();
        let method = name_of(request.method());
        let expects_continue = request.headers().contains_key(header::EXPECT);
        let client = self.proxies.client(self.peer.ip(), request.headers());

        let local = LocalAddr(local.map_or_else(|| Addr::Custom("unknown", "".into()), Addr::SocketAddr));
        let mut request =
            Request::from((request, local, RemoteAddr(Addr::SocketAddr(self.peer)), Scheme::HTTP));
        let (body, mut rest) = lend(request.take_body().into());
        request.set_body(poem::Body::from(http_body_util::combinators::BoxBody::new(body)));
        request.set_data(id.clone());
        request.set_data(ClientAddress(client));

        let mut response = self.endpoint.get_response(request).await;
        if let Ok(rest) = rest.try_recv()
            && !rest.drain(expects_continue).await
        {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        tracing::info!(
            method,
            operation = api::operation_of(&response).unwrap_or("none"),
            status = response.status().as_u16(),
            ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            request.id = id.0,
            "answered"
        );
        hyper::Response::<_>::from(response).map(|body| Answer::new(body, serving))
    }
}

/// Invented methods are not worth a line of log of their own making.
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
