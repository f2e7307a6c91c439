//! Pages of long texts: bounded by bytes, with every item on one page exactly.

use serde_json::{Value, json};

use crate::support::{Person, Server};

/// What one page may have of texts.
const MAX_PAGE_BYTES: usize = 256 * 1024;
/// Takes the most bytes that a character can: four. The longest body, 4,000 of it, has 16,000 bytes.
const LONG: &str = "𝄞";

fn items(page: &Value) -> Vec<Value> {
    page["items"].as_array().unwrap().clone()
}

fn bytes(items: &[Value], field: &str) -> usize {
    items.iter().map(|item| item[field].as_str().unwrap().len()).sum()
}

/// A room with `count` messages, of which three of four are as long as they can be.
async fn a_talkative_room(ada: &Person, count: usize) -> Vec<Value> {
    ada.creates_room("lobby").await;
    let mut said = Vec::new();
    for number in 0..count {
        let body = if number % 4 == 0 { "short".to_owned() } else { LONG.repeat(4_000) };
        said.push(ada.posts("lobby", &body).await);
    }
    said
}

/// All pages from the first on, following a cursor in a direction.
async fn follow(ada: &Person, mut page: Value, cursor: &str, parameter: &str) -> Vec<Vec<Value>> {
    let mut pages = vec![items(&page)];
    while let Some(next) = page[cursor].as_str() {
        page = ada.reads_page("lobby", &format!("{parameter}={next}&limit=200")).await;
        pages.push(items(&page));
    }
    pages
}

fn assert_are_full(pages: &[Vec<Value>]) {
    let least = MAX_PAGE_BYTES - 4 * 4_000;
    for (index, page) in pages.iter().enumerate() {
        let bytes = bytes(page, "body");
        assert!(bytes <= MAX_PAGE_BYTES, "{bytes}");
        assert!(bytes > least || index + 1 == pages.len(), "page {index} has {bytes} bytes");
    }
}

#[tokio::test]
async fn pages_of_long_messages_are_short_and_miss_nothing() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let said = a_talkative_room(&ada, 90).await;
    let newest = ada.reads_page("lobby", "limit=200").await;
    let mut pages = follow(&ada, newest, "prev_cursor", "before").await;
    assert!(pages.len() >= 4, "{}", pages.len());
    assert_are_full(&pages);
    pages.reverse();
    assert_eq!(pages.concat(), said, "backwards");

    let first = said[0]["id"].as_str().unwrap();
    let first = ada.reads_page("lobby", &format!("around={first}&limit=1")).await;
    let pages = follow(&ada, first, "next_cursor", "after").await;
    assert_are_full(&pages[1..]);
    assert_eq!(pages.concat(), said, "forwards");
}

#[tokio::test]
async fn a_message_among_long_ones_stands_between_its_neighbours() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let said = a_talkative_room(&ada, 60).await;
    for at in [0, 1, 30, 31, 58, 59] {
        let id = said[at]["id"].as_str().unwrap();
        let page = ada.reads_page("lobby", &format!("around={id}&limit=200")).await;
        let found = items(&page);
        assert!(bytes(&found, "body") <= MAX_PAGE_BYTES);
        let begins = said.iter().position(|message| message == &found[0]).unwrap();
        let ends = begins + found.len();
        assert_eq!(found, said[begins..ends], "one stretch");
        assert!((begins..ends).contains(&at), "{at} of {begins}..{ends}");
        // Some of both sides, where there is one.
        assert!(at == 0 || begins < at, "{at}");
        assert!(at == 59 || ends > at + 1, "{at}");
        let rest = async |parameter: &str, cursor: &str| match page[cursor].as_str() {
            Some(cursor) => {
                let page = ada.reads_page("lobby", &format!("{parameter}={cursor}&limit=1")).await;
                Some(items(&page)[0].clone())
            }
            None => None,
        };
        let before = begins.checked_sub(1).map(|at| said[at].clone());
        assert_eq!(rest("before", "prev_cursor").await, before);
        assert_eq!(rest("after", "next_cursor").await, said.get(ends).cloned());
    }
}

#[tokio::test]
async fn pages_of_rooms_with_long_topics_are_short_and_miss_none() {
    let server = Server::start().await;
    let ada = server.register("ada").await;
    let topic = LONG.repeat(500);
    let mut names = Vec::new();
    for number in 0..150 {
        let name = format!("room-{number:03}");
        ada.post("/v1/rooms", json!({ "name": name, "topic": topic })).await.ok(201);
        names.push(json!(name));
    }
    for query in ["", "&q=room"] {
        let (mut found, mut pages, mut next) = (Vec::new(), 0, String::new());
        loop {
            let page = ada.get(&format!("/v1/rooms?limit=200{query}{next}")).await.ok(200);
            assert!(bytes(&items(&page), "topic") <= MAX_PAGE_BYTES);
            found.extend(items(&page).iter().map(|room| room["name"].clone()));
            pages += 1;
            let Some(token) = page["next_page"].as_str() else { break };
            next = format!("&page={token}");
        }
        assert_eq!((found, pages), (names.clone(), 2), "{query}");
    }
}
