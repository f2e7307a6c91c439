//! Rooms: making, naming, changing and deleting them.

use serde_json::{Value, json};

use crate::support::{Server, without_cursor};

const SOME_UUID: &str = "0190a7c4-7b1e-7cc0-8000-000000000000";

#[tokio::test]
async fn a_new_room_has_its_maker_as_owner() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("lobby").await;
    assert_eq!(
        (&room.json["visibility"], &room.json["role"], &room.json["member_count"], &room.json["last_seq"]),
        (&json!("public"), &json!("owner"), &json!(1), &json!(2))
    );
    assert!(room.json.get("title").is_none() && room.json.get("topic").is_none(), "absent, never null");
    let seen = without_cursor(ada.sees(&room).await);
    assert_eq!(without_cursor(ada.sees("lobby").await), seen);
    assert_eq!(without_cursor(room.json), seen);

    let whole = json!({ "name": "den", "title": "The Den 🦊", "topic": "देवनागरी", "visibility": "private" });
    let den = ada.post("/v1/rooms", whole.clone()).await.ok(201);
    for field in ["name", "title", "topic", "visibility"] {
        assert_eq!(den[field], whole[field]);
    }
}

#[tokio::test]
async fn others_see_a_public_room_without_a_role() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    let seen = bob.sees("lobby").await;
    assert_eq!(seen["id"], json!(room.id));
    assert!(seen.get("role").is_none());
    bob.joins(&room).await;
    let seen = bob.sees(&room).await;
    assert_eq!((&seen["role"], &seen["member_count"]), (&json!("member"), &json!(2)));
}

#[tokio::test]
async fn a_title_and_a_topic_show_something() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    for unseen in ["\u{2800}", "\u{115f}\u{1160}", " \u{3000}", "\u{e0041}", "\u{fe0f}"] {
        for part in ["title", "topic"] {
            let body = json!({ "name": "attic", part: unseen });
            ada.post("/v1/rooms", body).await.problem(422, "text_not_allowed");
        }
    }
    ada.creates_room("attic").await;
}

#[tokio::test]
async fn making_a_room_twice_under_one_client_id_makes_one() {
    let mut server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let body = json!({ "name": "lobby", "title": "Lobby", "client_id": "make-1" });
    let room = ada.post("/v1/rooms", body.clone()).await.ok(201);
    let again = ada.post("/v1/rooms", body.clone()).await.ok(200);
    assert_eq!(without_cursor(again), without_cursor(room.clone()));
    server.restart().await;
    assert_eq!(ada.post("/v1/rooms", body.clone()).await.ok(200)["id"], room["id"]);

    let other_title = json!({ "name": "lobby", "title": "Hall", "client_id": "make-1" });
    ada.post("/v1/rooms", other_title).await.problem(409, "client_id_reused");
    let other_name = json!({ "name": "hall", "title": "Lobby", "client_id": "make-1" });
    ada.post("/v1/rooms", other_name).await.problem(409, "client_id_reused");
    let bobs = json!({ "name": "hall", "client_id": "make-1" });
    assert_ne!(bob.post("/v1/rooms", bobs).await.ok(201)["id"], room["id"], "ids are each client's own");

    let path = format!("/v1/rooms/{}", room["id"].as_str().unwrap());
    let renamed = ada.patch(&path, json!({ "name": "foyer" })).await.ok(200);
    let again = ada.post("/v1/rooms", body.clone()).await.ok(200);
    assert_eq!(without_cursor(again), without_cursor(renamed), "as it is now");
    ada.delete(&path).await.ok(204);
    ada.post("/v1/rooms", body).await.problem(404, "room_not_found");
}

