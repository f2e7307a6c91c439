//! Clients that each post as fast as they are answered, and how long that takes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::json;

use super::client::Client;
use super::table::{median, quantile};

pub const BODY: &str = "the quick brown fox jumps over the lazy dog, and nobody minds";

/// The figures of some bursts.
#[derive(Default)]
pub struct Bursts {
    /// Posts a second.
    rates: Vec<f64>,
    /// Of the time until a post was answered, in ms.
    p50s: Vec<f64>,
    p99s: Vec<f64>,
}

impl Bursts {
    /// Sends one more: so many posts of each client, one after the other.
    pub async fn send(&mut self, clients: Vec<Client>, path: &str, each: usize) {
        static CLIENTS: AtomicU64 = AtomicU64::new(0);
        let all = (clients.len() * each) as f64;
        let began = Instant::now();
        let tasks = clients.into_iter().map(|mut client| {
            let (path, number) = (path.to_owned(), CLIENTS.fetch_add(1, Ordering::Relaxed));
            tokio::spawn(async move {
                let mut times = Vec::with_capacity(each);
                for n in 0..each {
                    let body = json!({"body": BODY, "client_id": format!("{number}-{n}")}).to_string();
                    let began = Instant::now();
                    client.exchange("POST", &path, &body).await;
                    times.push(began.elapsed().as_secs_f64() * 1e3);
                }
                times
            })
        });
        let mut times = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            times.extend(task.await.expect("a client"));
        }
        self.rates.push(all / began.elapsed().as_secs_f64());
        times.sort_by(f64::total_cmp);
        self.p50s.push(quantile(&times, 0.5));
        self.p99s.push(quantile(&times, 0.99));
    }

    pub fn rate(&self) -> f64 {
        median(&self.rates)
    }

    pub fn p99(&self) -> f64 {
        median(&self.p99s)
    }

    pub fn text(&self) -> String {
        let (rate, p50, p99) = (self.rate(), median(&self.p50s), self.p99());
        format!("{rate:.0}/s, p50 {p50:.1} ms, p99 {p99:.1} ms")
    }
}
