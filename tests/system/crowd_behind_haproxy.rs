//! Two nodes behind `HAProxy` with the file of docs/proxies, and a crowd that reads at both when one of them is killed.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::interval;

use crate::support::port::free_address;
use crate::support::postgres::Database;
use crate::support::proxy::Kind;
use crate::support::{Comeback, Crowd, Server};

const STREAMS: usize = 2_000;
/// From the kill until all readers are back, who come back at once. Seconds where the machine has nothing else to do.
const BACK_WITHIN: Duration = Duration::from_mins(1);
const POST_EVERY: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_readers_of_a_node_that_is_killed_behind_haproxy_go_on_at_the_other_without_gap_or_repeat() {
    let Some(planned) = Kind::HaproxyNodes.plan() else { return };
    let database = Database::create().await;
    let (url, origin) = (database.url(), planned.origin());
    let own = [
        ("PARLOR_STORAGE__URL", &*url),
        ("PARLOR_SERVER__PUBLIC_URL", &*origin),
        ("PARLOR_SERVER__TRUSTED_PROXIES", "127.0.0.1"),
    ];
    let mut one = Server::start_with(&[&own[..], &Crowd::ENV].concat()).await;
    let two = one.starts_another_node().await;
    // The crowd speaks no TLS. The browsers of the other tests do.
    let plain = free_address();
    let proxy = planned
        .before(
            one.address(),
            &[
                ("10.0.0.12:8080", &two.address().to_string()),
                ("maxconn 500", "maxconn 5000"),
                ("frontend web\n", &format!("frontend web\n    bind {plain}\n")),
                ("unless { ssl_fc }", &format!("unless {{ ssl_fc }} || {{ dst_port {} }}", plain.port())),
            ],
        )
        .await;
    let (ada, room, crowd) = Crowd::gathers_at(&two, plain, STREAMS, Comeback::AtOnce).await;
    let (poster, path) = (ada.clone(), format!("/v1/rooms/{}/messages", room.id));
    let posting = tokio::spawn(async move {
        let mut tick = interval(POST_EVERY);
        for post in 0.. {
            tick.tick().await;
            poster.post(&path, json!({ "body": format!("post {post}") })).await.ok(201);
        }
    });
    let begun = crowd.seats().iter().map(|seat| seat.newest_seq).max();
    crowd.all("has live posts", BACK_WITHIN, |seat| Some(seat.newest_seq) > begun.map(|seq| seq + 5)).await;

    let killed = Instant::now();
    one.kill().await;
    crowd.all("is open", BACK_WITHIN, |seat| seat.is_open).await;
    let seq = ada.posts(&room, "after").await["seq"].as_i64().unwrap();
    crowd.all("is back and has everything", BACK_WITHIN, |seat| seat.newest_seq >= seq).await;
    let back = killed.elapsed();
    posting.abort();
    let seq = ada.posts(&room, "the end").await["seq"].as_i64().unwrap();
    crowd.all("has the end", BACK_WITHIN, |seat| seat.newest_seq >= seq).await;

    crowd.is_without_fault();
    let seats = crowd.seats();
    let cut: usize = seats.iter().map(|seat| seat.resumes).sum();
    println!(
        "SIGKILL behind {}: streams {STREAMS}, cut {cut}, all back and with everything after {back:?}, seq {seq}, gaps 0, repeats 0",
        proxy.address
    );
    assert!((STREAMS / 4..=STREAMS * 3 / 4).contains(&cut), "both nodes had their part, but {cut} were cut");
    assert!(seats.iter().all(|seat| seat.ends.values().sum::<usize>() == seat.resumes));
}
