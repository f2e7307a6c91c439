//! People: what they do, as verbs. A verb asserts that the thing happened. A test of a refusal makes the plain request and
//! looks at the problem in its answer.

use std::net::SocketAddr;
use std::ops::Deref;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::answer::Answer;
use super::client::Client;
use super::stream::EventStream;
use super::{DEADLINE, PASSWORD};

/// Somebody with an account and a session.
#[derive(Clone)]
pub struct Person {
    pub username: String,
    pub id: String,
    pub session: String,
    pub refresh_token: String,
    client: Client,
}

/// A room as the answer to its creation showed it. Where a verb takes a room, a name or an id can be given as well.
#[derive(Debug, Clone)]
pub struct Room {
    pub id: String,
    pub json: Value,
}

impl AsRef<str> for Room {
    fn as_ref(&self) -> &str {
        &self.id
    }
}

impl Deref for Person {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// Posts, and posts again while the server is too busy with hashing other passwords, as a client does.
async fn patiently(client: &Client, path: &str, body: &Value) -> Answer {
    let begun = Instant::now();
    loop {
        let answer = client.post(path, body.clone()).await;
        if answer.status != 503 || begun.elapsed() > DEADLINE {
            return answer;
        }
    }
}

impl Person {
    pub async fn register(client: Client, username: &str) -> Self {
        let body = json!({ "username": username, "password": PASSWORD });
        patiently(&client, "/v1/users", &body).await.ok(201);
        Self::sign_in(client, username, PASSWORD).await
    }

    pub(super) async fn sign_in(client: Client, username: &str, password: &str) -> Self {
        let body = json!({ "username": username, "password": password });
        let signed_in = patiently(&client, "/v1/login", &body).await.ok(200);
        Self {
            username: username.to_owned(),
            id: text(&signed_in["user"]["id"]),
            session: text(&signed_in["session"]),
            refresh_token: text(&signed_in["refresh_token"]),
            client: client.bearing(&text(&signed_in["access_token"])),
        }
    }

    /// The access token in use.
    pub fn token(&self) -> &str {
        self.client.bearer.as_deref().unwrap_or_default()
    }

    /// Gets a new pair of tokens and uses it from now on.
    pub async fn refreshes(&mut self) {
        let body = json!({ "refresh_token": self.refresh_token });
        let signed_in = self.client.post("/v1/refresh", body).await.ok(200);
        self.goes_on_with(&signed_in);
    }

    /// Uses the tokens of this answer from now on.
    pub fn goes_on_with(&mut self, signed_in: &Value) {
        self.refresh_token = text(&signed_in["refresh_token"]);
        self.client = self.client.bearing(&text(&signed_in["access_token"]));
    }

    /// The same person in the same session, who reaches the server at another address.
    pub fn through(&self, address: SocketAddr) -> Self {
        Self { client: self.client.through(address), ..self.clone() }
    }

    /// The same person in the same session at another node.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { client: self.client.at(address), ..self.clone() }
    }

    /// The same person, who gives a request up after this time.
    pub fn patient_for(&self, patience: Duration) -> Self {
        Self { client: self.client.patient_for(patience), ..self.clone() }
    }

    /// A public room of that name.
    pub async fn creates_room(&self, name: &str) -> Room {
        self.creates(json!({ "name": name })).await
    }

    pub async fn creates_private_room(&self, name: &str) -> Room {
        self.creates(json!({ "name": name, "visibility": "private" })).await
    }

    async fn creates(&self, body: Value) -> Room {
        let json = self.post("/v1/rooms", body).await.ok(201);
        Room { id: text(&json["id"]), json }
    }

    /// Becomes a member; gives the membership.
    pub async fn joins(&self, room: impl AsRef<str>) -> Value {
        self.post_nothing(&at(&room, "/join")).await.ok(201)
    }

    pub async fn leaves(&self, room: impl AsRef<str>) {
        self.post_nothing(&at(&room, "/leave")).await.ok(204);
    }

    /// Makes somebody else a member; gives the membership.
    pub async fn adds(&self, room: impl AsRef<str>, username: &str) -> Value {
        self.put(&at(&room, &format!("/members/{username}")), json!({})).await.ok(201)
    }

    /// Posts a message; gives it as it was stored.
    pub async fn posts(&self, room: impl AsRef<str>, body: &str) -> Value {
        self.post(&at(&room, "/messages"), json!({ "body": body })).await.ok(201)
    }

    /// The same with an id of the client's own, which makes repeats harmless.
    pub async fn posts_with_id(&self, room: impl AsRef<str>, body: &str, client_id: &str) -> Value {
        self.post(&at(&room, "/messages"), json!({ "body": body, "client_id": client_id })).await.ok(201)
    }

    /// The newest page of messages.
    pub async fn reads(&self, room: impl AsRef<str>) -> Value {
        self.reads_page(room, "").await
    }

    /// A page of messages by a query such as `before=CURSOR&limit=20`.
    pub async fn reads_page(&self, room: impl AsRef<str>, query: &str) -> Value {
        self.get(&at(&room, &format!("/messages?{query}"))).await.ok(200)
    }

    /// The first page of members.
    pub async fn lists_members(&self, room: impl AsRef<str>) -> Value {
        self.get(&at(&room, "/members")).await.ok(200)
    }

    /// The room as this person sees it.
    pub async fn sees(&self, room: impl AsRef<str>) -> Value {
        self.get(&at(&room, "")).await.ok(200)
    }

    /// All rooms this person is a member of, with the cursor that continues them.
    pub async fn lists_rooms(&self) -> Value {
        self.get("/v1/users/me/rooms").await.ok(200)
    }

    /// One room, from now on.
    pub async fn streams(&self, room: impl AsRef<str>) -> EventStream {
        self.opening(&at(&room, "/events")).open().await
    }

    /// One room, from a cursor on.
    pub async fn streams_from(&self, room: impl AsRef<str>, cursor: &str) -> EventStream {
        self.opening(&at(&room, &format!("/events?after={cursor}"))).open().await
    }

    /// All rooms, from now on.
    pub async fn streams_all(&self) -> EventStream {
        self.opening("/v1/events").open().await
    }

    /// All rooms, from a cursor on.
    pub async fn streams_after(&self, cursor: &str) -> EventStream {
        self.opening(&format!("/v1/events?after={cursor}")).open().await
    }
}

fn at(room: &impl AsRef<str>, rest: &str) -> String {
    format!("/v1/rooms/{}{rest}", room.as_ref())
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text is wanted, not {value}")).to_owned()
}
