//! By what nodes tell each other of new entries: PostgreSQL's notifications, or a NATS server that ends when it is dropped.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::program::{Program, find, free_port};
use crate::client::Client;

pub enum Bus {
    Notify,
    Nats(Nats),
}

pub struct Nats {
    program: Program,
    port: u16,
    /// Where it answers questions about itself.
    monitoring: SocketAddr,
}

/// Whether NATS can be started here.
pub fn is_installed() -> bool {
    server().is_some()
}

impl Bus {
    /// Those that can be measured here.
    pub async fn all() -> Vec<Self> {
        let mut all = vec![Self::Notify];
        if is_installed() {
            all.push(Self::Nats(Nats::start().await));
        }
        all
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Notify => "NOTIFY",
            Self::Nats(_) => "NATS",
        }
    }

    /// What `cluster.bus` is set to.
    pub fn url(&self) -> String {
        match self {
            Self::Notify => String::new(),
            Self::Nats(nats) => format!("nats://127.0.0.1:{}", nats.port),
        }
    }

    /// How many messages it has brought to nodes. PostgreSQL does not count them.
    pub async fn delivered(&self) -> Option<u64> {
        let Self::Nats(nats) = self else { return None };
        let figures = Client::connect(nats.monitoring, "").await.request("GET", "/varz", &Value::Null).await;
        Some(figures["out_msgs"].as_u64().expect("a count"))
    }
}

impl Nats {
    async fn start() -> Self {
        let (server, port) = (server().expect("nats-server is installed"), free_port());
        let monitoring = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let server = server.into_os_string().into_string().expect("a path in UTF-8");
        let (of_clients, of_monitoring) = (port.to_string(), monitoring.port().to_string());
        let options = ["-a", "127.0.0.1", "-p", &of_clients, "-m", &of_monitoring].map(str::to_owned);
        let command = [vec![server], options.to_vec()].concat();
        let folder = tempfile::tempdir().expect("a folder");
        let this = Self { program: Program::start(folder, "TERM", &command), port, monitoring };
        let listens = |port| TcpStream::connect(("127.0.0.1", port)).is_ok();
        while !listens(port) || !listens(monitoring.port()) {
            assert!(this.program.is_running(), "nats-server ended: {}", this.program.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        this
    }
}

fn server() -> Option<PathBuf> {
    find("nats-server", ["/usr/sbin", "/usr/local/bin"].map(PathBuf::from).into_iter())
}
