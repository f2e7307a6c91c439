//! The other yardstick of fan-out: nginx with the nchan module, where Debian's packages of both are installed. No
//! authentication, no durability: messages are kept in shared memory.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::process::Processes;

const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";
pub const PUBLISH: &str = "/publish";
pub const SUBSCRIBE: &str = "/subscribe";

pub struct Nchan {
    master: Child,
    pub address: SocketAddr,
    processes: Processes,
    _folder: TempDir,
}

/// Whether nchan can be measured here. If not, says once what is missing.
pub fn is_installed() -> bool {
    let nginx = Command::new("nginx").arg("-v").stderr(Stdio::null()).status();
    Path::new(MODULE).exists() && nginx.is_ok_and(|status| status.success())
}

impl Nchan {
    /// `workers` as nginx's `worker_processes` takes it.
    pub async fn start(workers: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // nginx does not choose a port by itself.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration(workers, free, folder.path())).expect("a file");
        let log = folder.path().join("error.log");
        let mut command = Command::new("nginx");
        command.arg("-e").arg(&log).arg("-c").arg(&file).arg("-p").arg(folder.path());
        let mut master = command.spawn().expect("nginx starts");
        while TcpStream::connect(free).is_err() {
            let log = fs::read_to_string(&log).unwrap_or_default();
            assert!(master.try_wait().expect("a child").is_none(), "nginx ended: {log}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Workers come up one after the other; a connection is accepted by the first.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let processes = Processes::family(master.id());
        Self { master, address: free, processes, _folder: folder }
    }

    pub fn processes(&self) -> Processes {
        self.processes.clone()
    }
}

impl Drop for Nchan {
    fn drop(&mut self) {
        // A killed master leaves its workers behind. One that is told to stop ends them first.
        let pid = i32::try_from(self.master.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.master.wait();
    }
}

fn configuration(workers: &str, address: SocketAddr, folder: &Path) -> String {
    let folder = folder.display();
    // nginx started by root runs its workers as `nobody`, who could not use the folder. Only root may and must choose.
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    format!(
        "daemon off; {user} worker_processes {workers}; worker_rlimit_nofile 20000; pid {folder}/pid;
load_module {MODULE};
events {{ worker_connections 16384; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; tcp_nodelay on;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    scgi_temp_path {folder}/d; uwsgi_temp_path {folder}/e;
    nchan_shared_memory_size 512m;
    server {{
        listen {address} backlog=4096;
        location = {PUBLISH} {{
            nchan_publisher; nchan_channel_id room;
            nchan_message_buffer_length 100000; nchan_message_timeout 10m;
        }}
        location = {SUBSCRIBE} {{
            nchan_subscriber eventsource; nchan_channel_id room; nchan_subscriber_first_message newest;
        }}
    }}
}}
"
    )
}
