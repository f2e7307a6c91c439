//! The proxies of docs/proxies, each run with its file as it is printed there: only names, addresses, certificates and what
//! needs root are put in place by the test. They listen with TLS on a free loopback port.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::net::TcpStream;

use super::port::free_address;
use super::wait_for;

/// A program that stands in front of Parlor, with a file in docs/proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Caddy,
    Haproxy,
    /// `HAProxy` in front of two nodes.
    HaproxyNodes,
}

/// A proxy that has its port and its certificate, and is not running yet: the server must know its address first.
pub struct Planned {
    kind: Kind,
    program: PathBuf,
    address: SocketAddr,
    folder: TempDir,
}

/// A running proxy, killed with the test.
pub struct Proxy {
    pub address: SocketAddr,
    folder: TempDir,
    child: Child,
}

impl Kind {
    /// Those in front of one server.
    pub const ALL: [Self; 3] = [Self::Nginx, Self::Caddy, Self::Haproxy];

    /// A place for it. None, and a line that says so, where the program is missing and only root could install it.
    pub fn plan(self) -> Option<Planned> {
        let name = match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Haproxy | Self::HaproxyNodes => "haproxy",
        };
        let program = program(name)?;
        let folder = tempfile::tempdir().expect("a folder for the proxy");
        certify(folder.path());
        Some(Planned { kind: self, program, address: free_address(), folder })
    }

    /// Its file in docs/proxies.
    fn printed(self) -> &'static str {
        match self {
            Self::Nginx => include_str!("../../docs/proxies/nginx.conf"),
            Self::Caddy => include_str!("../../docs/proxies/Caddyfile"),
            Self::Haproxy => include_str!("../../docs/proxies/haproxy.cfg"),
            Self::HaproxyNodes => include_str!("../../docs/proxies/haproxy-nodes.cfg"),
        }
    }
}

impl Planned {
    /// The `server.public_url` of a Parlor behind it.
    pub fn origin(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Starts it in front of a server; of two nodes that is the first. `changes` are replaced in the printed file, beyond what each test needs.
    pub async fn before(self, server: SocketAddr, changes: &[(&str, &str)]) -> Proxy {
        let Self { kind, program, address, folder } = self;
        let path = folder.path();
        let mut text = kind.printed().to_owned();
        let own = own_changes(kind, address, server, path);
        let own = own.iter().map(|(from, to)| (&**from, &**to));
        for (from, to) in own.chain(changes.iter().copied()) {
            assert!(text.contains(from), "{kind:?}: {from:?} is not in its file");
            text = text.replace(from, to);
        }
        let file = path.join("parlor.conf");
        fs::write(&file, text).expect("it can be written");
        let mut command = Command::new(program);
        match kind {
            Kind::Nginx => {
                let main = path.join("nginx.conf");
                fs::write(&main, nginx_around(path)).expect("it can be written");
                command.arg("-p").arg(path).arg("-c").arg(main)
            }
            Kind::Caddy => command.args(["run", "--adapter", "caddyfile", "--config"]).arg(&file),
            Kind::Haproxy | Kind::HaproxyNodes => command.arg("-db").arg("-f").arg(&file),
        };
        let log = fs::File::create(path.join("log")).expect("it can be written");
        let child = command
            .env("HOME", path)
            .env("XDG_DATA_HOME", path)
            .env("XDG_CONFIG_HOME", path)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor can be doubled"))
            .stderr(log)
            .spawn()
            .expect("the proxy starts");
        let proxy = Proxy { address, folder, child };
        wait_for("the proxy listens", || async { TcpStream::connect(address).await.is_ok() }).await;
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("--- the proxy's log\n{log}---");
        }
        // Each is one process here: nothing is left behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a test puts in the place of names, addresses and certificates, and of what needs root.
fn own_changes(kind: Kind, address: SocketAddr, server: SocketAddr, folder: &Path) -> Vec<(String, String)> {
    let folder = folder.display();
    let redirects = free_address();
    let changes = match kind {
        Kind::Nginx => vec![
            ("    server 127.0.0.1:8080;", format!("    server {server};")),
            ("listen 80;", format!("listen {redirects};")),
            ("listen 443 ssl http2;", format!("listen {address} ssl http2;")),
            // Port and all: the origin of the tests is at no usual port.
            ("Host $host;", "Host $http_host;".to_owned()),
            ("/etc/letsencrypt/live/chat.example.org/fullchain.pem", format!("{folder}/certificate.pem")),
            ("/etc/letsencrypt/live/chat.example.org/privkey.pem", format!("{folder}/key.pem")),
        ],
        Kind::Caddy => vec![
            ("grace_period 10s", "grace_period 10s\n\tadmin off\n\tauto_https disable_redirects".to_owned()),
            (
                "\nchat.example.org {",
                format!("\nhttps://{address} {{\n\ttls {folder}/certificate.pem {folder}/key.pem"),
            ),
            ("reverse_proxy 127.0.0.1:8080 {", format!("reverse_proxy {server} {{")),
        ],
        Kind::Haproxy | Kind::HaproxyNodes => vec![
            ("chroot /var/lib/haproxy", String::new()),
            ("user haproxy", String::new()),
            ("group haproxy", String::new()),
            // Twice as many descriptors, which the tester may not have.
            ("maxconn 20000", "maxconn 500".to_owned()),
            ("bind :80\n", format!("bind {redirects}\n")),
            ("bind :443", format!("bind {address}")),
            ("/etc/haproxy/certs/chat.example.org.pem", format!("{folder}/both.pem")),
            if kind == Kind::Haproxy {
                ("server parlor 127.0.0.1:8080", format!("server parlor {server}"))
            } else {
                ("server node1 10.0.0.11:8080", format!("server node1 {server}"))
            },
        ],
    };
    changes.into_iter().map(|(from, to)| (from.to_owned(), to)).collect()
}

/// The rest of nginx.conf, which comes with nginx: here for one process in a folder of its own.
fn nginx_around(folder: &Path) -> String {
    let folder = folder.display();
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};"))
        .join("\n");
    format!(
        "daemon off; master_process off; pid {folder}/pid; error_log stderr info;
        events {{ worker_connections 1024; }}
        http {{ access_log off; {temp} include {folder}/parlor.conf; }}"
    )
}

/// A certificate for the loopback address, as files of each shape that a proxy wants.
fn certify(folder: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-keyout", "key.pem", "-out", "certificate.pem"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("openssl runs: `make test` installs it for root");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("openssl wrote it");
    let both = read("certificate.pem") + &read("key.pem");
    fs::write(folder.join("both.pem"), both).expect("it can be written");
}

/// A program by its name; `/usr/sbin` is in few people's PATH. None, and a line that says so, where it is missing.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|program| program.is_file());
    if found.is_none() {
        assert!(
            !rustix::process::getuid().is_root(),
            "{name} is not installed: `make test` does that for root"
        );
        println!("skipped: {name} is not installed, and only root can install it");
    }
    found
}
