//! Fan-out: many streams of one room at a modest rate, and what one delivery costs the server in time on the CPU.

use std::time::{Duration, Instant};

use super::contender::{Contender, PARLOR, Voice, WRITES};
use super::scale;
use super::table::{Row, Table, Target, median};

const STREAMS: usize = 1_000;
const POSTS_PER_SECOND: u32 = 20;
const SECONDS: f64 = 4.0;
const ROUNDS: usize = 5;

/// The figures of one contender.
struct Cost {
    name: &'static str,
    /// Microseconds on the CPU for one delivery, of each round.
    micros: Vec<f64>,
    /// Of the time from sending to receiving, in ms.
    p50: f64,
    p99: f64,
}

pub async fn run(table: &mut Table) {
    let streams = scale::count(STREAMS);
    let contenders = Contender::all(streams).await;
    let idle = idle(&contenders[0]).await;
    let mut costs: Vec<Vec<f64>> = contenders.iter().map(|_| Vec::new()).collect();
    for contender in &contenders {
        contender.subscribers.take_latencies();
    }
    for _ in 0..scale::rounds(ROUNDS) {
        // In turn, so that a noisy moment disturbs all of them alike.
        for (contender, costs) in contenders.iter().zip(&mut costs) {
            costs.push(round(contender, idle).await);
        }
    }
    let costs: Vec<_> =
        contenders.iter().zip(costs).map(|(contender, micros)| Cost::of(contender, micros)).collect();
    for Cost { name, micros, p50, p99 } in &costs {
        println!(
            "  {name:<16} {:6.2} us of CPU a delivery; delivered after {p50:.1} ms p50, {p99:.1} ms p99",
            median(micros)
        );
    }
    println!(
        "  of Parlor's, {:.2} us are the post's own, spread over its deliveries",
        post_alone(&contenders[0]).await
    );
    println!("  Parlor's CPU while {streams} streams were quiet: {:.2} % of a core", idle * 100.0);
    let name = format!("fan-out, {streams} streams, {POSTS_PER_SECOND} posts/s, CPU a delivery");
    let [parlor, writes] = [PARLOR, WRITES].map(|name| cost_of(&costs, name).expect("always there"));
    let text = |micros: f64| format!("{micros:.2} us");
    let row = Row::ratio(&name, parlor / writes, Target::AtMost(1.10));
    table.add(row.parlor(text(parlor)).yardstick(format!("one write() each: {}", text(writes))));
    // The better one of its two configurations.
    let nchan = costs.iter().filter(|cost| cost.name.starts_with("nchan")).map(|cost| median(&cost.micros));
    if let Some(nchan) = nchan.min_by(f64::total_cmp) {
        let row = Row::ratio(&name, parlor / nchan, Target::AtMost(0.70));
        table.add(row.parlor(text(parlor)).yardstick(format!("nchan: {}", text(nchan))));
    }
}

impl Cost {
    fn of(contender: &Contender, micros: Vec<f64>) -> Self {
        let latencies = contender.subscribers.take_latencies();
        let ms = |share| latencies.value_at_quantile(share) as f64 / 1e6;
        Self { name: contender.name, micros, p50: ms(0.5), p99: ms(0.99) }
    }
}

fn cost_of(costs: &[Cost], name: &str) -> Option<f64> {
    costs.iter().find(|cost| cost.name == name).map(|cost| median(&cost.micros))
}

/// The share of a core that the server uses while nothing happens.
async fn idle(contender: &Contender) -> f64 {
    let (before, began) = (contender.processes.cpu(), Instant::now());
    tokio::time::sleep(scale::seconds(3.0)).await;
    (contender.processes.cpu() - before) / began.elapsed().as_secs_f64()
}

/// Microseconds on the CPU for one delivery, without what the server uses when idle.
async fn round(contender: &Contender, idle: f64) -> f64 {
    let voice = contender.voice().await;
    let delivered = contender.subscribers.deliveries();
    let deliveries = posts() * contender.subscribers.streams();
    let (before, began) = (contender.processes.cpu(), Instant::now());
    publish(voice).await;
    contender.subscribers.wait_for(delivered + deliveries).await;
    let used = contender.processes.cpu() - before;
    let idle = if contender.name == PARLOR { idle * began.elapsed().as_secs_f64() } else { 0.0 };
    (used - idle) * 1e6 / deliveries as f64
}

/// The cost of a post without deliveries, in microseconds on the CPU, divided by the streams that would have got it.
async fn post_alone(contender: &Contender) -> f64 {
    let Some(voice) = contender.aside().await else { return 0.0 };
    let before = contender.processes.cpu();
    publish(voice).await;
    (contender.processes.cpu() - before) * 1e6 / (posts() * contender.subscribers.streams()) as f64
}

fn posts() -> u64 {
    (scale::seconds(SECONDS).as_secs_f64() * f64::from(POSTS_PER_SECOND)) as u64
}

async fn publish(mut voice: Voice) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / POSTS_PER_SECOND);
    for _ in 0..posts() {
        ticks.tick().await;
        voice.publish().await;
    }
}
