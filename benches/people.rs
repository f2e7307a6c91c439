//! Fills a data folder before its server starts: people with a session and an access token each, rooms, members. Written
//! through the store itself, so that it is all as the server would have written it; only passwords nobody has.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::stream::{self, StreamExt};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use parlor::domain::clock::{Clock, Timestamp};
use parlor::domain::ids::{Ids, RoomId, SessionId, UserId};
use parlor::domain::names::{DisplayName, RoomName, Username};
use parlor::domain::room::{RoomRef, Visibility};
use parlor::domain::session::Transport;
use parlor::domain::user::User;
use parlor::secrets::{Secrets, TokenKey};
use parlor::storage::sessions::NewSession;
use parlor::storage::{Location, NewRoom, Purpose, Server, Store};
use serde_json::json;
use tempfile::TempDir;

use super::subscriber::Subscription;

/// Writes on their way to the journal at once: some full batches.
const AT_ONCE: usize = 1_024;
/// Stands in the place of a password hash. Nobody can sign in with it.
const NO_PASSWORD: &str = "*";
/// How long sessions and access tokens are good: longer than any measurement.
const LIFE: Duration = Duration::from_hours(1);

/// A data folder that is being filled.
pub struct Seeding {
    folder: TempDir,
    store: Store,
    key: TokenKey,
    at: Timestamp,
}

#[derive(Clone, Debug)]
pub struct Person {
    pub id: UserId,
    pub token: String,
    session: SessionId,
}

impl Person {
    /// A stream of this person that begins now.
    pub fn follows(&self, path: &str) -> Subscription {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nAuthorization: Bearer {}\r\n\r\n",
            self.token
        );
        Subscription { request, last: None, strict: true }
    }
}

/// The path of a room's stream.
pub fn events_of(room: RoomId) -> String {
    format!("/v1/rooms/{room}/events")
}

/// The path that messages are posted to.
pub fn messages_of(room: RoomId) -> String {
    format!("/v1/rooms/{room}/messages")
}

impl Seeding {
    pub async fn begin() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let location = Location::Folder(folder.path().into());
        Self::begin_at(folder, &location).await
    }

    /// The same in a PostgreSQL database. The folder then has only the keys.
    pub async fn begin_in(url: &str) -> Self {
        let server = Server::parse(url).expect("a URL");
        Self::begin_at(tempfile::tempdir().expect("a folder"), &Location::Server(server.into())).await
    }

    async fn begin_at(folder: TempDir, location: &Location) -> Self {
        let on_commit = Box::new(|_| ());
        let store =
            Store::open(location, Purpose::Command, Ids::SYSTEM, on_commit).await.expect("a database");
        let secrets = Secrets::draw(Ids::SYSTEM);
        secrets.keep(&folder.path().join("secrets.toml")).expect("a file of keys");
        Self { folder, store, key: secrets.token_keys[0].clone(), at: Clock::SYSTEM.now() }
    }

    /// Makes one room with this many members; the first one is its owner.
    pub async fn hall(&self, members: usize) -> (Vec<Person>, RoomId) {
        let people = self.people("member", members).await;
        let room = self.rooms("hall", &[&people[0]]).await[0];
        self.join(people[1..].iter().map(|person| (room, person.id))).await;
        (people, room)
    }

    /// People with tokens that have been used before.
    pub async fn people(&self, prefix: &str, count: usize) -> Vec<Person> {
        let people = self.strangers(prefix, count).await;
        let seen = |person: &Person| self.store.mark_seen(person.session, 1, self.at);
        let seen: Vec<_> = stream::iter(people.iter().map(seen)).buffered(AT_ONCE).collect().await;
        seen.into_iter().collect::<Result<Vec<()>, _>>().expect("written");
        people
    }

    /// People whose tokens the server has not seen yet.
    pub async fn strangers(&self, prefix: &str, count: usize) -> Vec<Person> {
        let person = |n| self.person(format!("{prefix}-{n}"));
        stream::iter((0..count).map(person)).buffered(AT_ONCE).collect().await
    }

    async fn person(&self, name: String) -> Person {
        let (id, session, at) = (Ids::SYSTEM.user(), Ids::SYSTEM.session(), self.at);
        let user = User {
            id,
            username: Username::parse(&name).expect("a username"),
            display_name: DisplayName::parse(&name).expect("a name"),
            created_at: at,
        };
        self.store.add_user(user, NO_PASSWORD.to_owned(), false, None).await.expect("an account");
        let end = at.plus(LIFE);
        let new = NewSession {
            id: session,
            user: id,
            password_hash: NO_PASSWORD.to_owned(),
            transport: Transport::Bearer,
            user_agent: None,
            network: None,
            at,
            expires_at: end,
            ends_at: end,
            access_expires_at: end,
            most: 1_000,
        };
        self.store.add_session(new).await.expect("a session");
        Person { id, token: self.token(id, session), session }
    }

    /// An access token as the server signs them.
    fn token(&self, user: UserId, session: SessionId) -> String {
        let TokenKey { kid, secret } = &self.key;
        let (typ, kid) = (Some("at+jwt".into()), Some(kid.clone()));
        let header = Header { typ, kid, ..Header::new(Algorithm::HS256) };
        let random = URL_SAFE_NO_PAD.encode(Ids::SYSTEM.random_bytes::<12>());
        let claims = json!({
            "iss": "parlor", "aud": "parlor", "sub": user.to_string(), "sid": session.to_string(),
            "jti": format!("1.{random}"), "iat": self.at.seconds(), "nbf": self.at.seconds(),
            "exp": self.at.plus(LIFE).seconds(),
        });
        jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret.bytes())).expect("a token")
    }

    /// Rooms with their owners in them.
    pub async fn rooms(&self, prefix: &str, owners: &[&Person]) -> Vec<RoomId> {
        let room = async |n: usize, owner: &Person| {
            let room = NewRoom {
                id: Ids::SYSTEM.room(),
                owner: owner.id,
                name: RoomName::parse(&format!("{prefix}-{n}")).expect("a name"),
                title: None,
                topic: None,
                visibility: Visibility::Public,
                client_id: None,
                at: self.at,
            };
            self.store.create_room(room).await.expect("a room").value.state.id
        };
        let rooms = owners.iter().enumerate().map(|(n, owner)| room(n, owner));
        stream::iter(rooms).buffered(AT_ONCE).collect().await
    }

    pub async fn join(&self, joins: impl Iterator<Item = (RoomId, UserId)>) {
        let join = |(room, user)| self.store.join_room(RoomRef::Id(room), user, self.at);
        let joined: Vec<_> = stream::iter(joins.map(join)).buffered(AT_ONCE).collect().await;
        assert!(joined.iter().all(Result::is_ok), "{:?}", joined.iter().find(|join| join.is_err()));
    }

    /// Writes everything out, so that a server can take over in the folder.
    pub async fn done(self) -> TempDir {
        self.store.close().await;
        self.folder
    }
}
