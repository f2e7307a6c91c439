//! The journal: requests that share a transaction, and what each of them is answered when some fail.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parlor::domain::event::Event;
use parlor::domain::ids::{Ids, Position};
use parlor::domain::message::PageStart;
use parlor::domain::names::Username;
use parlor::domain::refusal::Refusal;
use parlor::domain::room::RoomRef;
use parlor::storage::Error;

use crate::support::Sql;
use crate::support::store::OpenStore;

/// Makes the engine fail inside a post, in the way that the body names.
const TRAPS: &str = "\
    CREATE TRIGGER trap_error BEFORE INSERT ON messages WHEN NEW.body = 'break the engine' \
    BEGIN SELECT json_extract('{', '$'); END; \
    CREATE TRIGGER trap_rollback BEFORE INSERT ON messages WHEN NEW.body = 'roll everything back' \
    BEGIN SELECT RAISE(ROLLBACK, 'by itself'); END; \
    CREATE TRIGGER trap_late AFTER INSERT ON events \
    WHEN (SELECT body FROM messages WHERE position = NEW.message) = 'broken in the log' \
    BEGIN SELECT json_extract('{', '$'); END;";

/// Checks that the announced events and the log are the same, and that positions and seqs have no hole.
async fn assert_whole(parlor: &OpenStore) {
    let announced: Vec<Event> = parlor.batches.lock().unwrap().iter().flatten().cloned().collect();
    let logged = parlor.store().log_events(Position(0), 100_000).await.unwrap().1;
    let positions = |events: &[Event]| events.iter().map(|event| event.position.0).collect::<Vec<_>>();
    let dense: Vec<i64> = (1..).take(logged.len()).collect();
    assert_eq!(positions(&logged), dense, "the log has a hole");
    assert_eq!(positions(&announced), dense, "what was announced has a hole");
    let data = |events: &[Event]| events.iter().map(|event| event.json().into_owned()).collect::<Vec<_>>();
    assert_eq!(data(&announced), data(&logged));
    assert_eq!(parlor.store().head().await.unwrap().0, i64::try_from(logged.len()).unwrap());
    let mut seqs = std::collections::HashMap::new();
    for event in &logged {
        let json: serde_json::Value = serde_json::from_str(&event.data).unwrap();
        let Some(room) = event.room() else { continue };
        let last = seqs.insert(room, json["seq"].as_i64().unwrap()).unwrap_or(0);
        assert_eq!(json["seq"], last + 1, "{json}");
    }
}

#[tokio::test]
async fn each_request_of_a_batch_gets_its_own_answer_and_an_undone_one_leaves_nothing() {
    let parlor = OpenStore::new().await;
    let (ada, eve) = (parlor.adds_user("ada").await, parlor.adds_user("eve").await);
    let room = parlor.store().create_room(OpenStore::room(ada.id, "room")).await.unwrap().value.state.id;
    let post = |body: &str, id: Option<&str>| OpenStore::message(room, ada.id, body, id);
    let first = post("first", Some("a"));
    let mut same_id = post("takes the id of another message", None);
    same_id.id = first.id;
    let batches = parlor.batches.lock().unwrap().len();
    let answers = parlor
        .post_together(vec![
            first,
            OpenStore::message(room, eve.id, "an outsider", None),
            post("first", Some("a")),
            post("something else", Some("a")),
            same_id,
            OpenStore::message(Ids::SYSTEM.room(), ada.id, "no such room", None),
            OpenStore::message(room, Ids::SYSTEM.user(), "no such person", None),
            post("last", Some("b")),
            post("last", Some("b")),
        ])
        .await;
    let taken = parlor.batches.lock().unwrap().len() - batches;
    assert_eq!(taken, 1, "they share a transaction, though one of them made the others be written again");

    let refusal = |index: usize| match &answers[index] {
        Err(Error::Refused(refusal)) => *refusal,
        other => panic!("{index}: {other:?}"),
    };
    let made = |index: usize| answers[index].as_ref().unwrap();
    assert!(made(0).new && made(7).new);
    assert_eq!((made(0).value.seq, made(7).value.seq), (3, 4), "the undone ones took no seq");
    assert_eq!(refusal(1), Refusal::NotAMember);
    assert!(!made(2).new && made(2).value == made(0).value, "a repeat in the same batch");
    assert_eq!(refusal(3), Refusal::ClientIdReused);
    assert!(
        matches!(answers[4], Err(Error::Engine(_))),
        "a broken constraint harms itself: {:?}",
        answers[4]
    );
    assert_eq!(refusal(5), Refusal::RoomNotFound);
    assert_eq!(refusal(6), Refusal::RoomNotFound);
    assert!(!made(8).new && made(8).value == made(7).value);
    let again = parlor.post_together(vec![post("first", Some("a"))]).await;
    assert_eq!(again[0].as_ref().unwrap(), made(2), "a repeat in a later batch");

    let page = parlor.store().history(&RoomRef::Id(room), ada.id, PageStart::Newest, 50).await.unwrap();
    let bodies: Vec<_> = page.messages.iter().map(|message| message.body.as_str()).collect();
    assert_eq!((bodies, page.last_seq), (vec!["first", "last"], 4));
    assert_whole(&parlor).await;
}

