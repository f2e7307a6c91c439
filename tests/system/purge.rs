//! What is deleted in the background: messages of deleted rooms, in the log, too, and sessions that have ended.

use std::time::Duration;

use parlor::domain::clock::Clock;
use parlor::domain::ids::{Ids, Position};
use parlor::domain::room::RoomRef;
use parlor::domain::session::Transport;
use parlor::storage::sessions::NewSession;

use crate::support::store::OpenStore;

#[tokio::test]
async fn nothing_said_in_a_deleted_room_is_kept_and_other_rooms_keep_theirs() {
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let mut rooms = Vec::new();
    for name in ["gone", "kept"] {
        let room = parlor.store().create_room(OpenStore::room(ada.id, name)).await.unwrap().value.state.id;
        let posts =
            (0..600).map(|n| OpenStore::message(room, ada.id, &format!("secret of {name} {n}"), None));
        parlor.post_together(posts.collect()).await;
        rooms.push(room);
    }
    let log = || async { parlor.store().log_events(Position(0), 10_000).await.unwrap().1 };
    let said = |events: &[parlor::domain::event::Event], what: &str| {
        events.iter().filter(|event| event.json().contains(what)).count()
    };
    assert_eq!(said(&log().await, "secret of gone"), 600);

    parlor.store().delete_room(RoomRef::Id(rooms[0]), ada.id, Clock::SYSTEM.now()).await.unwrap();
    while parlor.store().purge_deleted_rooms().await.unwrap() {}

    let events = log().await;
    assert_eq!(said(&events, "secret of gone"), 0);
    assert_eq!(said(&events, "secret of kept"), 600);
    let positions: Vec<i64> = events.iter().map(|event| event.position.0).collect();
    assert_eq!(
        positions,
        (1..=i64::try_from(positions.len()).unwrap()).collect::<Vec<_>>(),
        "the log has no hole"
    );
}

#[tokio::test]
async fn sessions_that_are_over_are_forgotten_and_live_ones_stay() {
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let now = Clock::SYSTEM.now();
    for life in [1, 3_600] {
        let expires_at = now.plus(Duration::from_secs(life));
        let session = NewSession {
            id: Ids::SYSTEM.session(),
            user: ada.id,
            password_hash: "no password".into(),
            transport: Transport::Bearer,
            user_agent: None,
            network: None,
            at: now,
            expires_at,
            ends_at: expires_at,
            access_expires_at: expires_at,
            most: 20,
        };
        parlor.store().add_session(session).await.unwrap();
    }
    assert_eq!(parlor.store().sessions(ada.id, now).await.unwrap().len(), 2);

    while parlor.store().purge_sessions(now.plus(Duration::from_mins(1))).await.unwrap() {}

    assert_eq!(parlor.store().sessions(ada.id, now).await.unwrap().len(), 1);
}
