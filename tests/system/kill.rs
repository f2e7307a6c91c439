//! Streams across the end of the process: they resume with exactly what the log has after their cursor.

use crate::support::log::{assert_dense, assert_rest, event, now, until_said};
use crate::support::{Frame, Server};

#[tokio::test]
async fn streams_resume_across_a_restart_and_across_sigkill_with_exactly_the_log() {
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    let before = now(&ada).await;
    let room = ada.creates_room("room").await;
    let mut got: [Vec<Frame>; 2] = [Vec::new(), Vec::new()];
    let mut cursors = [before.clone(), before.clone()];
    for turn in 0..6 {
        let mut streams = [
            ada.streams_from(&room, &cursors[0]).await,
            ada.opening("/v1/events").last_event_id(&cursors[1]).open().await,
        ];
        for stream in &mut streams {
            assert_eq!(stream.hello().await["resumed"], true);
        }
        for post in 0..10 {
            ada.posts(&room, &format!("{turn}.{post}")).await;
        }
        // What has not arrived when the process ends comes in the next turn.
        for (index, stream) in streams.iter_mut().enumerate() {
            got[index].extend(until_said(stream, &format!("{turn}.{}", 4 + index)).await);
            stream.last_event_id().clone_into(&mut cursors[index]);
        }
        if turn % 2 == 0 {
            assert!(server.stop().await.success());
        }
        server.restart().await;
    }
    ada.posts(&room, "the end").await;
    let mut log = ada.streams_from(&room, &before).await;
    log.hello().await;
    let log = until_said(&mut log, "the end").await;
    assert_dense(&log, &ada);
    let mut last = ada.streams_from(&room, &cursors[0]).await;
    last.hello().await;
    got[0].extend(until_said(&mut last, "the end").await);
    let mut last = ada.streams_after(&cursors[1]).await;
    last.hello().await;
    got[1].extend(until_said(&mut last, "the end").await);
    let [in_room, everywhere] = got.each_ref().map(|frames| frames.iter().map(event).collect::<Vec<_>>());
    assert_eq!(in_room, log.iter().map(event).collect::<Vec<_>>());
    assert_eq!(
        everywhere,
        log[1..].iter().map(event).collect::<Vec<_>>(),
        "the own stream begins with the join"
    );
    // A stream may resume at any cursor of the log, not only at the last one.
    let middle = log[20].cursor().to_owned();
    let mut stream = ada.streams_from(&room, &middle).await;
    stream.hello().await;
    assert_rest(&log, &middle, &until_said(&mut stream, "the end").await);
}
