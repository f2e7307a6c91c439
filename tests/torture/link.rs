//! The way between a node and a service that it needs. It can be cut, held up in one direction or in both, and cut in the middle of
//! a COMMIT of PostgreSQL. Whatever it passes on is whole and in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::chance::Chance;
use super::world::World;

/// What ends a transaction, as PostgreSQL's protocol has it.
const COMMIT: &[u8] = b"COMMIT\0";
/// Longer than PostgreSQL takes for a commit here.
const ANSWERED: Duration = Duration::from_millis(50);

pub struct Link {
    pub address: SocketAddr,
    orders: watch::Sender<Orders>,
    trap: Arc<Trap>,
    accepting: JoinHandle<()>,
}

/// Which directions are held up, and how often everything was cut.
#[derive(Debug, Clone, Copy, Default)]
struct Orders {
    held: Held,
    cuts: usize,
}

/// What is not passed on for now.
#[derive(Debug, Clone, Copy, Default)]
pub struct Held {
    /// What the node says.
    pub up: bool,
    /// What the service answers.
    pub down: bool,
}

/// Cuts the connection on which a COMMIT comes next.
#[derive(Debug, Default)]
struct Trap {
    set: AtomicUsize,
    sprung: AtomicUsize,
}

/// Which moment of the COMMIT the connection is cut at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// The service never hears of it.
    Before,
    /// The service has half of what it needs.
    Within,
    /// The service gets it, and its answer finds nobody.
    After,
    /// The service has answered, which the node does not hear.
    Answered,
}

impl Link {
    pub async fn before(service: SocketAddr, mut chance: Chance) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (orders, heard) = watch::channel(Orders::default());
        let trap = Arc::<Trap>::default();
        let own = trap.clone();
        let accepting = tokio::spawn(async move {
            loop {
                let (node, _) = listener.accept().await.expect("connections can be accepted");
                tokio::spawn(carry(node, service, heard.clone(), own.clone(), chance.fork()));
            }
        });
        Self { address, orders, trap, accepting }
    }

    /// Ends all connections that there are. New ones can be made at once.
    pub fn cuts(&self) {
        self.orders.send_modify(|orders| orders.cuts += 1);
    }

    /// Keeps back what is said, until it is told otherwise. Connections are made as before.
    pub fn holds(&self, held: Held) {
        self.orders.send_modify(|orders| orders.held = held);
    }

    /// Cuts the next connection on which something is committed.
    pub fn cuts_at_commit(&self) {
        self.trap.set.store(1, Ordering::SeqCst);
    }

    /// How many connections were cut in a COMMIT.
    pub fn commits_cut(&self) -> usize {
        self.trap.sprung.load(Ordering::SeqCst)
    }

    /// Nothing is kept back, and no connection is cut any more.
    pub fn is_mended(&self) {
        self.trap.set.store(0, Ordering::SeqCst);
        self.holds(Held::default());
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(
    node: TcpStream,
    service: SocketAddr,
    orders: watch::Receiver<Orders>,
    trap: Arc<Trap>,
    mut chance: Chance,
) {
    let Ok(service) = TcpStream::connect(service).await else { return };
    // Without a word or in good order, as links break.
    if chance.one_in(2) {
        for socket in [&node, &service] {
            let _ = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO));
        }
    }
    let _ = (node.set_nodelay(true), service.set_nodelay(true));
    let (cuts, mut heard) = (orders.borrow().cuts, orders.clone());
    let (from_node, to_node) = node.into_split();
    let (from_service, to_service) = service.into_split();
    let is_deaf = AtomicBool::new(false);
    tokio::select! {
        () = up(from_node, to_service, orders.clone(), (&trap, &is_deaf), chance) => {}
        () = down(from_service, to_node, orders, &is_deaf) => {}
        _ = heard.wait_for(|orders| orders.cuts > cuts) => {}
    }
}

async fn up(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut orders: watch::Receiver<Orders>,
    (trap, is_deaf): (&Trap, &AtomicBool),
    mut chance: Chance,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let said = &buffer[..count];
        let commits = said.windows(COMMIT.len()).any(|window| window == COMMIT);
        let moment = (commits && trap.set.swap(0, Ordering::SeqCst) > 0).then(|| Moment::draw(&mut chance));
        if moment.is_some() {
            is_deaf.store(true, Ordering::SeqCst);
            trap.sprung.fetch_add(1, Ordering::SeqCst);
        }
        let passed = match moment {
            Some(Moment::Before) => &[],
            Some(Moment::Within) => &said[..count / 2],
            None | Some(Moment::After | Moment::Answered) => said,
        };
        if orders.wait_for(|orders| !orders.held.up).await.is_err() || to.write_all(passed).await.is_err() {
            return;
        }
        if moment == Some(Moment::Answered) {
            World::passes(ANSWERED).await;
        }
        if moment.is_some() {
            return;
        }
    }
}

async fn down(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut orders: watch::Receiver<Orders>,
    is_deaf: &AtomicBool,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let goes_on = orders.wait_for(|orders| !orders.held.down).await.is_ok();
        if is_deaf.load(Ordering::SeqCst) {
            continue;
        }
        if !goes_on || to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

impl Moment {
    fn draw(chance: &mut Chance) -> Self {
        [Self::Before, Self::Within, Self::After, Self::Answered][chance.index(4)]
    }
}
