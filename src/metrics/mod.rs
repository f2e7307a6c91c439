//! The metrics listener: `GET /metrics` for Prometheus on an address of its own, so that users of the API cannot read the
//! figures. Knows nothing of what is measured, except the process itself.
//!
//! The text is `OpenMetrics` 1.0, which the crate writes and which Prometheus asks for first. No metric is of a type that
//! only `OpenMetrics` knows, so that readers of the older text format understand it as well.

mod process;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::process::Process;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Most connections at the same time. One more closes the oldest. A scrape takes milliseconds, so the oldest of so many is
/// silent or stalls, and silent connections cannot keep a scraper out.
const CONNECTIONS: usize = 64;

/// Figures are written for one scrape at a time, so that many scrapes cannot take all the processor time.
const WRITING: usize = 1;

/// How long a connection may last. It serves one request.
const DEADLINE: Duration = Duration::from_secs(20);

/// Most bytes of a head; scrapers send less than 1 KiB.
const HEAD_BYTES: usize = 8 * 1024;

/// The pause after accepting failed. Without it the loop would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is measured, and whose turn it is to have it written.
struct Figures {
    registry: Registry,
    writing: Arc<Semaphore>,
}

/// Answers scrapes until `stop`. A request's head may take as long as `head`.
pub async fn serve(listener: TcpListener, registry: Registry, head: Duration, stop: CancellationToken) {
    let figures = Arc::new(Figures { registry, writing: Arc::new(Semaphore::new(WRITING)) });
    let mut connections: VecDeque<JoinHandle<()>> = VecDeque::with_capacity(CONNECTIONS);
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a scrape");
                let _ = stop.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await;
                continue;
            }
        };
        connections.retain(|connection| !connection.is_finished());
        if connections.len() >= CONNECTIONS
            && let Some(oldest) = connections.pop_front()
        {
            oldest.abort();
            // Only then is its descriptor free again. Otherwise a burst would hold many more than the most.
            let _ = oldest.await;
        }
        let figures = figures.clone();
        connections.push_back(tokio::spawn(async move {
            if tokio::time::timeout(DEADLINE, scrape(stream, figures, head)).await.is_err() {
                tracing::debug!("a scrape took too long");
            }
        }));
    }
    for connection in connections {
        connection.abort();
    }
}

/// One connection, which is one request.
async fn scrape(stream: TcpStream, figures: Arc<Figures>, head: Duration) {
    let service = service_fn(|request| {
        let figures = figures.clone();
        async move { Ok::<_, Infallible>(answer(&request, figures).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a scrape broke");
    }
}

async fn answer(request: &Request<Incoming>, figures: Arc<Figures>) -> Response<Full<Bytes>> {
    let plain = |status: StatusCode| {
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        response
    };
    let mut response = match *request.method() {
        _ if request.uri().path() != "/metrics" => plain(StatusCode::NOT_FOUND),
        Method::GET | Method::HEAD => match text(figures).await {
            Ok(text) => {
                let mut response = Response::new(Full::from(text));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OPEN_METRICS));
                response
            }
            Err(error) => {
                tracing::error!(%error, "the figures cannot be written");
                plain(StatusCode::INTERNAL_SERVER_ERROR)
            }
        },
        _ => {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Written by a thread of its own: it looks into `/proc`, and thousands of descriptors take milliseconds.
async fn text(figures: Arc<Figures>) -> Result<String, fmt::Error> {
    let turn = figures.writing.clone().acquire_owned().await.expect("the semaphore is never closed");
    let writing = tokio::task::spawn_blocking(move || {
        // Held to the end of the work, also if the connection is closed meanwhile.
        let _turn = turn;
        let mut text = String::new();
        encode(&mut text, &figures.registry).map(|()| text)
    });
    writing.await.unwrap_or(Err(fmt::Error))
}
