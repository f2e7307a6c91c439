//! The front with short deadlines: slow clients are cut off, patient ones are not, and stopping ends everything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream;
use poem::endpoint::make_sync;
use poem::{Body, Endpoint, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::address::Proxies;
use super::connection::Connection;
use super::socket::Deadlines;
use super::unread::Unread;
use super::{FrontLimits, bind, serve};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: parlor\r\n\r\n";
const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_mins(1);
/// A deadline for what should happen at once or after `SHORT`.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves one connection with these deadlines.
async fn one_connection(
    endpoint: impl Endpoint<Output = Response> + 'static,
    deadlines: Deadlines,
) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, peer) = listener.accept().await.unwrap();
    let connection = Connection {
        endpoint: Arc::new(endpoint),
        proxies: Arc::new(Proxies::default()),
        peer,
        deadlines,
        meters: Arc::default(),
        unread: Arc::new(Unread::new(true, Arc::default())),
        stop: CancellationToken::new(),
        cut: CancellationToken::new(),
    };
    tokio::spawn(connection.run(stream));
    client
}

fn hello() -> impl Endpoint<Output = Response> + 'static {
    make_sync(|_| Response::builder().body("hello"))
}

async fn reads_answer(client: &mut TcpStream) {
    let mut said = Vec::new();
    while !said.ends_with(b"hello") {
        assert_ne!(client.read_buf(&mut said).await.unwrap(), 0, "closed in the middle of an answer");
    }
}

/// How long until the server closes.
async fn closes(client: &mut TcpStream) -> Duration {
    let begun = Instant::now();
    let mut rest = Vec::new();
    // A reset ends the connection, too.
    let _ = tokio::time::timeout(PATIENCE, client.read_to_end(&mut rest)).await.expect("the server closes");
    begun.elapsed()
}

#[tokio::test]
async fn a_connection_that_waits_too_long_between_requests_is_closed() {
    let mut client = one_connection(hello(), Deadlines { head: LONG, idle: SHORT, stall: LONG }).await;
    for _ in 0..3 {
        client.write_all(REQUEST).await.unwrap();
        reads_answer(&mut client).await;
    }
    assert!(closes(&mut client).await >= SHORT / 2);
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_off_and_one_that_waits_to_begin_is_not() {
    let deadlines = Deadlines { head: SHORT, idle: LONG, stall: LONG };
    let mut silent = one_connection(hello(), deadlines).await;
    let mut slow = one_connection(hello(), deadlines).await;
    slow.write_all(REQUEST).await.unwrap();
    reads_answer(&mut slow).await;
    assert!(closes(&mut silent).await >= SHORT / 2);
    // It has waited longer than a head may take, but no head had begun.
    slow.write_all(&REQUEST[..20]).await.unwrap();
    assert!(closes(&mut slow).await >= SHORT / 2);
}

#[tokio::test]
async fn a_reader_that_stalls_is_cut_off() {
    let dropped = CancellationToken::new();
    let guard = dropped.clone();
    let endless = make_sync(move |_| {
        let guard = guard.clone().drop_guard();
        let chunks = stream::repeat_with(move || {
            let _held = &guard;
            Ok::<_, std::io::Error>(Bytes::from_static(&[b'a'; 16_384]))
        });
        Response::builder().body(Body::from_bytes_stream(chunks))
    });
    let mut client = one_connection(endless, Deadlines { head: LONG, idle: LONG, stall: SHORT }).await;
    client.write_all(REQUEST).await.unwrap();
    tokio::time::timeout(PATIENCE, dropped.cancelled()).await.expect("the body is dropped");
}

#[tokio::test]
async fn stopping_closes_what_waits_and_cuts_what_does_not_end() {
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let endpoint = make_sync(|request: poem::Request| match request.uri().path() {
        "/endless" => {
            Response::builder().body(Body::from_bytes_stream(stream::pending::<std::io::Result<Bytes>>()))
        }
        _ => Response::builder().body("hello"),
    });
    let (trusted_proxies, deadlines) = (Proxies::default(), Deadlines::default());
    let limits = FrontLimits { per_address: None, trusted_proxies, deadlines, grace: SHORT };
    let stop = CancellationToken::new();
    let front = tokio::spawn(serve(listener, endpoint, limits, Arc::default(), stop.clone()));
    let mut waiting = TcpStream::connect(address).await.unwrap();
    waiting.write_all(REQUEST).await.unwrap();
    reads_answer(&mut waiting).await;
    let mut endless = TcpStream::connect(address).await.unwrap();
    endless.write_all(b"GET /endless HTTP/1.1\r\nHost: parlor\r\n\r\n").await.unwrap();
    let mut head = [0; 12];
    endless.read_exact(&mut head).await.unwrap();

    stop.cancel();
    closes(&mut waiting).await;
    closes(&mut endless).await;
    tokio::time::timeout(PATIENCE, front).await.expect("the front ends").unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}
