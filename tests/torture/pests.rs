//! Clients that cost without meaning anything: some send a request byte by byte and never finish it, some open a stream and
//! read one byte a second. Nobody else may notice them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::interval;

use super::badge::Badge;
use super::chance::Chance;
use super::machine::{Nodes, Way};
use super::world::World;

/// Clients of each sort.
const PESTS: usize = 12;
const TICK: Duration = Duration::from_secs(1);
/// Too little for one frame, so that the server is the one that has to keep the rest.
const NARROW: u32 = 2_048;

/// They go on until the set is dropped.
pub async fn come(nodes: &Nodes, world: &Arc<World>, chance: &mut Chance) -> JoinSet<()> {
    let mut pests = JoinSet::new();
    let server = nodes.first();
    server.register("pest").await;
    for door in nodes.doors(Way::Straight).iter().cycle().take(PESTS) {
        pests.spawn(drips(door.address));
        let badge = Badge::new(server.sign_in("pest").await, nodes.doors(Way::Straight), chance.fork());
        pests.spawn(sips(badge, world.clone()));
    }
    pests
}

async fn drips(server: SocketAddr) {
    let head = b"GET /v1/users/me HTTP/1.1\r\nHost: parlor\r\nX-Endless: ";
    let endless: Vec<u8> = head.iter().copied().chain([b'x'; 4_096]).collect();
    loop {
        let mut tick = interval(TICK);
        tick.tick().await;
        if let Ok(mut socket) = TcpStream::connect(server).await {
            for byte in endless.chunks(1) {
                if socket.write_all(byte).await.is_err() {
                    break;
                }
                tick.tick().await;
            }
        }
        tick.tick().await;
    }
}

async fn sips(mut badge: Badge, world: Arc<World>) {
    loop {
        let mut tick = interval(TICK);
        tick.tick().await;
        badge.renews(&world).await;
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(NARROW).expect("the buffer can be set before connecting");
        if let Ok(mut socket) = socket.connect(badge.anywhere().address()).await {
            let token = badge.person.token();
            let request =
                format!("GET /v1/events HTTP/1.1\r\nHost: parlor\r\nAuthorization: Bearer {token}\r\n\r\n");
            let _ = socket.write_all(request.as_bytes()).await;
            while matches!(socket.read(&mut [0]).await, Ok(1)) {
                tick.tick().await;
            }
        }
        tick.tick().await;
    }
}
