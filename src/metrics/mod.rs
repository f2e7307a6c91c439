//! The metrics listener: `GET /metrics` for Prometheus, on an address of its own, so that figures are never where people
//! are. Knows nothing of what is measured but the process itself.
//!
//! The text is `OpenMetrics` 1.0, which the crate writes and which Prometheus asks for first. No metric is of a type that
//! only `OpenMetrics` knows, so that readers of the older text format understand it as well.

mod process;

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
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::process::Process;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Scrapes at the same time. Who comes beyond that waits in the kernel: figures must not cost what they measure.
const CONNECTIONS: usize = 8;

/// For a head, and for the whole of a connection, which is one request: a scraper that stalls makes room for the next.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(20);

/// Most bytes of a head; scrapers send less than one.
const HEAD_BYTES: usize = 8 * 1024;

/// After accepting failed, trying at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers scrapes until `stop`.
pub async fn serve(listener: TcpListener, registry: Registry, stop: CancellationToken) {
    let (registry, connections) = (Arc::new(registry), TaskTracker::new());
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let accepting = async {
        loop {
            let place = places.clone().acquire_owned().await.expect("the semaphore is never closed");
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (registry, stop) = (registry.clone(), stop.clone());
                    connections.spawn(async move {
                        let scrape = tokio::time::timeout(DEADLINE, scrape(stream, registry));
                        if stop.run_until_cancelled(scrape).await.is_some_and(|in_time| in_time.is_err()) {
                            tracing::debug!("a scrape took too long");
                        }
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a scrape");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    stop.run_until_cancelled(accepting).await;
    connections.close();
    connections.wait().await;
}

/// One connection, which is one request.
async fn scrape(stream: TcpStream, registry: Arc<Registry>) {
    let service = service_fn(|request| {
        let registry = registry.clone();
        async move { Ok::<_, Infallible>(answer(&request, registry).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a scrape broke");
    }
}

async fn answer(request: &Request<Incoming>, registry: Arc<Registry>) -> Response<Full<Bytes>> {
    let plain = |status: StatusCode| {
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        response
    };
    let mut response = match *request.method() {
        _ if request.uri().path() != "/metrics" => plain(StatusCode::NOT_FOUND),
        Method::GET | Method::HEAD => match text(registry).await {
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

/// Written by a thread that nobody waits for: it looks into `/proc`, and thousands of descriptors take milliseconds.
async fn text(registry: Arc<Registry>) -> Result<String, fmt::Error> {
    let writing = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        encode(&mut text, &registry).map(|()| text)
    });
    writing.await.unwrap_or(Err(fmt::Error))
}
