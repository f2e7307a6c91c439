//! The server that `storage.url` names: how it is reached, and what each connection to it is told.

use std::fs;
use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::storage::error::Failure;

/// How long opening a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// A silent connection is asked for a sign of life after this long.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// A connection whose other end acknowledges nothing for this long is given up.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// What each connection is told. A node that hangs while it holds the row of the log must not stop the others, and nobody waits
/// for the row longer than for a disk. Nothing bounds a statement by time: PostgreSQL would break off a commit that waits for its
/// standby, and call it committed.
const SETTINGS: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = '2s'; SET lock_timeout = '5s'; \
                        SET client_min_messages = error; SET timezone = 'UTC'";

/// Where notifications go. It has no bound: they are short, and whoever gets them only notes them.
type Notify = mpsc::UnboundedSender<String>;

/// Where the database is.
pub struct Server {
    config: Config,
    tls: Option<MakeRustlsConnect>,
    /// Without the password.
    name: String,
}

/// Why a URL names no database. None of them has the password in it.
#[derive(Debug, Error)]
pub enum UrlError {
    #[error(
        "it is not a PostgreSQL URL, such as postgres://user:password@host:5432/database, or has a parameter that is not known"
    )]
    Malformed,
    #[error("it names no {0}")]
    Lacks(&'static str),
    #[error("its sslmode is {0:?}; expected: disable or require")]
    SslMode(String),
    #[error("its sslrootcert {0} cannot be read as certificates in PEM")]
    Certificates(PathBuf),
}

impl Server {
    /// Reads a URL. `sslmode=require` checks the server's certificate and its name; it holds by default unless the server is on
    /// this machine. `sslrootcert` names the certificates that are trusted, instead of the system's.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (rest, mode, root) = take_tls(text)?;
        let mut config: Config = rest.parse().map_err(|_| UrlError::Malformed)?;
        let host = config.get_hosts().first().ok_or(UrlError::Lacks("host"))?;
        let database = config.get_dbname().ok_or(UrlError::Lacks("database"))?;
        if config.get_user().is_none() {
            return Err(UrlError::Lacks("user"));
        }
        let is_near = config.get_hosts().iter().all(is_near)
            && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback);
        let host = match host {
            Host::Tcp(host) => host.clone(),
            Host::Unix(path) => path.display().to_string(),
        };
        let name = format!("{database} at {host}");
        let wants_tls = match mode.as_deref() {
            None => !is_near,
            Some("disable") => false,
            Some("require") => true,
            Some(other) => return Err(UrlError::SslMode(other.into())),
        };
        let tls = if wants_tls { Some(tls(root)?) } else { None };
        config
            .ssl_mode(if wants_tls { SslMode::Require } else { SslMode::Disable })
            .connect_timeout(CONNECT)
            .keepalives_idle(KEEPALIVE)
            .keepalives_interval(KEEPALIVE)
            .keepalives_retries(2)
            .tcp_user_timeout(UNACKNOWLEDGED)
            // Never a standby, which may be behind.
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .application_name("parlor");
        Ok(Self { config, tls, name })
    }

    /// How the operator knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A new connection, which works as long as the client is kept.
    pub async fn connect(&self) -> Result<Client, Failure> {
        self.connect_in_time(None).await
    }

    /// The same. What is notified on the channels that the client listens to is sent to `notify`.
    pub async fn connect_to_listen(&self, notify: Notify) -> Result<Client, Failure> {
        self.connect_in_time(Some(notify)).await
    }

    async fn connect_in_time(&self, notify: Option<Notify>) -> Result<Client, Failure> {
        let connected = tokio::time::timeout(CONNECT, self.connect_now(notify)).await;
        connected.map_err(|_| Failure::lost("the database does not answer"))?
    }

    async fn connect_now(&self, notify: Option<Notify>) -> Result<Client, Failure> {
        let client = if let Some(tls) = &self.tls {
            let (client, connection) = self.config.connect(tls.clone()).await?;
            tokio::spawn(drive(connection, notify));
            client
        } else {
            let (client, connection) = self.config.connect(NoTls).await?;
            tokio::spawn(drive(connection, notify));
            client
        };
        client.batch_execute(SETTINGS).await?;
        Ok(client)
    }
}

/// Works for a client until that is dropped or the connection is lost.
async fn drive<S, T>(mut connection: tokio_postgres::Connection<S, T>, notify: Option<Notify>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match (message, &notify) {
            (Ok(AsyncMessage::Notification(said)), Some(notify)) => {
                // Nobody listens any more.
                let _ = notify.send(said.payload().to_owned());
            }
            (Ok(_), _) => {}
            (Err(error), _) => {
                tracing::debug!(%error, "a connection to the database was lost");
                return;
            }
        }
    }
}

/// Whether a host is this machine.
fn is_near(host: &Host) -> bool {
    match host {
        Host::Tcp(host) => {
            host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        }
        Host::Unix(_) => true,
    }
}

/// Takes the parameters out of a URL that the library does not know.
fn take_tls(text: &str) -> Result<(String, Option<String>, Option<PathBuf>), UrlError> {
    if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
        return Err(UrlError::Malformed);
    }
    let (base, query) = text.split_once('?').unwrap_or((text, ""));
    let (mut mode, mut root, mut kept) = (None, None, Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value.to_owned()),
            Some(("sslrootcert", value)) => root = Some(PathBuf::from(value)),
            _ => kept.push(pair),
        }
    }
    let rest = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
    Ok((rest, mode, root))
}

fn tls(root: Option<PathBuf>) -> Result<MakeRustlsConnect, UrlError> {
    let mut roots = RootCertStore::empty();
    match root {
        Some(path) => {
            let unusable = || UrlError::Certificates(path.clone());
            let pem = fs::read(&path).map_err(|_| unusable())?;
            for certificate in CertificateDer::pem_slice_iter(&pem) {
                roots.add(certificate.map_err(|_| unusable())?).map_err(|_| unusable())?;
            }
            if roots.is_empty() {
                return Err(unusable());
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows the usual versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
