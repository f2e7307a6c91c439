//! Requests at a steady rate, whether the earlier ones are answered or not. The time of a late one counts from when it was
//! due.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::client::Client;

/// Connections that take turns. The next request waits only when all of them wait for an answer.
const CONNECTIONS: u32 = 32;

pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub body: String,
}

/// Requests on their way, until told to stop.
pub struct Load {
    senders: Vec<JoinHandle<Vec<f64>>>,
    stop: Arc<AtomicBool>,
}

impl Load {
    /// Sends the first, second ... request as `request` makes them, each by somebody of `clients` in turn.
    pub async fn start(
        clients: &[Client],
        per_second: u32,
        request: impl Fn(u64) -> Request + Clone + Send + 'static,
    ) -> Self {
        Self::begin(clients, per_second, u64::MAX, request).await
    }

    /// Sends exactly this many requests and gives how long each took, in ms.
    pub async fn send(
        clients: &[Client],
        per_second: u32,
        count: u64,
        request: impl Fn(u64) -> Request + Clone + Send + 'static,
    ) -> Vec<f64> {
        Self::begin(clients, per_second, count, request).await.finish().await
    }

    async fn begin(
        clients: &[Client],
        per_second: u32,
        count: u64,
        request: impl Fn(u64) -> Request + Clone + Send + 'static,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut connections = Vec::new();
        for n in 0..CONNECTIONS as usize {
            connections.push(clients[n % clients.len()].again().await);
        }
        let (began, gap) = (Instant::now(), Duration::from_secs(1) / per_second);
        let senders = connections.into_iter().enumerate().map(|(first, client)| {
            let numbers = (first as u64..count).step_by(CONNECTIONS as usize);
            let due = move |n: u64| began + gap * n as u32;
            tokio::spawn(send(client, numbers, due, request.clone(), stop.clone()))
        });
        Self { senders: senders.collect(), stop: stop.clone() }
    }

    /// Stops, and says how long each answer took, in ms.
    pub async fn stop(self) -> Vec<f64> {
        self.stop.store(true, Ordering::Relaxed);
        self.finish().await
    }

    async fn finish(self) -> Vec<f64> {
        let mut all = Vec::new();
        for sender in self.senders {
            all.extend(sender.await.expect("requests are answered"));
        }
        all
    }
}

async fn send(
    mut client: Client,
    numbers: impl Iterator<Item = u64>,
    due: impl Fn(u64) -> Instant,
    request: impl Fn(u64) -> Request,
    stop: Arc<AtomicBool>,
) -> Vec<f64> {
    let mut times = Vec::new();
    for n in numbers {
        let due = due(n);
        tokio::time::sleep_until(due.into()).await;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let Request { method, path, body } = request(n);
        let (status, answer) = client.attempt(method, &path, &body).await;
        // A refused sign-in is a valid answer; every other request must succeed.
        let is_fine = (200..300).contains(&status) || path == "/v1/login";
        assert!(is_fine, "{method} {path}: {status} {}", String::from_utf8_lossy(&answer));
        times.push(due.elapsed().as_secs_f64() * 1e3);
    }
    times
}
