//! Messages: a repeated post is written once, bodies are kept as they were sent, and the history is read page by page.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Person, Room, Server, place};

/// What people write: scripts of both directions, emoji of several code points, code, line ends.
const TALK: &[&str] = &[
    "你好，世界",
    "مرحبا بالعالم",
    "नमस्ते दुनिया",
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽",
    "fn main() {\n\tprintln!(\"<b>hi</b>\");\n}",
    "data: x\n\nid: 7\n\n",
    " \u{202e}backwards\u{202c} ",
    "'; DROP TABLE messages; --",
];

fn messages_of(room: &Room) -> String {
    format!("/v1/rooms/{}/messages", room.id)
}

fn bodies(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|message| message["body"].as_str().unwrap()).collect()
}

/// A room with this many messages: "1", "2", ...
async fn room_of(person: &Person, count: usize) -> Room {
    let room = person.creates_room("lobby").await;
    for n in 1..=count {
        person.posts(&room, &n.to_string()).await;
    }
    room
}

fn numbers(page: &Value) -> Vec<usize> {
    bodies(page).into_iter().map(|body| body.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_message_is_kept_as_it_was_said() {
    let mut server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    let mut said = Vec::new();
    for body in TALK {
        let message = bob.posts(&room, body).await;
        assert_eq!(message["body"], json!(body));
        assert_eq!((&message["author"]["username"], &message["room"]), (&json!("bob"), &json!(room.id)));
        for absent in ["client_id", "edited_at", "deleted_at"] {
            assert!(message.get(absent).is_none(), "{absent}");
        }
        said.push(message);
    }
    let seqs = said.iter().map(|message| message["seq"].as_i64().unwrap());
    assert!(seqs.eq((4..).take(TALK.len())));
    assert_eq!(ada.reads(&room).await["items"], json!(said));
    server.restart().await;
    assert_eq!(ada.reads(&room).await["items"], json!(said));
    for message in said {
        let path = format!("{}/{}", messages_of(&room), message["id"].as_str().unwrap());
        assert_eq!(ada.get(&path).await.ok(200), message);
    }
}

#[tokio::test]
async fn line_ends_become_one_kind_and_controls_are_refused() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    assert_eq!(ada.posts(&room, "a\r\nb\rc\n\td").await["body"], "a\nb\nc\n\td");
    for forbidden in
        ["\0", "a\u{0}b", "\u{1b}[31m", "\u{7f}", "\u{85}", "\u{9f}", "\u{fdd0}", "\u{ffff}", "\u{8}"]
    {
        let problem = ada.post(&messages_of(&room), json!({ "body": forbidden })).await;
        let problem = problem.problem(422, "text_not_allowed");
        assert_eq!(problem["errors"][0]["pointer"], "/body");
    }
    for wrong in [json!({ "body": "" }), json!({}), json!({ "body": null }), json!({ "body": 1 })] {
        ada.post(&messages_of(&room), wrong).await.problem(400, "invalid_body");
    }
    assert_eq!(ada.reads(&room).await["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_message_shows_something_on_at_most_200_lines() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    for shown in [".", "\u{3000}字", "👍", "\u{200b}\u{915}", "\u{e000}"] {
        ada.posts(&room, shown).await;
    }
    let longest = "\r\n".repeat(199) + "the end";
    assert_eq!(ada.posts(&room, &longest).await["body"], json!(longest.replace("\r\n", "\n")));
    let invisible = [
        " ",
        "\t\n\n",
        "\u{a0}\u{3000}",
        "\u{200b}\u{200d}\u{2060}\u{feff}",
        "\u{ad}\u{61c}\u{180e}",
        "\u{2028}",
        "\u{2800}",
        "\u{115f}\u{1160}\u{3164}\u{ffa0}",
        "\u{fe0f}",
        "\u{e0041}\u{e007f}",
        "\u{34f}\u{301}",
    ];
    let too_long =
        ["\n".repeat(3_000), "\n".repeat(200) + "x", "x\u{2028}".repeat(200), "\r".repeat(200) + "x"];
    for refused in invisible.iter().map(|text| (*text).to_owned()).chain(too_long) {
        let problem = ada.post(&messages_of(&room), json!({ "body": refused })).await;
        let problem = problem.problem(422, "text_not_allowed");
        assert_eq!(problem["errors"][0]["pointer"], "/body", "{refused:?}");
    }
    assert_eq!(ada.reads(&room).await["items"].as_array().map(Vec::len), Some(6));
}

#[tokio::test]
async fn length_is_counted_in_code_points() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    for longest in ["a".repeat(4_000), "字".repeat(4_000), "𝄞".repeat(4_000)] {
        let message = ada.posts(&room, &longest).await;
        assert_eq!(message["body"], json!(longest));
    }
    for too_long in ["a".repeat(4_001), "𝄞".repeat(4_001)] {
        ada.post(&messages_of(&room), json!({ "body": too_long })).await.problem(400, "invalid_body");
    }
}

#[tokio::test]
async fn a_repeated_post_is_the_same_message_also_after_a_crash() {
    let mut server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    let message = ada.posts_with_id(&room, "a\r\nb", "send-1").await;
    assert_eq!(message["client_id"], "send-1");
    let again = json!({ "body": "a\nb", "client_id": "send-1" });
    assert_eq!(
        ada.post(&messages_of(&room), again.clone()).await.ok(200),
        message,
        "the same once normalised"
    );
    server.restart().await;
    assert_eq!(ada.post(&messages_of(&room), again).await.ok(200), message);

    let other = json!({ "body": "c", "client_id": "send-1" });
    ada.post(&messages_of(&room), other).await.problem(409, "client_id_reused");
    assert_eq!(bodies(&ada.reads(&room).await), ["a\nb"]);
    for malformed in ["", "a b", "ä", "a".repeat(65).as_str()] {
        let body = json!({ "body": "x", "client_id": malformed });
        ada.post(&messages_of(&room), body).await.problem(400, "invalid_body");
    }
    ada.posts_with_id(&room, "x", &"aZ0_-".repeat(12)).await;
}

#[tokio::test]
async fn fifty_posts_of_one_message_at_once_make_one() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    let tries: Vec<_> = (0..50)
        .map(|_| {
            let (ada, path) = (ada.clone(), messages_of(&room));
            let body = json!({ "body": "once", "client_id": "send-1" });
            tokio::spawn(async move { ada.post(&path, body).await })
        })
        .collect();
    let (mut made, mut ids) = (0, BTreeSet::new());
    for answer in tries {
        let answer = answer.await.unwrap();
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text);
        made += usize::from(answer.status == 201);
        ids.insert(answer.json["id"].to_string());
    }
    assert_eq!((made, ids.len()), (1, 1));
    assert_eq!(bodies(&ada.reads(&room).await), ["once"]);
}

