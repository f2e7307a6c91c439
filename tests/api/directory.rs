//! The directory: which rooms people find who are not in them, by searching and page by page.

use serde_json::{Value, json};

use crate::support::{Client, Server};

fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|room| room["name"].as_str().unwrap()).collect()
}

async fn finds(person: &Client, query: &str) -> Vec<String> {
    let page = person.get(&format!("/v1/rooms?{query}")).await.ok(200);
    names(&page).into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_directory_lists_public_rooms_by_name() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    assert_eq!(bob.get("/v1/rooms").await.ok(200), json!({ "items": [] }));
    for name in ["zoo", "attic", "10"] {
        ada.creates_room(name).await;
    }
    ada.creates_private_room("den").await;
    assert_eq!(finds(&bob, "").await, ["10", "attic", "zoo"]);
    assert_eq!(finds(&ada, "").await, ["10", "attic", "zoo"], "nor are one's own private rooms there");
    bob.joins("attic").await;
    let page = bob.get("/v1/rooms").await.ok(200);
    let roles: Vec<&Value> = page["items"].as_array().unwrap().iter().map(|room| &room["role"]).collect();
    assert_eq!(roles, [&Value::Null, &json!("member"), &Value::Null]);
    server.anonymous().get("/v1/rooms").await.problem(401, "unauthenticated");
}

#[tokio::test]
async fn a_search_finds_names_titles_and_topics() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    for room in [
        json!({ "name": "lobby", "title": "The Hall", "topic": "100 % wool" }),
        json!({ "name": "garden", "title": "Сад", "topic": "snake_case" }),
        json!({ "name": "tea-room", "title": "喫茶室", "topic": "a\\b" }),
        json!({ "name": "cafe", "title": "Café" }),
        json!({ "name": "street", "title": "Große Straße", "topic": "Σίσυφος, ﬃ, Ｆｕｌｌ" }),
        json!({ "name": "den", "title": "The Hall", "visibility": "private" }),
    ] {
        ada.post("/v1/rooms", room).await.ok(201);
    }
    for (q, found) in [
        ("lob", vec!["lobby"]),
        ("HALL", vec!["lobby"]),
        ("wool", vec!["lobby"]),
        ("%25", vec!["lobby"]),
        ("_", vec!["garden"]),
        ("%5C", vec!["tea-room"]),
        // Cyrillic in another case, Chinese, é in one code point and in two.
        ("%D1%81%D0%B0%D0%B4", vec!["garden"]),
        ("%D0%A1%D0%90%D0%94", vec!["garden"]),
        ("%E8%8C%B6", vec!["tea-room"]),
        ("caf%C3%A9", vec!["cafe"]),
        ("CAFE%CC%81", vec!["cafe"]),
        // Full case folding and compatibility forms: GROSSE STRASSE, STRAẞE, ΣΊΣΥΦΟΣ, FFI, full, and full-width LOB.
        ("GROSSE%20STRASSE", vec!["street"]),
        ("STRA%E1%BA%9EE", vec!["street"]),
        ("%CE%A3%CE%8A%CE%A3%CE%A5%CE%A6%CE%9F%CE%A3", vec!["street"]),
        ("FFI", vec!["street"]),
        ("full", vec!["street"]),
        ("%EF%BC%AC%EF%BC%AF%EF%BC%A2", vec!["lobby"]),
        ("-room", vec!["tea-room"]),
        ("%27%20OR%201=1--", vec![]),
        ("nothing", vec![]),
        ("", vec!["cafe", "garden", "lobby", "street", "tea-room"]),
    ] {
        assert_eq!(finds(&ada, &format!("q={q}")).await, found, "{q}");
    }
}

#[tokio::test]
async fn pages_of_a_search_lead_to_each_room_once() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    for n in 0..7 {
        ada.creates_room(&format!("tea-{n}")).await;
        ada.creates_room(&format!("wine-{n}")).await;
    }
    for limit in [1, 3, 7, 8] {
        let mut found = Vec::new();
        let mut query = format!("q=tea&limit={limit}");
        loop {
            let page = ada.get(&format!("/v1/rooms?{query}")).await.ok(200);
            assert!((1..=limit).contains(&names(&page).len()));
            found.extend(names(&page).into_iter().map(str::to_owned));
            assert!(found.len() <= 7, "{found:?}");
            let Some(next) = page["next_page"].as_str() else { break };
            query = format!("q=tea&limit={limit}&page={next}");
        }
        assert_eq!(found, (0..7).map(|n| format!("tea-{n}")).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn pages_stay_in_step_while_rooms_come_and_go() {
    let server = Server::start().await;
    let (ada, bob) = (server.register("ada").await, server.register("bob").await);
    for name in ["b", "d", "f", "h", "j"] {
        ada.creates_room(name).await;
    }
    let first = bob.get("/v1/rooms?limit=2").await.ok(200);
    assert_eq!(names(&first), ["b", "d"]);
    // Before the place, at it, behind it.
    ada.creates_room("a").await;
    ada.delete("/v1/rooms/b").await.ok(204);
    ada.delete("/v1/rooms/d").await.ok(204);
    ada.creates_room("e").await;
    ada.patch("/v1/rooms/j", json!({ "visibility": "private" })).await.ok(200);
    let next = |page: &Value| format!("/v1/rooms?limit=2&page={}", page["next_page"].as_str().unwrap());
    let second = bob.get(&next(&first)).await.ok(200);
    assert_eq!(names(&second), ["e", "f"]);
    let third = bob.get(&next(&second)).await.ok(200);
    assert_eq!(names(&third), ["h"]);
    assert!(third.get("next_page").is_none());
}

#[tokio::test]
async fn limits_and_pages_that_make_no_sense_are_refused() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    ada.creates_room("lobby").await;
    for good in ["limit=1", "limit=200", "q=&limit=50"] {
        assert_eq!(finds(&ada, good).await, ["lobby"]);
    }
    for bad in [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "limit=1.5",
        "limit=",
        "limit=99999999999",
        "q=a&q=b",
        "p=1",
    ] {
        ada.get(&format!("/v1/rooms?{bad}")).await.problem(400, "invalid_parameter");
    }
    let too_long = format!("q={}", "a".repeat(65));
    ada.get(&format!("/v1/rooms?{too_long}")).await.problem(400, "invalid_parameter");
    for bad in ["", "x", "%00", "TG9iYnk", "bG9iYnk=", "//"] {
        ada.get(&format!("/v1/rooms?page={bad}")).await.problem(400, "bad_page");
    }
}
