//! Restart storms: the process is killed under thousands of open streams, all of which come back at the same moment.

use std::time::Duration;

use super::rounds_or;
use crate::support::{Comeback, Crowd, Server};

/// Streams of a short run, and of one that was asked for.
const STREAMS: (usize, usize) = (400, 2_000);
const KILLS: usize = 2;
/// Rounds that were asked for, for each kill of a storm: it is broken two thousand times as much.
const ROUNDS_PER_KILL: usize = 100;
/// From the kill until everybody is back and has everything, on a busy machine.
const BACK_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_comes_back_at_once_and_nobody_has_missed_anything() {
    let rounds = rounds_or(0);
    let (streams, kills) =
        if rounds == 0 { (STREAMS.0, KILLS) } else { (STREAMS.1, rounds.div_ceil(ROUNDS_PER_KILL)) };
    let mut server = Server::start_with(&Crowd::ENV).await;
    let (ada, room, crowd) = Crowd::gathers(&server, streams, Comeback::AtOnce).await;
    let mut slowest = Duration::ZERO;
    for kill in 0..kills {
        // Some of them have this before the kill, some only afterwards.
        for post in 0..5 {
            ada.posts(&room, &format!("{kill}.{post}")).await;
        }
        server.restart().await;
        let seq = ada.posts(&room, "everybody").await["seq"].as_i64().unwrap();
        let took = crowd.all("is back and has everything", BACK_WITHIN, |seat| seat.newest_seq >= seq).await;
        slowest = slowest.max(took);
    }
    crowd.is_without_fault();
    let seats = crowd.seats();
    let resumes: usize = seats.iter().map(|seat| seat.resumes).sum();
    println!(
        "storms: kills {kills}, streams {streams}, resumes {resumes}, faults 0, all back within {slowest:?}"
    );
    assert!(resumes >= kills * streams, "only {resumes} resumes: somebody was not broken");
}
