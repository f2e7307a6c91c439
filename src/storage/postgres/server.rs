//! The server that `storage.url` names: how it is reached, and what each connection to it is told.

use std::fs;
use std::future::poll_fn;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{FutureExt, select_ok};
use prometheus_client::metrics::counter::Counter;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres::{AsyncMessage, Client, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::url::{OneHost, Url, UrlError};
use crate::storage::error::Failure;

/// How long opening a connection may take, whatever hosts are tried.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an address may take to accept a connection. A name that has several addresses is tried at each of them in turn.
const ACCEPT: Duration = Duration::from_secs(2);
/// How long a host is tried alone. Then the next one is tried beside it: the machine of the first may be gone, and say nothing.
const ALONE: Duration = Duration::from_millis(300);
/// A silent connection is asked for a sign of life after this long.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// A connection whose other end acknowledges nothing for this long is given up.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// What each connection is told. A node that hangs while it holds the row of the log must not stop the others, and nobody waits
/// for the row longer than for a disk. Nothing bounds a statement by time: PostgreSQL would break off a commit that waits for its
/// standby, and call it committed.
const SETTINGS: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = '2s'; SET lock_timeout = '5s'; \
                        SET client_min_messages = warning; SET timezone = 'UTC'";

/// What breaks off a commit's wait for its standby, in the server's own code: its words depend on its language.
const BREAKS_OFF: &str = "SyncRepWaitForLSN";

/// That a commit has not waited for its standby, as the server warns, until it is taken.
#[derive(Clone, Default)]
pub(super) struct Warning(Arc<Mutex<Option<String>>>);

impl Warning {
    pub fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, text: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}

/// Where notifications go. It has no bound: they are short, and whoever gets them only notes them.
type Notify = mpsc::UnboundedSender<String>;

/// Where the database is: one of several hosts takes writes, and after a failover it is another one than before.
pub struct Server {
    /// In the order of the URL; at least one.
    hosts: Vec<OneHost>,
    /// The host that has taken the last connection. It is tried first.
    latest: AtomicUsize,
    tls: Option<MakeRustlsConnect>,
    /// Without the password.
    name: String,
    opened: Counter,
}

impl Server {
    /// Reads a URL, which may name several hosts: the one that takes writes is used. `sslmode=require` checks the server's certificate
    /// and its name; it holds by default unless all hosts are this machine. `sslrootcert` names the certificates that are trusted,
    /// instead of the system's.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let Url { mut hosts, database, is_encrypted, root } = Url::parse(text)?;
        for host in &mut hosts {
            host.config
                .ssl_mode(if is_encrypted { SslMode::Require } else { SslMode::Disable })
                .connect_timeout(ACCEPT)
                .keepalives_idle(KEEPALIVE)
                .keepalives_interval(KEEPALIVE)
                .keepalives_retries(2)
                .tcp_user_timeout(UNACKNOWLEDGED)
                // Never a standby, which may be behind.
                .target_session_attrs(TargetSessionAttrs::ReadWrite)
                .application_name("parlor");
        }
        let tls = if is_encrypted { Some(tls(root)?) } else { None };
        let names: Vec<&str> = hosts.iter().map(|host| &*host.name).collect();
        let name = format!("{database} at {}", names.join(" or "));
        Ok(Self { hosts, latest: AtomicUsize::new(0), tls, name, opened: Counter::default() })
    }

    /// Counts the connections that were opened.
    pub(super) fn opened(&self) -> Counter {
        self.opened.clone()
    }

    /// How the operator knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A new connection, which works as long as the client is kept.
    pub(super) async fn connect(&self) -> Result<(Client, Warning), Failure> {
        self.connect_in_time(None).await
    }

    /// The same. What is notified on the channels that the client listens to is sent to `notify`.
    pub async fn connect_to_listen(&self, notify: Notify) -> Result<Client, Failure> {
        Ok(self.connect_in_time(Some(notify)).await?.0)
    }

    async fn connect_in_time(&self, notify: Option<Notify>) -> Result<(Client, Warning), Failure> {
        let connected = tokio::time::timeout(CONNECT, self.connect_anywhere(notify)).await;
        connected.map_err(|_| Failure::lost("the database does not answer"))?
    }

    /// Tries the hosts one after the other, without waiting long for one before the next. The first that takes writes is used.
    async fn connect_anywhere(&self, notify: Option<Notify>) -> Result<(Client, Warning), Failure> {
        if let [host] = &self.hosts[..] {
            return self.connect_to(host, notify).await;
        }
        let (count, latest) = (self.hosts.len(), self.latest.load(Ordering::Relaxed));
        let failures = Mutex::new(Vec::new());
        let tries = (0..count).map(|turn| {
            let (at, notify, failures) = ((latest + turn) % count, notify.clone(), &failures);
            async move {
                // `turn` is less than the number of hosts.
                tokio::time::sleep(ALONE * u32::try_from(turn).unwrap_or(u32::MAX)).await;
                let host = &self.hosts[at];
                let connected = self.connect_to(host, notify).await;
                connected.map(|connected| (at, connected)).map_err(|failure| {
                    let mut failures = failures.lock().unwrap_or_else(PoisonError::into_inner);
                    failures.push((host.name.clone(), failure));
                })
            }
            .boxed()
        });
        let Ok(((at, connected), _)) = select_ok(tries).await else {
            return Err(Failure::of_hosts(&failures.into_inner().unwrap_or_else(PoisonError::into_inner)));
        };
        self.latest.store(at, Ordering::Relaxed);
        Ok(connected)
    }

    async fn connect_to(&self, host: &OneHost, notify: Option<Notify>) -> Result<(Client, Warning), Failure> {
        let warning = Warning::default();
        let client = if let Some(tls) = &self.tls {
            let (client, connection) = host.config.connect(tls.clone()).await?;
            tokio::spawn(drive(connection, notify, warning.clone()));
            client
        } else {
            let (client, connection) = host.config.connect(NoTls).await?;
            tokio::spawn(drive(connection, notify, warning.clone()));
            client
        };
        client.batch_execute(SETTINGS).await?;
        self.opened.inc();
        Ok((client, warning))
    }
}

/// Works for a client until that is dropped or the connection is lost.
async fn drive<S, T>(
    mut connection: tokio_postgres::Connection<S, T>,
    notify: Option<Notify>,
    warning: Warning,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match (message, &notify) {
            (Ok(AsyncMessage::Notification(said)), Some(notify)) => {
                // Nobody listens any more.
                let _ = notify.send(said.payload().to_owned());
            }
            (Ok(AsyncMessage::Notice(notice)), _) if notice.routine() == Some(BREAKS_OFF) => {
                warning.set(notice.message().to_owned());
            }
            (Ok(_), _) => {}
            (Err(error), _) => {
                tracing::debug!(%error, "a connection to the database was lost");
                return;
            }
        }
    }
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
