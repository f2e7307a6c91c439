//! Ports for what is started again where it was: nobody else may take them meanwhile.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A free port below those that the kernel gives to servers that ask for any, and to connections.
pub fn free_port() -> u16 {
    // Each call begins elsewhere: two that are made at once must not find the same port. 7 does not divide 12,000, so no beginning
    // comes back before each port was one.
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let listens = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let ports = 20_000..32_000;
    let first = std::process::id() as usize + 7 * CALLS.fetch_add(1, Ordering::Relaxed);
    ports.clone().cycle().skip(first % ports.len()).take(100).find(listens).expect("a port is free")
}

/// A loopback address at which nothing listens.
pub fn free_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()))
}
