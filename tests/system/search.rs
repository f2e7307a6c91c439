//! A search of a directory that is longer than one page looks at: its pages find everything, and each costs a page.

use std::collections::BTreeSet;

use parlor::domain::names::RoomName;
use parlor::domain::search::folded;

use crate::support::Sql;
use crate::support::store::OpenStore;

/// Rooms of the directory; every thousandth has the word.
const ROOMS: i64 = 12_000;

#[tokio::test]
async fn the_pages_of_a_search_in_a_long_directory_find_every_room_once() {
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let rooms = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2) \
                 INSERT INTO rooms (id, name, visibility, search, head, member_count, created_at, purged, created_by) \
                 SELECT randomblob(16), printf('room-%05d', i), 'public', \
                 CASE WHEN i % 1000 = 999 THEN 'grosse' ELSE 'klein' END, 0, 0, 0, FALSE, ?1 FROM n";
    Sql::open(&parlor.folder).run_with(rooms, (ada.id.uuid(), ROOMS));

    let (mut found, mut after, mut pages) = (Vec::new(), None::<RoomName>, 0);
    loop {
        let page =
            parlor.store().search_directory(ada.id, &folded("große"), after.as_ref(), 5).await.unwrap();
        pages += 1;
        found.extend(page.rooms.iter().map(|room| room.state.name.to_string()));
        after = match (page.through, page.rooms.last()) {
            (Some(through), _) => Some(through),
            (None, Some(last)) if page.rooms.len() == 5 => Some(last.state.name.clone()),
            (None, _) => break,
        };
    }
    let expected: Vec<String> = (0..12).map(|n| format!("room-{:05}", n * 1_000 + 999)).collect();
    assert_eq!(found, expected);
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), found.len());
    assert!(pages > 2, "one page has looked at all {ROOMS} rooms");
}
