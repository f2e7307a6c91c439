//! One address in front of two nodes: each connection goes to the other node than the one before it. What a socket shows of its
//! other end (addresses, half-closes, resets) is the same as without it. Knows no HTTP.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::net::sockopt::{set_socket_linger, set_socket_recv_buffer_size, set_socket_send_buffer_size};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;

/// What the kernel keeps for each side of a connection, in bytes: so little that a node notices soon when nobody reads.
const BUFFER: usize = 32 * 1024;

/// Whether each server of this run is two nodes.
pub fn is_chosen() -> bool {
    std::env::var("PARLOR_TEST_STORE").is_ok_and(|store| store == "nodes")
}

/// Whether the test is to be skipped because it is about what docs/cluster.md calls each node's own; prints the reason and how many
/// were skipped so far.
pub fn skips(reason: &str) -> bool {
    static SKIPPED: AtomicUsize = AtomicUsize::new(0);
    if is_chosen() {
        let number = SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
        let thread = std::thread::current();
        let test = thread.name().unwrap_or_default();
        // What macros print is shown only if the test fails.
        let _ = writeln!(std::io::stderr(), "skipped on two nodes ({number}): {test}: {reason}");
    }
    is_chosen()
}

/// The address. It ends, with all its connections, when this is dropped.
pub struct Front {
    pub address: SocketAddr,
    _until: oneshot::Sender<()>,
}

impl Front {
    /// A socket on a free port, for [`Front::before`]: nodes must know the address before they start.
    pub fn listens() -> (std::net::TcpListener, SocketAddr) {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket need not block");
        // Connections have it from here.
        set_socket_send_buffer_size(&listener, BUFFER).expect("a socket has a size");
        let address = listener.local_addr().expect("a bound socket has an address");
        (listener, address)
    }

    /// Begins to serve. On a thread of its own, it goes on while a test waits for something else.
    pub fn before(listener: std::net::TcpListener, nodes: [SocketAddr; 2]) -> Self {
        let address = listener.local_addr().expect("a bound socket has an address");
        let (until, ended) = oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be built").block_on(async {
                let listener = TcpListener::from_std(listener).expect("the runtime takes it");
                tokio::select! {
                    () = accepts(listener, nodes) => {}
                    _ = ended => {}
                }
            });
        });
        Self { address, _until: until }
    }
}

async fn accepts(listener: TcpListener, nodes: [SocketAddr; 2]) {
    for node in nodes.into_iter().cycle() {
        let (client, from) = listener.accept().await.expect("there are descriptors");
        tokio::spawn(async move {
            match reaches(node, from).await {
                Ok(server) => carries(client, server).await,
                // As if nobody listened.
                Err(_) => resets(&client),
            }
        });
    }
}

/// Connects from the client's own address, which is what the node counts by.
async fn reaches(node: SocketAddr, from: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    set_socket_recv_buffer_size(&socket, BUFFER)?;
    socket.bind(SocketAddr::new(from.ip(), 0))?;
    socket.connect(node).await
}

async fn carries(mut client: TcpStream, mut server: TcpStream) {
    for socket in [&client, &server] {
        socket.set_nodelay(true).expect("TCP has it");
    }
    let is_whole = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        // Nothing that was under way matters once one end has reset its connection; an end that cannot be written to any more may
        // still have something to say.
        tokio::try_join!(copies(from_client, to_server), copies(from_server, to_client)) == Ok((true, true))
    };
    if !is_whole {
        resets(&client);
        resets(&server);
    }
}

/// One end has reset its connection.
#[derive(Debug, PartialEq)]
struct Reset;

/// Copies until there is nothing more to read. False if the other end takes no more.
async fn copies(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Result<bool, Reset> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut buffer).await.map_err(|_| Reset)?;
        if count == 0 {
            return Ok(to.shutdown().await.is_ok());
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return Ok(false);
        }
    }
}

/// Lets the drop of the socket be a reset.
fn resets(socket: &TcpStream) {
    // A socket that is closed already cannot be told.
    let _ = set_socket_linger(socket, Some(Duration::ZERO));
}