#[tokio::test]
async fn a_post_that_panics_is_undone_alone() {
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let room = parlor.store().create_room(OpenStore::room(ada.id, "room")).await.unwrap().value.state.id;
    let batches = parlor.batches.lock().unwrap().len();
    let asked = Arc::new(AtomicUsize::new(0));
    let post = |body: &str, panics: bool| {
        let asked = asked.clone();
        let admission = move |_| {
            assert!(!panics, "the test makes it panic");
            asked.fetch_add(1, Ordering::SeqCst);
            Ok(())
        };
        let message = OpenStore::message(room, ada.id, body, Some(body));
        parlor.store().post_message(message, Some(Box::new(admission)))
    };
    let all = async {
        tokio::join!(
            post("first", false),
            post("broken", true),
            parlor.store().post_message(
                OpenStore::message(room, ada.id, "too many", None),
                Some(Box::new(|_| Err(Duration::from_secs(7))))
            ),
            post("last", false),
            parlor.store().create_room(OpenStore::room(ada.id, "other")),
        )
    };
    let (first, broken, wait, last, other) = Box::pin(parlor.together(all)).await;
    let taken = parlor.batches.lock().unwrap().len() - batches;
    assert_eq!(taken, 1, "each post was written again in a savepoint of its own, and the room after them");
    assert_eq!((first.unwrap().value.seq, last.unwrap().value.seq), (3, 4));
    assert!(matches!(broken, Err(Error::Panicked)), "{broken:?}");
    assert!(matches!(wait, Err(Error::TooMany { retry_after }) if retry_after.as_secs() == 7), "{wait:?}");
    assert!(other.unwrap().new);
    assert_eq!(asked.load(Ordering::SeqCst), 2, "each was asked for once, though they were written twice");
    assert_whole(&parlor).await;
    assert!(post("broken", false).await.unwrap().new, "nothing was left of it");
    assert_whole(&parlor).await;
}

#[tokio::test]
async fn a_room_that_is_refused_half_way_leaves_nothing_behind() {
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let mut nobodys = OpenStore::room(ada.id, "nobodys");
    nobodys.owner = Ids::SYSTEM.user();
    let (one, twice) = (OpenStore::room(ada.id, "one"), OpenStore::room(ada.id, "one"));
    let store = parlor.store();
    let (one, twice, nobodys, two) = tokio::join!(
        store.create_room(one),
        store.create_room(twice),
        store.create_room(nobodys),
        store.create_room(OpenStore::room(ada.id, "two")),
    );
    assert!(matches!(twice, Err(Error::Refused(Refusal::RoomNameTaken))), "{twice:?}");
    assert!(matches!(nobodys, Err(Error::Engine(_))), "a person who is not there: {nobodys:?}");
    assert_eq!((one.unwrap().value.head, two.unwrap().value.head), (Position(2), Position(4)));
    assert_whole(&parlor).await;
}

