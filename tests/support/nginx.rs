//! nginx in front of a server in the shortest configurations that people write, without TLS: in a folder of its own, on a
//! free loopback port. The file that docs/proxies recommends is tried elsewhere.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::port::free_address;
use super::proxy::program;
use super::wait_for;

/// How nginx speaks to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upstream {
    /// The shortest configuration: HTTP/1.0, a connection for each request.
    AsItComes,
    /// HTTP/1.1, and connections are used again.
    KeptAlive,
}

/// A running nginx, killed with the test.
pub struct Nginx {
    pub address: SocketAddr,
    folder: TempDir,
    child: Child,
}

impl Nginx {
    /// None, and a line that says so, where nginx is not installed.
    pub async fn before(server: SocketAddr, upstream: Upstream) -> Option<Self> {
        let program = program("nginx")?;
        let folder = tempfile::tempdir().expect("a folder for nginx");
        let address = free_address();
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration(folder.path(), address, server, upstream)).expect("it can be written");
        let child = Command::new(program)
            .arg("-p")
            .arg(folder.path())
            .arg("-c")
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx starts");
        let nginx = Self { address, folder, child };
        wait_for("nginx listens", || async { TcpStream::connect(address).await.is_ok() }).await;
        Some(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default();
            eprintln!("--- nginx's log\n{log}---");
        }
        // Its one process is its own worker: nothing is left behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(folder: &Path, listen: SocketAddr, server: SocketAddr, upstream: Upstream) -> String {
    let folder = folder.display();
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};"))
        .join("\n");
    let kept_alive = match upstream {
        Upstream::AsItComes => "",
        Upstream::KeptAlive => "proxy_http_version 1.1; proxy_set_header Connection \"\";",
    };
    format!(
        "daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log info;
        events {{ worker_connections 1024; }}
        http {{
            access_log off;
            {temp}
            upstream parlor {{ server {server}; keepalive 4; }}
            server {{
                listen {listen};
                location / {{
                    proxy_pass http://parlor;
                    proxy_set_header Host $http_host;
                    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                    {kept_alive}
                }}
            }}
        }}"
    )
}