#[tokio::test]
async fn a_client_id_is_of_one_author_in_one_room() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let (lobby, hall) = (ada.creates_room("lobby").await, ada.creates_room("hall").await);
    bob.joins(&lobby).await;
    let first = ada.posts_with_id(&lobby, "one", "send-1").await;
    for another in
        [bob.posts_with_id(&lobby, "two", "send-1").await, ada.posts_with_id(&hall, "three", "send-1").await]
    {
        assert_ne!(another["id"], first["id"]);
    }
    assert_eq!(bodies(&ada.reads(&lobby).await), ["one", "two"]);
}

#[tokio::test]
async fn a_repeat_is_only_for_who_may_still_post() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    bob.posts_with_id(&room, "hello", "send-1").await;
    let again = json!({ "body": "hello", "client_id": "send-1" });
    bob.post(&messages_of(&room), again.clone()).await.ok(200);
    bob.leaves(&room).await;
    bob.post(&messages_of(&room), again).await.problem(403, "not_a_member");
}

#[tokio::test]
async fn a_page_is_asked_for_from_the_newest_or_around_a_place() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = room_of(&ada, 60).await;
    let newest = ada.reads(&room).await;
    assert_eq!(numbers(&newest), (11..=60).collect::<Vec<_>>());
    assert!(newest.get("next_cursor").is_none());
    let now = ada.sees(&room).await;
    assert_eq!(newest["last_seq"], now["last_seq"]);
    assert_eq!(place(&server, &newest).await, place(&server, &now).await);

    let older = format!("before={}", newest["prev_cursor"].as_str().unwrap());
    let older = ada.reads_page(&room, &older).await;
    assert_eq!(numbers(&older), (1..=10).collect::<Vec<_>>());
    assert!(older.get("prev_cursor").is_none());
    let newer = format!("after={}&limit=3", older["next_cursor"].as_str().unwrap());
    assert_eq!(numbers(&ada.reads_page(&room, &newer).await), [11, 12, 13]);

    let id = |n: usize| newest["items"][n - 11]["id"].as_str().unwrap().to_owned();
    for (n, limit, expected) in
        [(30, 5, 28..=32), (30, 4, 29..=32), (30, 1, 30..=30), (59, 5, 57..=60), (30, 200, 1..=60)]
    {
        let page = ada.reads_page(&room, &format!("around={}&limit={limit}", id(n))).await;
        assert_eq!(numbers(&page), expected.clone().collect::<Vec<_>>(), "around {n}, {limit}");
        assert_eq!(page.get("prev_cursor").is_some(), *expected.start() > 1);
        assert_eq!(page.get("next_cursor").is_some(), *expected.end() < 60);
    }
}

