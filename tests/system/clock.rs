//! A wall clock that jumps by an hour, forwards and back: the log keeps its order, streams stay open, and nobody is locked out.

use crate::support::log::{assert_dense, history, messages, now, until_said};
use crate::support::{Frame, Server};

#[tokio::test]
async fn a_clock_that_jumps_an_hour_either_way_changes_no_order_and_ends_no_stream() {
    let mut server = Server::start_with_clock(&[]).await;
    let mut ada = server.register("ada").await;
    let room = ada.creates_room("room").await;
    let before = now(&ada).await;
    let mut stream = ada.streams(&room).await;
    stream.hello().await;
    let mut live: Vec<Frame> = Vec::new();
    let mut times = Vec::new();
    for (step, to) in [0, 3_600, 0, -3_600, 3_600, -3_600].into_iter().enumerate() {
        server.moves_clock(to);
        // The jump may have ended the access token, but the session still gives a new one.
        ada.refreshes().await;
        let cursor = now(&ada).await;
        let first = ada.posts(&room, &format!("{step}: first")).await;
        times.push(first["created_at"].as_str().unwrap().to_owned());
        ada.posts_with_id(&room, &format!("{step}: last"), &format!("id-{step}")).await;
        live.extend(until_said(&mut stream, &format!("{step}: last")).await);
        let mut resumed = ada.streams_from(&room, &cursor).await;
        assert_eq!(resumed.hello().await["resumed"], true);
        assert_eq!(until_said(&mut resumed, &format!("{step}: last")).await.len(), 2);
        if step == 3 {
            // It starts while its clock is behind the times that it has written before.
            server.restart().await;
            stream = ada.streams(&room).await;
            stream.hello().await;
        }
    }
    assert!(times[1] > times[2] && times[3] < times[2] && times[4] > times[3], "it did jump: {times:?}");
    assert_dense(&live, &ada);
    let all = history(&ada, &room).await;
    assert_eq!(messages(&live), all, "in the order in which it was said, whatever the clock showed");
    let mut log = ada.streams_from(&room, &before).await;
    log.hello().await;
    assert_eq!(messages(&until_said(&mut log, "5: last").await), all);
}

#[tokio::test]
async fn a_clock_that_is_set_back_by_seconds_does_not_turn_the_times_of_the_log_back() {
    let server = Server::start_with_clock(&[]).await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("room").await;
    for back in [0, -2, -4] {
        server.moves_clock(back);
        bob.joins(&room).await;
        ada.posts(&room, "a post").await;
        bob.leaves(&room).await;
    }
    let times = server.queries("SELECT at FROM events ORDER BY position").await;
    let times: Vec<i64> = times.iter().map(|at| at.parse().unwrap()).collect();
    assert_eq!(times.len(), 11);
    assert!(times.is_sorted(), "{times:?}");
}
