//! Moments at which everything is due at once: pings of hundreds of streams that their readers leave in that very instant.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::chance::Chance;
use crate::support::log::says;
use crate::support::{EventStream, Server, Wire};

const HEARTBEAT: Duration = Duration::from_secs(1);
/// Streams that leave, in each turn.
const LEAVERS: usize = 300;
const TURNS: usize = 4;
/// Enough that each writer has some.
const WITNESSES: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_leave_in_the_instant_of_their_ping_disturb_nobody() {
    let mut chance = Chance::printed("timers");
    let server = Server::start_with(&[
        ("PARLOR_STREAMS__HEARTBEAT_SECONDS", &HEARTBEAT.as_secs().to_string()),
        ("PARLOR_AUTH__ACCESS_TOKEN_SECONDS", "3600"),
        ("PARLOR_LOG", "warn"),
    ])
    .await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    let mut witnesses: Vec<EventStream> = Vec::new();
    for _ in 0..WITNESSES {
        let mut stream = ada.streams(&room).await;
        stream.hello().await;
        witnesses.push(stream);
    }
    let request = format!("GET /v1/events HTTP/1.1\nHost: parlor\nAuthorization: Bearer {}\n\n", ada.token());
    for turn in 0..TURNS {
        let mut leavers = JoinSet::new();
        for _ in 0..LEAVERS {
            let (address, request) = (server.address(), request.clone());
            let early = chance.micros(0..6_000);
            leavers.spawn(async move {
                let mut wire = Wire::asks(address, &request).await;
                wire.until("event: hello\n").await;
                sleep_until(Instant::now() + HEARTBEAT - early).await;
                drop(wire);
            });
        }
        leavers.join_all().await;
        let body = format!("turn {turn}");
        ada.posts(&room, &body).await;
        // On the connections that they have had from the beginning.
        for witness in &mut witnesses {
            let frame = witness.next().await;
            assert!(says(&frame, &body), "{frame:?}");
        }
    }
    let log = server.log();
    assert!(!log.contains("ERROR"), "{log}");
}
