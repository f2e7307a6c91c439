//! The same room with more than can be delivered: publishers that post as fast as they are answered. How many deliveries a
//! second come of it, and whether all do.

use std::time::{Duration, Instant};

use super::contender::{Contender, PARLOR, Voice, WRITES};
use super::scale;
use super::stamp;
use super::table::{Row, Table, Target, median};

const STREAMS: usize = 1_000;
const PUBLISHERS: usize = 4;
/// Posts of one publisher that are not answered yet, each on a connection of its own: with fewer it would be the posts that
/// are waited for, not the deliveries.
const UNANSWERED: usize = 16;
const SECONDS: f64 = 2.0;
const ROUNDS: usize = 3;
/// How long to wait after the last delivery for contenders that may lose events.
const QUIET: Duration = Duration::from_secs(2);

/// The figures of one contender over all rounds.
#[derive(Default)]
struct Outcome {
    rates: Vec<f64>,
    posts: u64,
    lost: u64,
    /// Breaks in the count of a stream's events; only where that does not end the run.
    gaps: u64,
    /// From the last post's answer to its delivery, the longest.
    behind: Duration,
}

pub async fn run(table: &mut Table) {
    let streams = scale::count(STREAMS);
    let contenders = Contender::all(streams).await;
    let mut outcomes: Vec<Outcome> = contenders.iter().map(|_| Outcome::default()).collect();
    for _ in 0..scale::rounds(ROUNDS) {
        for (contender, outcome) in contenders.iter().zip(&mut outcomes) {
            round(contender, outcome).await;
        }
    }
    let mut nchan: Option<&Outcome> = None;
    for (contender, outcome) in contenders.iter().zip(&outcomes) {
        println!(
            "  {:<16} {:8.0} deliveries/s, {} posts, {} lost, {} gaps, {:.1} s behind at the end",
            contender.name,
            outcome.rate(),
            outcome.posts,
            outcome.lost,
            outcome.gaps,
            outcome.behind.as_secs_f64()
        );
        let is_better = nchan.is_none_or(|best| best.rate() < outcome.rate());
        if ![PARLOR, WRITES].contains(&contender.name) && is_better {
            nchan = Some(outcome);
        }
    }
    let parlor = &outcomes[0];
    let name = format!("saturated, {streams} streams, {PUBLISHERS} publishers");
    if let Some(nchan) = nchan {
        let row = Row::ratio(&name, parlor.rate() / nchan.rate(), Target::AtLeast(1.3));
        table.add(row.parlor(parlor.text()).yardstick(format!("nchan: {}", nchan.text())));
    }
    // A loss of Parlor's would have ended the run.
    let row = Row::figure(name + ", lost", parlor.lost as f64, "", Target::AtMost(0.0));
    table.add(row.parlor(format!("{} durable posts", parlor.posts)).yardstick("-"));
}

impl Outcome {
    fn rate(&self) -> f64 {
        median(&self.rates)
    }

    fn text(&self) -> String {
        format!("{:.0}/s, {} lost", self.rate(), self.lost)
    }
}

async fn round(contender: &Contender, outcome: &mut Outcome) {
    let subscribers = &contender.subscribers;
    let delivered = subscribers.deliveries();
    let mut publishers = Vec::new();
    for _ in 0..if contender.takes_many_voices() { PUBLISHERS * UNANSWERED } else { 1 } {
        publishers.push(contender.voice().await);
    }
    let began = stamp::now();
    let until = Instant::now() + scale::seconds(SECONDS);
    let publishers: Vec<_> =
        publishers.into_iter().map(|voice| tokio::spawn(publish(voice, until))).collect();
    let mut posts = 0;
    for publisher in publishers {
        posts += publisher.await.expect("a publisher");
    }
    let answered = stamp::now();
    let all = delivered + posts * subscribers.streams();
    if contender.is_strict() {
        subscribers.wait_for(all).await;
    } else {
        let is_quiet = || stamp::now().saturating_sub(subscribers.last_at()) > QUIET.as_nanos() as u64;
        subscribers.wait("deliveries", || subscribers.deliveries() >= all || is_quiet()).await;
    }
    let (came, last) = (subscribers.deliveries(), subscribers.last_at());
    outcome.rates.push((came - delivered) as f64 * 1e9 / (last - began) as f64);
    outcome.posts += posts;
    outcome.lost += all.saturating_sub(came);
    outcome.gaps = subscribers.gaps();
    outcome.behind = outcome.behind.max(Duration::from_nanos(last.saturating_sub(answered)));
}

async fn publish(mut voice: Voice, until: Instant) -> u64 {
    let mut posts = 0;
    while Instant::now() < until {
        voice.publish().await;
        posts += 1;
    }
    posts
}