#[tokio::test]
async fn a_failure_of_the_engine_undoes_the_whole_batch_and_the_next_one_is_well() {
    for trap in ["break the engine", "broken in the log"] {
        let parlor = OpenStore::new().await;
        let ada = parlor.adds_user("ada").await;
        let room = parlor.store().create_room(OpenStore::room(ada.id, "room")).await.unwrap().value.state.id;
        Sql::open(&parlor.folder).run(TRAPS);
        let post = |body: &str, id: Option<&str>| OpenStore::message(room, ada.id, body, id);
        let kept = parlor.post_together(vec![post("kept", Some("kept"))]).await.remove(0).unwrap();
        let announced = parlor.batches.lock().unwrap().len();

        let answers = parlor
            .post_together(vec![
                post("before", Some("before")),
                post("kept", Some("kept")),
                OpenStore::message(Ids::SYSTEM.room(), ada.id, "refused", None),
                post(trap, None),
                post("behind", Some("behind")),
                post("far behind", None),
            ])
            .await;
        for (index, answer) in answers.iter().enumerate() {
            // The transaction decides for all who share it: nobody is told of success, and nobody of a refusal.
            assert!(matches!(answer, Err(Error::Engine(_))), "{trap}, {index}: {answer:?}");
        }
        assert_eq!(parlor.batches.lock().unwrap().len(), announced, "nothing of it is announced");
        assert!(!parlor.store().has_failed(), "nothing is in doubt, so the process goes on");
        let page = parlor.store().history(&RoomRef::Id(room), ada.id, PageStart::Newest, 50).await.unwrap();
        assert_eq!((&page.messages[..], page.last_seq), (&[kept.value.clone()][..], 3), "{trap}");
        assert_whole(&parlor).await;

        let again =
            parlor.post_together(vec![post("before", Some("before")), post("kept", Some("kept"))]).await;
        let [before, repeat] = [0, 1].map(|index: usize| again[index].as_ref().unwrap());
        assert!(before.new && before.value.seq == 4, "{before:?}");
        assert!(!repeat.new && repeat.value == kept.value);
        assert_whole(&parlor).await;
    }
}

#[tokio::test]
async fn when_the_engine_rolls_back_by_itself_nothing_is_written_outside_a_transaction() {
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let room = parlor.store().create_room(OpenStore::room(ada.id, "room")).await.unwrap().value.state.id;
    Sql::open(&parlor.folder).run(TRAPS);
    let bodies = ["before", "roll everything back", "behind"];
    let posts = bodies.iter().map(|body| OpenStore::message(room, ada.id, body, None));
    let answers = parlor.post_together(posts.collect()).await;
    // The engine calls it a broken constraint, and has undone what the others wrote, too.
    for answer in answers {
        assert!(matches!(answer, Err(Error::Engine(_))), "{answer:?}");
    }
    let bodies = ["before", "behind"].map(|body| OpenStore::message(room, ada.id, body, None));
    let answers = parlor.post_together(bodies.into()).await;
    let seqs: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap().value.seq).collect();
    assert_eq!(seqs, [3, 4]);
    let page = parlor.store().history(&RoomRef::Id(room), ada.id, PageStart::Newest, 50).await.unwrap();
    let bodies: Vec<_> = page.messages.iter().map(|message| message.body.as_str()).collect();
    assert_eq!((bodies, page.last_seq), (vec!["before", "behind"], 4));
    assert_whole(&parlor).await;
}

#[tokio::test]
async fn many_writers_share_batches_and_the_log_has_no_hole() {
    let parlor = OpenStore::new().await;
    let ada = parlor.adds_user("ada").await;
    let eve = Username::parse("eve").unwrap();
    let rooms = ["one", "two", "three"].map(|name| OpenStore::room(ada.id, name));
    let ids = rooms.each_ref().map(|room| room.id);
    for room in rooms {
        parlor.store().create_room(room).await.unwrap();
    }
    let batches = parlor.batches.lock().unwrap().len();
    // Every third post is refused, every fourth is a repeat of the one before it.
    let posts = (0..900).map(|number| {
        let author = if number % 3 == 2 { Ids::SYSTEM.user() } else { ada.id };
        let id = format!("id-{}", number - i32::from(number % 4 == 3));
        let body = format!("body of {id}");
        OpenStore::message(ids[usize::try_from(number / 4 % 3).unwrap()], author, &body, Some(&id))
    });
    let answers = parlor.post_together(posts.collect()).await;
    let taken = parlor.batches.lock().unwrap().len() - batches;
    assert!(taken < 20, "{taken} transactions for 900 posts");
    let made: BTreeSet<_> =
        answers.iter().flatten().filter(|made| made.new).map(|made| made.value.id).collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_err()).count(), 300);
    assert_eq!(made.len() + answers.iter().flatten().filter(|made| !made.new).count(), 600);
    assert!(parlor.store().user_by_name(&eve).await.is_err(), "reading goes on as it was");
    assert_whole(&parlor).await;
}
