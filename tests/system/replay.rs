//! Replaying a person's part of a long log: the pages hold exactly what is theirs, wherever it lies among what is not.

use parlor::domain::clock::Clock;
use parlor::domain::ids::{Position, RoomId};
use parlor::domain::room::RoomRef;
use parlor::domain::user::User;

use crate::support::Sql;
use crate::support::store::OpenStore;

/// Events that each of these tests adds to the log.
const LOG: i64 = 60_000;
/// Events of a page.
const PAGE: i64 = 100;

/// Ada's two rooms in a log that is busy with others'. She has left a third one, and a fourth was deleted.
struct Busy {
    parlor: OpenStore,
    ada: User,
    sql: Sql,
    start: Position,
}

impl Busy {
    /// `is_adas` says in SQL which of the events, numbered `i`, are those of her rooms.
    async fn new(is_adas: &str) -> Self {
        let parlor = OpenStore::new().await;
        let (ada, bob) = (parlor.adds_user("ada").await, parlor.adds_user("bob").await);
        let mut rooms = Vec::new();
        for (owner, name) in
            [(&ada, "one"), (&ada, "two"), (&bob, "left"), (&ada, "deleted"), (&bob, "others")]
        {
            rooms.push(
                parlor.store().create_room(OpenStore::room(owner.id, name)).await.unwrap().value.state.id,
            );
        }
        let start = parlor.store().head().await.unwrap();
        let sql = Sql::open(&parlor.folder);
        let busy = Self { parlor, ada, sql, start };
        busy.fill(&rooms, is_adas);
        let (store, ada) = (busy.parlor.store(), busy.ada.id);
        store.join_room(RoomRef::Id(rooms[2]), ada, Clock::SYSTEM.now()).await.unwrap();
        store.leave_room(RoomRef::Id(rooms[2]), ada, Clock::SYSTEM.now()).await.unwrap();
        store.delete_room(RoomRef::Id(rooms[3]), ada, Clock::SYSTEM.now()).await.unwrap();
        busy.fill(&rooms, is_adas);
        busy
    }

    /// Events to Ada's two rooms in turn where they are hers, else to the room of others.
    fn fill(&self, rooms: &[RoomId], is_adas: &str) {
        let fill = format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {LOG}) \
             INSERT INTO events (position, audience, room_id, seq, type, data, at) \
             SELECT head + i, 'room', CASE WHEN NOT ({is_adas}) THEN ?3 WHEN i % 2 THEN ?1 ELSE ?2 END, \
             0, 'message.posted', '{{}}', 0 FROM n, log"
        );
        self.sql.run_with(&fill, [rooms[0], rooms[1], rooms[4]].map(RoomId::uuid));
        self.sql.run(&format!(
            "UPDATE events SET seq = counted.seq FROM (SELECT position AS at_position, row_number() \
             OVER (PARTITION BY room_id ORDER BY position) AS seq FROM events) AS counted \
             WHERE position = at_position; \
             UPDATE log SET head = head + {LOG}"
        ));
    }

    /// What the pages bring.
    async fn replayed(&self) -> Vec<i64> {
        let store = self.parlor.store();
        let head = store.head().await.unwrap();
        let (mut at, mut found) = (self.start, Vec::new());
        while at < head {
            let page = store.user_events(self.ada.id, at, head, PAGE).await.unwrap();
            assert!(page.through > at, "a page goes on");
            assert!(i64::try_from(page.events.len()).unwrap() <= PAGE);
            found.extend(page.events.iter().map(|event| event.position.0));
            at = page.through;
        }
        found
    }

    /// The same by looking at every event of the log.
    fn looked_at(&self) -> Vec<i64> {
        let sql = "SELECT e.position FROM events e WHERE e.position > ?2 AND (EXISTS (SELECT 1 FROM members m \
                   WHERE m.room_id = e.room_id AND m.user_id = ?1 AND m.until IS NULL AND m.since <= e.position) \
                   OR (e.ref = ?1 AND e.type LIKE 'member.%') OR (e.type = 'room.deleted' AND EXISTS \
                   (SELECT 1 FROM members m WHERE m.room_id = e.room_id AND m.user_id = ?1 AND m.until = e.position))) \
                   ORDER BY e.position";
        self.sql.rows(sql, (self.ada.id.uuid(), self.start.0), |row| row.get(0))
    }

    /// Whether there is more, asked for by its very number and by one less.
    async fn assert_counted(&self, number: usize) {
        let store = self.parlor.store();
        let (head, number) = (store.head().await.unwrap(), u32::try_from(number).unwrap());
        let has_more = async |most| store.user_has_more(self.ada.id, self.start, head, most).await.unwrap();
        assert!(!has_more(number).await, "there are {number}");
        assert!(has_more(number - 1).await, "there are {number}");
    }
}

#[tokio::test]
async fn a_quiet_person_of_a_busy_server_gets_the_few_events_that_are_theirs() {
    let busy = Busy::new("i % 20000 = 7").await;
    let expected = busy.looked_at();
    assert_eq!(expected.len(), 6 + 3, "those of the rooms, the join, the leave and the deletion");
    assert_eq!(busy.replayed().await, expected);
    busy.assert_counted(expected.len()).await;
}

#[tokio::test]
async fn a_burst_behind_a_long_silence_comes_page_by_page() {
    // The first stretch that has more than a page may sort lies far behind what fits.
    let busy = Busy::new("i BETWEEN 40000 AND 48999 OR i = 3").await;
    let expected = busy.looked_at();
    assert_eq!(expected.len(), 2 * 9_001 + 3);
    assert_eq!(busy.replayed().await, expected);
    let head = busy.parlor.store().head().await.unwrap();
    assert!(
        busy.parlor.store().user_has_more(busy.ada.id, busy.start, head, u32::MAX).await.unwrap(),
        "too many to count"
    );
}

#[tokio::test]
async fn a_person_to_whom_everything_is_gets_everything() {
    let busy = Busy::new("TRUE").await;
    let expected = busy.looked_at();
    assert_eq!(expected.len(), usize::try_from(2 * LOG).unwrap() + 3);
    assert_eq!(busy.replayed().await, expected);
}
