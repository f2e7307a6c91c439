//! What hashing passwords does to deliveries: their p99 while sign-ins are tried, beside quiet.

use hdrhistogram::Histogram;
use serde_json::json;

use super::client::Client;
use super::load::{Load, Request};
use super::people::{Seeding, events_of, messages_of};
use super::scale;
use super::server::Server;
use super::stamp;
use super::subscribers::{Subscribers, new_histogram};
use super::table::{Row, Table, Target};

const STREAMS: usize = 40;
const POSTS_PER_SECOND: u32 = 100;
const LOGINS_PER_SECOND: u32 = 50;
/// All readers of a post wait for the same sync of the disk, so only posts count as samples. A p99 is stable with two
/// thousand of them: the rounds together send 2,100 while it is quiet, and as many while people sign in.
const SECONDS: f64 = 7.0;
const ROUNDS: usize = 3;

pub async fn run(table: &mut Table) {
    let streams = scale::count(STREAMS);
    let seeding = Seeding::begin().await;
    let (people, room) = seeding.hall(streams).await;
    let folder = seeding.done().await;
    let server = Server::start(folder.path());
    let path = events_of(room);
    let subscriptions = people.iter().map(|person| person.follows(&path)).collect();
    let subscribers = Subscribers::open(server.address, subscriptions).await;
    let owner = [Client::connect(server.address, &people[0].token).await];
    // Somebody whose password is really checked.
    Client::sign_up(server.address, "target").await;
    let stranger = [Client::connect(server.address, "").await];

    let (mut quiet, mut busy, mut tried) = (new_histogram(), new_histogram(), 0);
    for _ in 0..scale::rounds(ROUNDS) {
        quiet += measure(&subscribers, &owner, &messages_of(room)).await;
        let load = Load::start(&stranger, LOGINS_PER_SECOND, |n| {
            let body = json!({"username": "target", "password": format!("not the password {n}")});
            Request { method: "POST", path: "/v1/login".into(), body: body.to_string() }
        })
        .await;
        busy += measure(&subscribers, &owner, &messages_of(room)).await;
        tried += load.stop().await.len();
    }
    println!("  {tried} sign-ins were answered, {} deliveries measured during them", busy.len());
    let (quiet, busy) = (p99(&quiet), p99(&busy));
    let name = format!("delivery p99 during {LOGINS_PER_SECOND} logins/s");
    let row = Row::ratio(name, busy / quiet, Target::AtMost(2.0));
    table.add(row.parlor(format!("{busy:.1} ms")).yardstick(format!("quiet: {quiet:.1} ms")));
}

/// Nanoseconds from sending a message to each of its deliveries, at a steady rate.
async fn measure(subscribers: &Subscribers, owner: &[Client], path: &str) -> Histogram<u64> {
    subscribers.take_latencies();
    let before = subscribers.deliveries();
    let posts = (scale::seconds(SECONDS).as_secs_f64() * f64::from(POSTS_PER_SECOND)) as u64;
    let path = path.to_owned();
    let request = move |_| {
        let body = json!({"body": stamp::text()}).to_string();
        Request { method: "POST", path: path.clone(), body }
    };
    Load::send(owner, POSTS_PER_SECOND, posts, request).await;
    subscribers.wait_for(before + posts * subscribers.streams()).await;
    subscribers.take_latencies()
}

/// In milliseconds.
fn p99(latencies: &Histogram<u64>) -> f64 {
    latencies.value_at_quantile(0.99) as f64 / 1e6
}
