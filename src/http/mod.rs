//! The front: accepts connections and speaks HTTP/1 over hyper with the deadlines and bounds that poem's own server lacks.
//! Knows nothing of what is served; the endpoint answers everything that could be parsed.

mod address;
mod body;
mod connection;
mod gate;
mod meters;
mod socket;
mod unread;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use poem::{Endpoint, Response};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::address::Proxies;
use self::connection::{Connection, Detached};
use self::gate::Gate;
pub use self::meters::Meters;
pub use self::socket::Deadlines;
use self::unread::Unread;

/// Most connections that wait in the kernel until they are accepted: thousands of streams come back at once after a restart.
const BACKLOG: u32 = 4096;

/// Connections accepted in one go before other tasks get a turn. Otherwise thousands that come at once would all be accepted
/// before the next request of an open connection is served.
const ACCEPTS: usize = 4;

/// The pause after accepting failed, usually for lack of descriptors. Without it the loop would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Descriptors left for everything that is not a client: the database, logs, wake-ups.
const SPARE_DESCRIPTORS: usize = 256;

/// What bounds the front.
#[derive(Clone, Debug)]
pub struct FrontLimits {
    /// Most open connections of one address (an IPv6 network of 64 bits counts as one); none: no bound. Trusted proxies
    /// are exempt.
    pub per_address: Option<usize>,
    /// The proxies that are believed when they name the client's address.
    pub trusted_proxies: Proxies,
    /// How long clients may take.
    pub deadlines: Deadlines,
    /// How long open requests may take to finish once the server is told to stop.
    pub grace: Duration,
}

/// Listens on an address. A port that a killed server has just left can be taken again.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves until `stop`, then lets open requests finish for at most `limits.grace`, and returns when the last connection is
/// closed. Streams must end by their own means: what is open after the grace is cut.
pub async fn serve<E>(
    listener: TcpListener,
    endpoint: E,
    limits: FrontLimits,
    meters: Arc<Meters>,
    stop: CancellationToken,
) where
    E: Endpoint<Output = Response> + 'static,
{
    let most = raise_descriptor_limit().saturating_sub(SPARE_DESCRIPTORS);
    let gate = Gate::new(most, &limits, meters.clone());
    let unread = Arc::new(Unread::new(limits.per_address.is_some(), meters.clone()));
    let (endpoint, proxies) = (Arc::new(endpoint), Arc::new(limits.trusted_proxies));
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let mut accepted: usize = 0;
    while let Some((stream, peer, pass)) = next(&listener, &gate, &stop).await {
        let connection = Connection {
            endpoint: endpoint.clone(),
            proxies: proxies.clone(),
            peer,
            deadlines: limits.deadlines,
            meters: meters.clone(),
            unread: unread.clone(),
            stop: stop.clone(),
            cut: cut.clone(),
        };
        // Not an `async` block: that would keep room for the connection's future twice, 2 KiB for each client.
        connections.spawn(connection.run(stream).map(move |detached| {
            if let Some(Detached { stream, socket }) = detached {
                stream.write_to(Box::new(socket), Box::new(pass));
            }
        }));
        accepted += 1;
        if accepted.is_multiple_of(ACCEPTS) {
            tokio::task::yield_now().await;
        }
    }
    drop(listener);
    end(&connections, limits.grace, &cut).await;
}

/// Waits for the connections, and cuts those that are still open after the grace.
async fn end(connections: &TaskTracker, grace: Duration, cut: &CancellationToken) {
    connections.close();
    if tokio::time::timeout(grace, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "cut connections that did not end in time");
        cut.cancel();
        connections.wait().await;
    }
}

/// The next connection that may come in; none once the server stops.
async fn next(
    listener: &TcpListener,
    gate: &Gate,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, gate::Pass)> {
    loop {
        let slot = stop.run_until_cancelled(gate.slot()).await?;
        match stop.run_until_cancelled(listener.accept()).await? {
            Ok((stream, peer)) => {
                // Closed without an answer: writing one would cost more than the connection does.
                if let Some(pass) = gate.admit(slot, peer.ip()) {
                    return Some((stream, peer, pass));
                }
            }
            Err(error) => {
                gate.meters.accept_failures.inc();
                tracing::warn!(%error, "cannot accept a connection");
                stop.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await?;
            }
        }
    }
}

/// Raises the soft limit of open descriptors to the hard one, and tells it.
fn raise_descriptor_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = if raised.is_ok() { maximum } else { current };
    // Without any limit: more than a machine ever has.
    limit.map_or(1 << 20, |limit| usize::try_from(limit).unwrap_or(1 << 20)).min(1 << 20)
}

#[cfg(test)]
mod tests;