#[tokio::test]
async fn walking_all_pages_either_way_meets_each_message_once() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let (room, hall) = (room_of(&ada, 20).await, ada.creates_room("hall").await);
    ada.posts(&hall, "not of the lobby").await;
    for n in 21..=25 {
        ada.posts(&room, &n.to_string()).await;
    }
    let all: Vec<usize> = (1..=25).collect();
    for limit in [1, 4, 5, 24, 25, 26] {
        let mut found = Vec::new();
        let mut page = ada.reads_page(&room, &format!("limit={limit}")).await;
        loop {
            found.splice(0..0, numbers(&page));
            assert!(found.len() <= all.len(), "{found:?}");
            let Some(cursor) = page["prev_cursor"].as_str() else { break };
            page = ada.reads_page(&room, &format!("limit={limit}&before={cursor}")).await;
        }
        assert_eq!(found, all, "to the oldest, {limit} at a time");

        let mut found = numbers(&page);
        while let Some(cursor) = page["next_cursor"].as_str() {
            page = ada.reads_page(&room, &format!("limit={limit}&after={cursor}")).await;
            found.extend(numbers(&page));
            assert!(found.len() <= all.len(), "{found:?}");
        }
        assert_eq!(found, all, "to the newest, {limit} at a time");
    }
}

#[tokio::test]
async fn the_cursor_of_a_page_continues_it_here_and_in_a_stream() {
    let mut server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = room_of(&ada, 3).await;
    let page = ada.reads(&room).await;
    let cursor = page["cursor"].as_str().unwrap();
    assert_eq!(numbers(&ada.reads_page(&room, &format!("after={cursor}")).await), Vec::<usize>::new());
    server.restart().await;
    bob.joins(&room).await;
    ada.posts(&room, "4").await;
    assert_eq!(
        numbers(&ada.reads_page(&room, &format!("after={cursor}")).await),
        [4],
        "a restart spoils no cursor"
    );
    assert_eq!(numbers(&ada.reads_page(&room, &format!("before={cursor}")).await), [1, 2]);

    let mut stream = ada.streams_from(&room, cursor).await;
    stream.hello().await;
    let frames = stream.until(|frame| frame.kind() == "message.posted").await;
    let kinds: Vec<&str> = frames.iter().map(crate::support::Frame::kind).collect();
    assert_eq!(kinds, ["member.joined", "message.posted"]);
    assert_eq!(frames[0].data["seq"].as_i64(), page["last_seq"].as_i64().map(|seq| seq + 1));
    let after = format!("before={}", frames[1].cursor());
    assert_eq!(numbers(&ada.reads_page(&room, &after).await), [1, 2, 3], "cursors of events page as well");
}

#[tokio::test]
async fn a_room_without_messages_has_one_empty_page() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    let page = ada.reads(&room).await;
    assert_eq!(page["items"], json!([]));
    assert!(page.get("prev_cursor").is_none() && page.get("next_cursor").is_none());
    assert_eq!(page["last_seq"], json!(2));
}

#[tokio::test]
async fn pages_that_make_no_sense_are_refused() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = room_of(&ada, 3).await;
    let page = ada.reads_page(&room, "limit=1").await;
    let good = page["prev_cursor"].as_str().unwrap();
    ada.reads_page(&room, &format!("before={good}&limit=200")).await;
    let path = messages_of(&room);

    let id = page["items"][0]["id"].as_str().unwrap();
    for two in [
        format!("before={good}&after={good}"),
        format!("before={good}&around={id}"),
        format!("after={good}&around={id}"),
    ] {
        ada.get(&format!("{path}?{two}")).await.problem(400, "invalid_parameter");
    }
    for bad in ["limit=0", "limit=201", "limit=x", "around=x", "around=", "page=x", "limit=1&limit=2"] {
        ada.get(&format!("{path}?{bad}")).await.problem(400, "invalid_parameter");
    }
    let foreign = Server::start().await;
    let eve = foreign.register("eve").await;
    let foreign = eve.reads(&eve.creates_room("lobby").await).await;
    let forged: String = good.chars().rev().collect();
    for bad in ["", "x", "%00", forged.as_str(), foreign["cursor"].as_str().unwrap(), &good[1..], id] {
        for parameter in ["before", "after"] {
            ada.get(&format!("{path}?{parameter}={bad}")).await.problem(400, "bad_cursor");
        }
    }
    let nowhere = "0190a7c4-7b1e-7cc0-8000-000000000000";
    ada.get(&format!("{path}?around={nowhere}")).await.problem(404, "message_not_found");
}

#[tokio::test]
async fn a_message_is_found_in_its_room_alone() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let (lobby, den) = (ada.creates_room("lobby").await, ada.creates_private_room("den").await);
    bob.joins(&lobby).await;
    let secret = ada.posts(&den, "secret").await;
    let id = secret["id"].as_str().unwrap();
    assert_eq!(ada.get(&format!("{}/{id}", messages_of(&den))).await.ok(200), secret);
    for person in [&ada, &bob] {
        person.get(&format!("{}/{id}", messages_of(&lobby))).await.problem(404, "message_not_found");
        person.get(&format!("{}?around={id}", messages_of(&lobby))).await.problem(404, "message_not_found");
    }
    for nonsense in ["x", &id.replace('-', ""), &den.id, "0190a7c4-7b1e-7cc0-8000-000000000000"] {
        ada.get(&format!("{}/{nonsense}", messages_of(&den))).await.problem(404, "message_not_found");
    }
}
