//! Members: joining, being added by an owner, leaving, and being listed.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Server, place, wait_for, without_cursor};

#[tokio::test]
async fn joining_twice_is_joining_once() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    let joined = bob.joins(&room).await;
    assert_eq!((&joined["role"], &joined["user"]["username"]), (&json!("member"), &json!("bob")));
    assert_eq!(bob.post_nothing("/v1/rooms/lobby/join").await.ok(200), joined);
    let seen = bob.sees(&room).await;
    assert_eq!((&seen["member_count"], &seen["last_seq"]), (&json!(2), &json!(3)), "one event, not two");
}

#[tokio::test]
async fn leaving_a_public_room_one_is_not_in_does_nothing() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    let message = bob.posts(&room, "good bye").await;
    bob.leaves(&room).await;
    let path = format!("/v1/rooms/{}", room.id);
    bob.get(&format!("{path}/messages")).await.problem(403, "not_a_member");
    let before = without_cursor(ada.sees(&room).await);
    assert_eq!(before["member_count"], json!(1));
    bob.leaves(&room).await;
    assert_eq!(without_cursor(ada.sees(&room).await), before);

    // A person who joins again sees the whole history.
    bob.joins(&room).await;
    assert_eq!(bob.reads(&room).await["items"], json!([message]));
}

#[tokio::test]
async fn leaving_a_private_room_is_final() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let den = ada.creates_private_room("den").await;
    ada.adds(&den, "bob").await;
    bob.leaves(&den).await;
    let path = format!("/v1/rooms/{}", den.id);
    bob.post_nothing(&format!("{path}/leave")).await.problem(404, "room_not_found");
    bob.post_nothing(&format!("{path}/join")).await.problem(404, "room_not_found");
    ada.adds(&den, "bob").await;
    bob.sees(&den).await;
}

#[tokio::test]
async fn the_last_owner_can_neither_leave_nor_step_down() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    let leave = format!("/v1/rooms/{}/leave", room.id);
    let role_of = |name: &str| format!("/v1/rooms/{}/members/{name}", room.id);
    ada.post_nothing(&leave).await.problem(409, "last_owner");
    ada.put(&role_of("ada"), json!({ "role": "member" })).await.problem(409, "last_owner");
    assert_eq!(ada.put(&role_of("ada"), json!({ "role": "owner" })).await.ok(200)["role"], "owner");

    assert_eq!(ada.put(&role_of("bob"), json!({ "role": "owner" })).await.ok(200)["role"], "owner");
    assert_eq!(ada.put(&role_of("ada"), json!({ "role": "member" })).await.ok(200)["role"], "member");
    bob.post_nothing(&leave).await.problem(409, "last_owner");
    bob.put(&role_of("ada"), json!({ "role": "owner" })).await.ok(200);
    bob.leaves(&room).await;
    ada.post_nothing(&leave).await.problem(409, "last_owner");
}

#[tokio::test]
async fn of_two_owners_who_leave_at_once_one_stays() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    for round in 0..10 {
        let room = ada.creates_room(&format!("lobby-{round}")).await;
        let path = format!("/v1/rooms/{}", room.id);
        ada.put(&format!("{path}/members/bob"), json!({ "role": "owner" })).await.ok(201);
        let leave = format!("{path}/leave");
        let (one, other) = tokio::join!(ada.post_nothing(&leave), bob.post_nothing(&leave));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409]);
        assert_eq!(ada.sees(&room).await["member_count"], json!(1));
    }
}

#[tokio::test]
async fn an_owner_adds_people_to_public_and_private_rooms() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    server.register("eve").await;
    let (lobby, den) = (ada.creates_room("lobby").await, ada.creates_private_room("den").await);
    for room in [&lobby, &den] {
        let path = |name: &str| format!("/v1/rooms/{}/members/{name}", room.id);
        let added = ada.adds(room, "bob").await;
        assert_eq!(added["role"], "member");
        assert_eq!(ada.put(&path("bob"), json!({})).await.ok(200), added, "there already");
        assert_eq!(ada.put(&path("BOB"), json!({})).await.ok(200), added);
        bob.sees(room).await;
        let owner = ada.put(&path("eve"), json!({ "role": "owner" })).await.ok(201);
        assert_eq!(owner["role"], "owner");
        assert_eq!(ada.put(&path("eve"), json!({})).await.ok(200)["role"], "owner", "absent keeps the role");
        assert_eq!(ada.put(&path("eve"), json!({ "role": "member" })).await.ok(200)["role"], "member");

        ada.put(&path("nobody"), json!({})).await.problem(404, "user_not_found");
        ada.put(&path("no%20body"), json!({})).await.problem(404, "user_not_found");
        for body in [json!({ "role": "king" }), json!({ "role": 1 }), json!({ "admin": true })] {
            ada.put(&path("bob"), body).await.problem(400, "invalid_body");
        }
    }
}

