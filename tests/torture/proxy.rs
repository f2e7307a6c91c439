//! A proxy between people and the server that spoils connections: it cuts them at any byte, stops reading, delays, drips.
//! In calm weather it only passes on. Knows nothing of HTTP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::chance::Chance;
use super::world::World;

/// Bytes that the kernel keeps for a connection to the server that is not read: small, so that a stall is felt soon.
const NARROW: u32 = 4_096;
/// How long a connection is held up in all, one way. A request waits for its answer longer than that, on a busy machine too.
const HELD_UP: Duration = Duration::from_secs(5);

pub struct Proxy {
    pub address: SocketAddr,
    pub cuts: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

/// What is done to one direction of a connection in rough weather.
#[derive(Debug, Clone, Copy)]
struct Spoils {
    /// The connection is cut after so many bytes.
    cut_after: Option<u64>,
    /// Bytes passed on at once.
    portion: usize,
    /// After each so many bytes nothing is read for a while.
    stall: Option<(u64, Duration)>,
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    up: Spoils,
    down: Spoils,
    /// Whether a cut is a reset, or a polite end in the middle.
    resets: bool,
    is_narrow: bool,
}

impl Proxy {
    pub async fn before(server: SocketAddr, world: &Arc<World>, mut chance: Chance) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (world, cuts) = (world.clone(), Arc::<AtomicUsize>::default());
        let counter = cuts.clone();
        let accepting = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("connections can be accepted");
                let plan = Plan::draw(&mut chance);
                let (world, cuts) = (world.clone(), counter.clone());
                tokio::spawn(async move {
                    if carry(client, server, plan, &world).await == Carried::Cut {
                        cuts.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        Self { address, cuts, accepting }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Plan {
    fn draw(chance: &mut Chance) -> Self {
        let fair = Spoils { cut_after: None, portion: 16 * 1024, stall: None };
        let mut plan = Self { up: fair, down: fair, resets: chance.one_in(2), is_narrow: chance.one_in(2) };
        match chance.below(12) {
            0..=2 => {}
            // Often in the middle of a frame; the very first bytes are the head, `retry:` and hello.
            3 | 4 => plan.down.cut_after = Some(chance.below(40_000)),
            5 => plan.down.cut_after = Some(chance.below(1_500)),
            6 => plan.up.cut_after = Some(chance.below(1_500)),
            7 => plan.down.stall = Some((chance.below(20_000) + 1, chance.micros(1_000..600_000))),
            8 => {
                // A black hole for a while, then the end.
                let until = chance.below(5_000);
                plan.down.stall = Some((until + 1, chance.micros(300_000..2_000_000)));
                plan.down.cut_after = Some(until + 1);
            }
            9 => {
                plan.down.portion = 1 + chance.index(200);
                plan.down.stall = Some((plan.down.portion as u64, chance.micros(500..5_000)));
            }
            10 => {
                plan.up.portion = 1 + chance.index(60);
                plan.up.stall = Some((plan.up.portion as u64, chance.micros(500..5_000)));
            }
            // Refused at the door.
            _ => plan.up.cut_after = Some(0),
        }
        plan
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carried {
    ToItsEnd,
    Cut,
}

async fn carry(mut client: TcpStream, server: SocketAddr, plan: Plan, world: &World) -> Carried {
    let Ok(mut server) = connect(server, plan.is_narrow).await else { return Carried::ToItsEnd };
    let carried = {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let up = pass(&mut from_client, &mut to_server, plan.up, world);
        let down = pass(&mut from_server, &mut to_client, plan.down, world);
        tokio::pin!(up, down);
        tokio::select! {
            carried = &mut up => if carried == Carried::Cut { carried } else { down.await },
            // A server that has ended its part does not get more of the client's.
            carried = &mut down => carried,
        }
    };
    if carried == Carried::Cut && plan.resets {
        for socket in [&client, &server] {
            let _ = rustix::net::sockopt::set_socket_linger(socket, Some(Duration::ZERO));
        }
    }
    carried
}

async fn connect(server: SocketAddr, is_narrow: bool) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if is_narrow {
        socket.set_recv_buffer_size(NARROW)?;
    }
    socket.connect(server).await
}

async fn pass(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    spoils: Spoils,
    world: &World,
) -> Carried {
    let mut buffer = vec![0; 16 * 1024];
    let (mut passed, mut since_stall, mut held_up) = (0, 0, Duration::ZERO);
    loop {
        let mut most = buffer.len();
        if world.is_rough() {
            if let Some((bytes, how_long)) = spoils.stall
                && since_stall >= bytes
                && held_up < HELD_UP
            {
                since_stall = 0;
                let began = Instant::now();
                world.lasts(how_long).await;
                held_up += began.elapsed();
            }
            if spoils.cut_after.is_some_and(|at| passed >= at) && world.is_rough() {
                return Carried::Cut;
            }
            let until_cut = spoils.cut_after.map_or(u64::MAX, |at| at.saturating_sub(passed).max(1));
            most = most.min(usize::try_from(until_cut).unwrap_or(usize::MAX));
            if held_up < HELD_UP {
                most = most.min(spoils.portion);
            }
        }
        let Ok(count @ 1..) = from.read(&mut buffer[..most]).await else {
            let _ = to.shutdown().await;
            return Carried::ToItsEnd;
        };
        if to.write_all(&buffer[..count]).await.is_err() {
            return Carried::ToItsEnd;
        }
        passed += count as u64;
        since_stall += count as u64;
    }
}