#[tokio::test]
async fn fifty_requests_for_one_room_make_one() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let tries: Vec<_> = (0..50)
        .map(|_| {
            let ada = ada.clone();
            let body = json!({ "name": "lobby", "client_id": "make-1" });
            tokio::spawn(async move { ada.post("/v1/rooms", body).await })
        })
        .collect();
    let mut made = 0;
    for answer in tries {
        let answer = answer.await.unwrap();
        made += usize::from(answer.status == 201);
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text);
    }
    assert_eq!(made, 1);
    assert_eq!(ada.lists_rooms().await["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_name_of_a_public_room_is_its_own() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    ada.creates_room("lobby").await;
    bob.post("/v1/rooms", json!({ "name": "lobby" })).await.problem(409, "room_name_taken");

    let hall = bob.creates_room("hall").await;
    let hall_path = format!("/v1/rooms/{}", hall.id);
    bob.patch(&hall_path, json!({ "name": "lobby" })).await.problem(409, "room_name_taken");
    bob.patch(&hall_path, json!({ "name": "hall" })).await.ok(200);

    let den = bob.creates_private_room("lobby").await;
    let den_path = format!("/v1/rooms/{}", den.id);
    bob.patch(&den_path, json!({ "visibility": "public" })).await.problem(409, "room_name_taken");
    let renamed = json!({ "visibility": "public", "name": "den" });
    assert_eq!(bob.patch(&den_path, renamed).await.ok(200)["visibility"], "public");
    assert_eq!(ada.sees("den").await["id"], json!(den.id));
}

#[tokio::test]
async fn a_private_room_is_not_found_by_its_name() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let first = ada.creates_private_room("den").await;
    let second = ada.creates_private_room("den").await;
    assert_ne!(first.id, second.id, "names of private rooms need not be unique");
    ada.get("/v1/rooms/den").await.problem(404, "room_not_found");
    assert_eq!(ada.sees(&first).await["id"], json!(first.id));

    // Making a room does not show that there is a private one with the name, and a public room leaves the private one its name.
    let public = bob.creates_room("den").await;
    assert_eq!(ada.sees("den").await["id"], json!(public.id));

    let path = format!("/v1/rooms/{}", public.id);
    bob.patch(&path, json!({ "visibility": "private" })).await.ok(200);
    ada.get("/v1/rooms/den").await.problem(404, "room_not_found");
    ada.get(&path).await.problem(404, "room_not_found");
    assert_eq!(bob.sees(&public).await["visibility"], "private");
    ada.creates_room("den").await;
}

#[tokio::test]
async fn a_room_cannot_be_called_like_an_id() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let room = ada.creates_room("0190a7c4-7b1e-7cc0").await;
    let problem = ada.post("/v1/rooms", json!({ "name": SOME_UUID })).await.problem(422, "text_not_allowed");
    assert_eq!(problem["errors"][0]["pointer"], "/name");
    let path = format!("/v1/rooms/{}", room.id);
    ada.patch(&path, json!({ "name": SOME_UUID })).await.problem(422, "text_not_allowed");
    for malformed in ["Lobby", "", "a b", "a_b", "a/b", "łobby", "a".repeat(65).as_str()] {
        ada.post("/v1/rooms", json!({ "name": malformed })).await.problem(400, "invalid_body");
    }
    ada.creates_room(&"a".repeat(64)).await;
    for spelling in [SOME_UUID.to_uppercase(), SOME_UUID.replace('-', "").to_uppercase()] {
        ada.post("/v1/rooms", json!({ "name": spelling })).await.problem(400, "invalid_body");
    }
    ada.get(&format!("/v1/rooms/{}", room.id.replace('-', ""))).await.problem(404, "room_not_found");
}

#[tokio::test]
async fn a_change_touches_what_it_names() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let made = json!({ "name": "lobby", "title": "Lobby", "topic": "Hello" });
    let room = ada.post("/v1/rooms", made).await.ok(201);
    let path = format!("/v1/rooms/{}", room["id"].as_str().unwrap());

    let unchanged = ada.patch(&path, json!({})).await.ok(200);
    assert_eq!(without_cursor(unchanged), without_cursor(room), "nothing happened");
    let retitled = ada.patch(&path, json!({ "title": "Hall" })).await.ok(200);
    assert_eq!((&retitled["title"], &retitled["topic"]), (&json!("Hall"), &json!("Hello")));
    assert_eq!(retitled["last_seq"], json!(3));
    let cleared = ada.patch(&path, json!({ "title": "" })).await.ok(200);
    assert!(cleared.get("title").is_none());
    assert_eq!(cleared["topic"], "Hello");
    assert!(ada.patch(&path, json!({ "topic": "" })).await.ok(200).get("topic").is_none());

    let refused = [
        json!({ "name": "" }),
        json!({ "visibility": "secret" }),
        json!({ "role": "owner" }),
        json!({ "title": "x".repeat(65) }),
        json!({ "topic": "x".repeat(501) }),
    ];
    for body in refused {
        ada.patch(&path, body).await.problem(400, "invalid_body");
    }
    ada.patch(&path, json!({ "title": "a\u{202e}b" })).await.problem(422, "text_not_allowed");
    assert_eq!(ada.sees("lobby").await["last_seq"], json!(5), "refusals change nothing");
}

