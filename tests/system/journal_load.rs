//! The journal under load: in which order it writes, and how far the write-ahead log grows.

use std::fs;

use parlor::domain::event::Event;
use parlor::domain::ids::{RoomId, UserId};

use crate::support::Sql;
use crate::support::store::OpenStore;

/// The most requests in one transaction.
const BATCH: usize = 256;
const MIB: u64 = 1024 * 1024;

#[tokio::test]
async fn a_room_that_is_written_to_like_mad_does_not_hold_up_a_quiet_one() {
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let (mad, quiet) = (OpenStore::room(ada.id, "mad"), OpenStore::room(ada.id, "quiet"));
    let (mad_id, quiet_id) = (mad.id, quiet.id);
    parlor.store().create_room(mad).await.unwrap();
    parlor.store().create_room(quiet).await.unwrap();
    let before = parlor.batches.lock().unwrap().len();
    // Every hundredth is for the quiet room, and all are there at once.
    let posts = (0..3_000).map(|n| {
        let room = if n % 100 == 99 { quiet_id } else { mad_id };
        OpenStore::message(room, ada.id, &n.to_string(), None)
    });
    let answers = parlor.post_together(posts.collect()).await;
    assert!(answers.iter().all(Result::is_ok));
    let batches = parlor.batches.lock().unwrap()[before..].to_vec();
    assert!(batches.len() > 3_000 / BATCH, "{} batches", batches.len());
    // They are written in the order in which they came, whatever their room. So a busy room cannot hold up a quiet one.
    let rooms: Vec<_> = batches.iter().flatten().filter_map(Event::room).collect();
    let expected: Vec<_> = (0..3_000).map(|n| if n % 100 == 99 { quiet_id } else { mad_id }).collect();
    assert_eq!(rooms, expected);
    assert!(batches.iter().all(|batch| batch.len() <= BATCH));
}

#[tokio::test]
async fn the_log_grows_only_while_somebody_holds_a_snapshot_and_writing_goes_on_meanwhile() {
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let room = parlor.store().create_room(OpenStore::room(ada.id, "room")).await.unwrap().value.state.id;
    let file = parlor.folder.path().join("parlor.db-wal");
    let log = || fs::metadata(&file).unwrap().len() / MIB;

    let reader = Sql::open_to_read(&parlor.folder);
    reader.run("BEGIN; SELECT head FROM log");
    while log() < 100 {
        write_much(&parlor, room, ada.id).await;
    }
    drop(reader);
    let held = log();
    // The journal tries again when the log has grown by 64 MiB more, at the latest.
    let mut rounds = 0;
    while log() > 64 {
        write_much(&parlor, room, ada.id).await;
        rounds += 1;
        assert!(rounds < 30, "{held} MiB while it was held, and then it grew to {} MiB", log());
    }
}

/// Adds about 10 MiB to the log.
async fn write_much(parlor: &OpenStore, room: RoomId, author: UserId) {
    let body = "x".repeat(4_000);
    let posts = (0..1_000).map(|_| OpenStore::message(room, author, &body, None));
    assert!(parlor.post_together(posts.collect()).await.iter().all(Result::is_ok));
}
