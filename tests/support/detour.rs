//! An address that moves from one server to another, as a virtual address or a TCP proxy does after a failover.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes connections on to the server at which the address is now.
pub struct Detour {
    address: SocketAddr,
    leads_to: watch::Sender<SocketAddr>,
    accepting: JoinHandle<()>,
}

impl Detour {
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (leads_to, leads) = watch::channel(server);
        let accepting = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.expect("connections can be accepted");
                tokio::spawn(carry(client, leads.clone()));
            }
        });
        Self { address, leads_to, accepting }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address is at another server from now on. What is connected to the one before is cut off.
    pub fn moves_to(&self, server: SocketAddr) {
        self.leads_to.send_replace(server);
    }
}

impl Drop for Detour {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(mut client: TcpStream, mut leads: watch::Receiver<SocketAddr>) {
    let server = *leads.borrow_and_update();
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    tokio::select! {
        // In whatever way it ends, both ends are closed.
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = leads.changed() => {}
    }
}