#[tokio::test]
async fn only_owners_change_and_delete_a_room() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    let path = format!("/v1/rooms/{}", room.id);
    bob.patch(&path, json!({ "title": "Mine" })).await.problem(403, "not_a_member");
    bob.joins(&room).await;
    bob.patch(&path, json!({ "title": "Mine" })).await.problem(403, "not_an_owner");
    bob.delete(&path).await.problem(403, "not_an_owner");
    ada.put(&format!("{path}/members/bob"), json!({ "role": "owner" })).await.ok(200);
    bob.patch(&path, json!({ "title": "Mine" })).await.ok(200);
    bob.delete(&path).await.ok(204);
}

#[tokio::test]
async fn a_deleted_room_is_gone_for_everybody_and_its_name_is_free() {
    let mut server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let room = ada.creates_room("lobby").await;
    bob.joins(&room).await;
    let message = bob.posts(&room, "hello").await;
    let path = format!("/v1/rooms/{}", room.id);
    let message = format!("{path}/messages/{}", message["id"].as_str().unwrap());
    ada.get(&message).await.ok(200);
    ada.delete("/v1/rooms/lobby").await.ok(204);

    for again in 0..2 {
        for person in [&ada, &bob] {
            for gone in [path.clone(), "/v1/rooms/lobby".into(), format!("{path}/messages"), message.clone()]
            {
                person.get(&gone).await.problem(404, "room_not_found");
            }
            person
                .post(&format!("{path}/messages"), json!({ "body": "x" }))
                .await
                .problem(404, "room_not_found");
            person.post_nothing(&format!("{path}/join")).await.problem(404, "room_not_found");
            assert_eq!(person.lists_rooms().await["items"], json!([]));
            assert_eq!(person.get("/v1/rooms").await.ok(200)["items"], json!([]));
        }
        ada.delete(&path).await.problem(404, "room_not_found");
        if again == 0 {
            server.restart().await;
        }
    }
    assert_ne!(bob.creates_room("lobby").await.id, room.id);
}

#[tokio::test]
async fn my_rooms_are_those_i_am_in() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    let (lobby, den) = (ada.creates_room("lobby").await, ada.creates_private_room("den").await);
    let hall = bob.creates_room("hall").await;
    assert_eq!(names(&ada.lists_rooms().await), ["den", "lobby"]);
    assert_eq!(names(&bob.lists_rooms().await), ["hall"]);

    ada.joins(&hall).await;
    let mine = ada.lists_rooms().await;
    assert_eq!(names(&mine), ["den", "hall", "lobby"]);
    let roles: Vec<&Value> = mine["items"].as_array().unwrap().iter().map(|room| &room["role"]).collect();
    assert_eq!(roles, ["owner", "member", "owner"]);
    for room in mine["items"].as_array().unwrap() {
        assert_eq!(room["cursor"], mine["cursor"], "one snapshot");
    }
    ada.leaves(&hall).await;
    ada.delete(&format!("/v1/rooms/{}", lobby.id)).await.ok(204);
    assert_eq!(names(&ada.lists_rooms().await), ["den"]);
    assert_eq!(ada.sees(&den).await["member_count"], json!(1));
}

fn names(list: &Value) -> Vec<String> {
    list["items"].as_array().unwrap().iter().map(|room| room["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_quiet_room_does_not_show_whether_anybody_posts_elsewhere() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    ada.creates_room("quiet").await;
    bob.creates_room("busy").await;
    for path in
        ["/v1/rooms/quiet", "/v1/rooms/quiet/messages", "/v1/rooms/quiet/members", "/v1/users/me/rooms"]
    {
        let before = ada.get(path).await.ok(200);
        let again = ada.get(path).await.ok(200);
        bob.posts("busy", "something").await;
        let after = ada.get(path).await.ok(200);
        assert_ne!(before["cursor"], again["cursor"], "{path}: nothing has happened, and it differs");
        assert_ne!(again["cursor"], after["cursor"], "{path}");
        // Each of them is a good cursor.
        for page in [before, again, after] {
            let cursor = page["cursor"].as_str().unwrap();
            ada.get(&format!("/v1/rooms/quiet/messages?after={cursor}")).await.ok(200);
        }
    }
}
