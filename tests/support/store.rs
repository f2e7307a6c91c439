//! The store without a server around it, for what a socket cannot show: which requests share a batch, and what is announced.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::time::Duration;

use parlor::domain::clock::Clock;
use parlor::domain::event::Event;
use parlor::domain::ids::{Ids, RoomId, UserId};
use parlor::domain::message::{Message, MessageBody};
use parlor::domain::names::{ClientId, DisplayName, RoomName, Username};
use parlor::domain::room::{RoomRef, Visibility};
use parlor::domain::session::Caller;
use parlor::domain::user::User;
use parlor::live::{
    CommitQueue, EventStream, Framing, Hub, Live, LiveNode, Reader, Registry, StreamSocket, UpToDate, feeder,
};
use parlor::storage::{Committed, Error, Location, Made, NewMessage, NewRoom, NodeKeys, Purpose, Store};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::DEADLINE;
use super::http1::Connection;

/// An open store in a folder of its own.
pub struct OpenStore {
    pub live: Live,
    pub folder: TempDir,
    /// The events that were announced, one list for each batch.
    pub batches: Arc<Mutex<Vec<Vec<Event>>>>,
    /// If there is one, the journal stops in its next commit.
    hold_up: Arc<Mutex<Option<HoldUp>>>,
}

/// Whom the journal tells that it has stopped, and a channel: the journal goes on when its sender is dropped.
type HoldUp = (oneshot::Sender<()>, mpsc::Receiver<Infallible>);

impl OpenStore {
    pub async fn new() -> Self {
        Self::within(tempfile::tempdir().expect("a folder for the test")).await
    }

    /// The same in a folder that the test has chosen.
    pub async fn within(folder: TempDir) -> Self {
        let batches = Arc::<Mutex<Vec<Vec<Event>>>>::default();
        let registry = Arc::new(Registry::new(Clock::SYSTEM, Duration::from_mins(15), None));
        let (commits, feeder) = feeder();
        let hold_up = Arc::<Mutex<Option<HoldUp>>>::default();
        let on_commit = {
            let (batches, registry, hold_up) = (batches.clone(), registry.clone(), hold_up.clone());
            move |committed: Committed| {
                announce(&registry, &commits, &batches, committed);
                let waits = hold_up.lock().expect("nothing panics with it").take();
                if let Some((says_so, goes_on)) = waits {
                    says_so.send(()).expect("somebody waits for it");
                    let _ = goes_on.recv();
                }
            }
        };
        let store = Store::open(
            &Location::Folder(folder.path().into()),
            Purpose::Serve(NodeKeys::default()),
            Ids::SYSTEM,
            Box::new(on_commit),
        )
        .await;
        let store = Arc::new(store.expect("the store opens"));
        let hub = Arc::new(Hub::default());
        let (heartbeat, slow_after) = (Duration::from_secs(15), Duration::from_mins(1));
        let meters = Arc::default();
        let node = LiveNode {
            store,
            hub,
            registry,
            up_to_date: Arc::new(UpToDate::new(false)),
            meters,
            clock: Clock::SYSTEM,
            ids: Ids::SYSTEM,
            heartbeat,
            slow_after,
        };
        tokio::spawn(feeder.start(node.clone()).await.expect("the log can be read"));
        Self { live: Live::new(node), folder, batches, hold_up }
    }

    pub fn store(&self) -> &Store {
        &self.live.node().store
    }

    pub async fn adds_user(&self, name: &str) -> User {
        let username = Username::parse(name).expect("a username");
        let display_name = DisplayName::from(&username);
        let user = User { id: Ids::SYSTEM.user(), username, display_name, created_at: Clock::SYSTEM.now() };
        self.store().add_user(user, "no password".into(), false, None).await.expect("the name is free")
    }

    pub fn room(owner: UserId, name: &str) -> NewRoom {
        let (id, name) = (Ids::SYSTEM.room(), RoomName::parse(name).expect("a room name"));
        let visibility = Visibility::Public;
        NewRoom {
            id,
            owner,
            name,
            title: None,
            topic: None,
            visibility,
            client_id: None,
            at: Clock::SYSTEM.now(),
        }
    }

    pub fn message(room: RoomId, author: UserId, body: &str, client_id: Option<&str>) -> NewMessage {
        let client_id =
            client_id.map(|id| (ClientId::parse(id).expect("a client id"), body.as_bytes().to_vec()));
        let body = MessageBody::parse(body).expect("a body");
        NewMessage {
            id: Ids::SYSTEM.message(),
            room: RoomRef::Id(room),
            author,
            session: None,
            body,
            reply_to: None,
            client_id,
            at: Clock::SYSTEM.now(),
        }
    }

    /// Puts the posts into the queue while the journal is stopped, so that they become one batch in this order.
    pub async fn post_together(&self, posts: Vec<NewMessage>) -> Vec<Result<Made<Message>, Error>> {
        let posts = posts.into_iter().map(|post| self.store().post_message(post, None));
        self.together(futures_util::future::join_all(posts)).await
    }

    /// Polls a future once while the journal is stopped, so that everything it writes is in the queue and becomes one batch.
    pub async fn together<T>(&self, writes: impl Future<Output = T>) -> T {
        let (held_up, is_held_up) = oneshot::channel();
        let (go_on, goes_on) = mpsc::channel();
        *self.hold_up.lock().expect("nothing panics with it") = Some((held_up, goes_on));
        let writing = async {
            is_held_up.await.expect("the journal commits what was asked for");
            let mut writes = std::pin::pin!(writes);
            let at_once = futures_util::poll!(writes.as_mut());
            drop(go_on);
            match at_once {
                Poll::Ready(done) => done,
                Poll::Pending => writes.await,
            }
        };
        let (tried, done) = tokio::join!(self.store().try_writing(), writing);
        tried.expect("writing works");
        done
    }
}

/// A reader in a new session.
pub fn reader(user: &User) -> Reader {
    let expires_at = Clock::SYSTEM.now().plus(Duration::from_mins(15));
    let caller = Caller { user: user.id, session: Ids::SYSTEM.session(), expires_at };
    Reader { caller, address: IpAddr::V4(Ipv4Addr::LOCALHOST) }
}

/// Gives a stream a socket, as the front does after the head is sent. Returns the client's end.
pub async fn on_a_socket(stream: EventStream) -> Connection {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let client = TcpStream::connect(listener.local_addr().expect("it is bound")).await.expect("it listens");
    let (socket, _) = listener.accept().await.expect("somebody has connected");
    let socket = StreamSocket { stream: socket, framing: Framing::Chunks, input: 0 };
    stream.write_to(Box::new(socket), Box::new(()));
    Connection::new(client)
}

/// The next frame from a socket as text. None at the end of the stream, and an error if it was cut off.
pub async fn next_on(client: &mut Connection) -> Result<Option<String>, String> {
    let chunk = tokio::time::timeout(DEADLINE, client.chunk()).await.expect("a frame comes in time")?;
    Ok(chunk.map(|bytes| String::from_utf8(bytes).expect("frames are UTF-8")))
}

fn announce(
    registry: &Registry,
    commits: &CommitQueue,
    batches: &Mutex<Vec<Vec<Event>>>,
    committed: Committed,
) {
    registry.committed(&committed);
    if !committed.events.is_empty() {
        batches.lock().expect("nothing panics with it").push(committed.events.clone());
    }
    commits.committed(committed.epoch, committed.events);
}
