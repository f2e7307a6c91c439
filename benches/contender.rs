//! What is measured side by side in fan-out: Parlor, the bare writes and nchan, each with the same number of subscribers
//! and a way to publish.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use tempfile::TempDir;

use super::client::Client;
use super::nchan::{self, Nchan};
use super::people::{Seeding, events_of, messages_of};
use super::process::Processes;
use super::server::Server;
use super::stamp::{self, Template};
use super::subscriber::Subscription;
use super::subscribers::Subscribers;
use super::writes;

/// Names under which the others appear.
pub const PARLOR: &str = "Parlor";
pub const WRITES: &str = "writes";

/// A server with open streams, all of which get what is published.
pub struct Contender {
    pub name: &'static str,
    /// Dropped before the server: the server's end would count as a loss.
    pub subscribers: Subscribers,
    pub processes: Processes,
    address: SocketAddr,
    language: Language,
    /// Publishes to a place where nobody listens, to measure what publishing alone costs. None: it costs nothing.
    aside: Option<Language>,
    _server: Running,
}

/// How a contender is published to.
#[derive(Clone)]
enum Language {
    /// As a member, to a path.
    Parlor(String, String),
    Nchan(Template),
    Writes(Template),
}

/// Held so that it ends with the contender.
enum Running {
    Server { _server: Server, _folder: Option<TempDir> },
    Nchan { _nchan: Nchan },
}

/// A connection that publishes.
pub struct Voice {
    client: Client,
    language: Language,
    number: u64,
    sent: u64,
}

impl Contender {
    /// All that can be measured here, Parlor first.
    pub async fn all(streams: usize) -> Vec<Self> {
        let parlor = Self::parlor(streams).await;
        // What is published elsewhere is as long as what Parlor makes of a message.
        let mut voice = parlor.voice().await;
        voice.publish().await;
        parlor.subscribers.wait_for(streams as u64).await;
        let template = Template::of(&parlor.subscribers.sample());
        let mut all = vec![parlor, Self::writes(streams, template.clone()).await];
        if nchan::is_installed() {
            all.push(Self::nchan(streams, template.clone(), "nchan, 1 worker", "1").await);
            all.push(Self::nchan(streams, template, "nchan, auto", "auto").await);
        }
        all
    }

    async fn parlor(streams: usize) -> Self {
        let seeding = Seeding::begin().await;
        let (people, room) = seeding.hall(streams).await;
        let empty = seeding.rooms("empty", &[&people[0]]).await[0];
        let folder = seeding.done().await;
        let server = Server::start(folder.path());
        let path = events_of(room);
        let subscriptions = people.iter().map(|person| person.follows(&path)).collect();
        Self {
            name: PARLOR,
            subscribers: Subscribers::open(server.address, subscriptions).await,
            processes: server.processes(),
            address: server.address,
            language: Language::Parlor(people[0].token.clone(), messages_of(room)),
            aside: Some(Language::Parlor(people[0].token.clone(), messages_of(empty))),
            _server: Running::Server { _server: server, _folder: Some(folder) },
        }
    }

    async fn writes(streams: usize, template: Template) -> Self {
        let server = writes::start();
        let subscriptions = vec![anonymous("/", true); streams];
        Self {
            name: WRITES,
            subscribers: Subscribers::open(server.address, subscriptions).await,
            processes: server.processes(),
            address: server.address,
            language: Language::Writes(template),
            aside: None,
            _server: Running::Server { _server: server, _folder: None },
        }
    }

    async fn nchan(streams: usize, template: Template, name: &'static str, workers: &str) -> Self {
        let server = Nchan::start(workers).await;
        // What it loses is counted: that is part of the measurement.
        let subscriptions = vec![anonymous(nchan::SUBSCRIBE, false); streams];
        Self {
            name,
            subscribers: Subscribers::open(server.address, subscriptions).await,
            processes: server.processes(),
            address: server.address,
            language: Language::Nchan(template),
            aside: None,
            _server: Running::Nchan { _nchan: server },
        }
    }

    /// A connection for publishing. Each has a number of its own in the whole run, and counts what it sends.
    pub async fn voice(&self) -> Voice {
        Voice::open(self.address, &self.language).await
    }

    /// A connection for publishing to a place where nobody listens.
    pub async fn aside(&self) -> Option<Voice> {
        match &self.aside {
            Some(language) => Some(Voice::open(self.address, language).await),
            None => None,
        }
    }

    pub fn is_strict(&self) -> bool {
        !matches!(self.language, Language::Nchan(_))
    }

    /// Whether several may publish to it at once.
    pub fn takes_many_voices(&self) -> bool {
        !matches!(self.language, Language::Writes(_))
    }
}

impl Voice {
    async fn open(address: SocketAddr, language: &Language) -> Self {
        static VOICES: AtomicU64 = AtomicU64::new(0);
        let number = VOICES.fetch_add(1, Ordering::Relaxed);
        let token = if let Language::Parlor(token, _) = language { token } else { "" };
        let client = Client::connect(address, token).await;
        Self { client, language: language.clone(), number, sent: 0 }
    }

    pub async fn publish(&mut self) {
        self.sent += 1;
        match &self.language {
            Language::Parlor(_, path) => {
                let client_id = format!("{}-{}", self.number, self.sent);
                let body = json!({"body": stamp::text(), "client_id": client_id}).to_string();
                self.client.exchange("POST", path, &body).await;
            }
            Language::Nchan(template) => {
                let data = template.data(self.number, self.sent);
                self.client.exchange("POST", nchan::PUBLISH, &data).await;
            }
            Language::Writes(template) => {
                let frame = template.frame(self.number, self.sent);
                self.client.exchange("POST", "/", &frame).await;
            }
        }
    }
}

/// A subscription to a contender that asks for no sign-in.
pub fn anonymous(path: &str, strict: bool) -> Subscription {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
    Subscription { request, last: None, strict }
}