#[tokio::test]
async fn a_member_adds_nobody() {
    let server = Server::start().await;
    let (ada, bob, eve) =
        (server.register("ada").await, server.register("bob").await, server.register("eve").await);
    let (lobby, den) = (ada.creates_room("lobby").await, ada.creates_private_room("den").await);
    for room in [&lobby, &den] {
        ada.adds(room, "bob").await;
        let eves = format!("/v1/rooms/{}/members/eve", room.id);
        bob.put(&eves, json!({})).await.problem(403, "not_an_owner");
        let bobs = format!("/v1/rooms/{}/members/bob", room.id);
        bob.put(&bobs, json!({ "role": "owner" })).await.problem(403, "not_an_owner");
    }
    eve.put(&format!("/v1/rooms/{}/members/eve", lobby.id), json!({})).await.problem(403, "not_a_member");
    eve.put(&format!("/v1/rooms/{}/members/eve", den.id), json!({})).await.problem(404, "room_not_found");
    assert_eq!(ada.lists_members(&den).await["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn members_are_listed_by_username_page_by_page() {
    let server = Server::start().await;
    let ada = server.register("mia").await;
    let room = ada.creates_room("lobby").await;
    for name in ["zoe", "ann", "kim_1", "kim-2"] {
        server.register(name).await.joins(&room).await;
    }
    let sorted = ["ann", "kim-2", "kim_1", "mia", "zoe"];
    let whole = ada.lists_members(&room).await;
    assert_eq!(usernames(&whole), sorted);
    assert!(whole.get("next_page").is_none());
    let now = ada.sees(&room).await;
    assert_eq!(whole["last_seq"], now["last_seq"]);
    assert_eq!(place(&server, &whole).await, place(&server, &now).await);

    let path = format!("/v1/rooms/{}/members", room.id);
    let first = ada.get(&format!("{path}?limit=2")).await.ok(200);
    // People who leave or join between two pages do not move the others.
    server.sign_in("ann").await.leaves(&room).await;
    server.register("bea").await.joins(&room).await;
    let mut found = usernames(&first);
    let mut page = first["next_page"].as_str().unwrap().to_owned();
    loop {
        let next = ada.get(&format!("{path}?limit=2&page={page}")).await.ok(200);
        found.extend(usernames(&next));
        assert!(found.len() <= sorted.len(), "{found:?}");
        let Some(more) = next["next_page"].as_str() else { break };
        more.clone_into(&mut page);
    }
    assert_eq!(found, sorted);
    for bad in ["x", "%00", "YQ"] {
        ada.get(&format!("{path}?page={bad}")).await.problem(400, "bad_page");
    }
    for bad in ["limit=0", "limit=201", "before=x"] {
        ada.get(&format!("{path}?{bad}")).await.problem(400, "invalid_parameter");
    }
}

fn usernames(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|member| member["user"]["username"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_cursor_of_a_member_list_continues_it() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    let list = ada.lists_members(&room).await;
    bob.joins(&room).await;
    let mut stream = ada.streams_from(&room, list["cursor"].as_str().unwrap()).await;
    stream.hello().await;
    let joined = stream.next().await;
    assert_eq!((joined.kind(), &joined.data["member"]["user"]["username"]), ("member.joined", &json!("bob")));
    assert_eq!(joined.data["seq"].as_i64(), list["last_seq"].as_i64().map(|seq| seq + 1));
    assert_eq!(joined.data["room_state"]["member_count"], json!(2));
    wait_for("both are listed", || async { usernames(&ada.lists_members(&room).await) == ["ada", "bob"] })
        .await;
}

#[tokio::test]
async fn nobody_is_in_more_than_a_thousand_rooms() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let more = bob.creates_room("one-more").await;
    for hundred in 0..10 {
        let names = (0..100).map(|n| format!("room-{hundred}-{n}"));
        join_all(names.map(|name| {
            let ada = &ada;
            async move { ada.creates_room(&name).await }
        }))
        .await;
    }
    ada.post_nothing("/v1/rooms/one-more/join").await.problem(409, "too_many_rooms");
    ada.post("/v1/rooms", json!({ "name": "one-too-many" })).await.problem(409, "too_many_rooms");
    let path = format!("/v1/rooms/{}/members/ada", more.id);
    bob.put(&path, json!({})).await.problem(409, "too_many_rooms");
    // A person who has left may join again.
    bob.joins("room-0-0").await;
    ada.put("/v1/rooms/room-0-0/members/bob", json!({ "role": "owner" })).await.ok(200);
    ada.leaves("room-0-0").await;
    ada.joins(&more).await;
}
