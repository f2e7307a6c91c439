//! The composition root: opens the store, starts what runs beside the requests, and takes it all down again. The only file
//! that knows every part by name.

mod bus;
mod copy;
mod keys;
mod settings;
mod signals;
mod upkeep;

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::bus::Others;
pub use self::bus::check_bus;
pub use self::copy::copy;
use self::settings::{api_settings, front_limits, policy, stream_limits};
use self::signals::told_to_stop;
use self::upkeep::tidy_up;
use crate::api;
use crate::chat::{Chat, Hashing, Limits, NewAccount, SigningKey, Tokens};
use crate::config::Config;
use crate::domain::clock::{Clock, Timestamp};
use crate::domain::ids::Ids;
use crate::domain::names::{DisplayName, Username};
use crate::domain::password::Password;
use crate::http::{self, Meters};
use crate::live::{self, Live, LiveNode, Registry, UpToDate};
use crate::metrics::{self, Process};
use crate::secrets::Secrets;
use crate::stderr::Stderr;
use crate::storage::{Committed, Location, Purpose, Server, Store};

/// How long streams may take to say `bye` when the server stops; those that are still open then are cut.
const STREAMS_END: Duration = Duration::from_secs(12);

/// The least time that streams get, even if requests have taken all of it.
const STREAMS_CUT: Duration = Duration::from_secs(1);

/// What the program was started for.
#[derive(Clone, Copy)]
enum Errand {
    Serve,
    Command,
}

/// Everything between the configuration and the requests.
struct House {
    store: Arc<Store>,
    live: Live,
    chat: Arc<Chat>,
    tasks: TaskTracker,
    /// Ends by itself when the journal has ended, so it is waited for after the store is closed.
    feeder: JoinHandle<()>,
    others: Arc<Others>,
}

/// Serves until the process is told to stop, or the store fails in a way that only a restart mends.
pub async fn serve(config: Config, stderr: &Stderr) -> anyhow::Result<()> {
    let clock = wall_clock();
    let started = clock.now();
    let listener = http::bind(config.server.listen).with_context(|| {
        format!("cannot listen on {}; choose another address with --listen", config.server.listen)
    })?;
    let address = listener.local_addr().context("the listening socket has no address")?;
    let scrapes = config.metrics.listen.map(bind_metrics).transpose()?;
    let mut house = House::open(&config, clock, Errand::Serve).await?;
    house.chat.recall_sessions().await.context("the sessions cannot be read")?;
    let stop = CancellationToken::new();
    let meters = Arc::new(Meters::default());
    if let Some(listener) = scrapes {
        let figures = figures(started, &house, &meters, stderr);
        house.tasks.spawn(metrics::serve(listener, figures, config.limits.head, stop.clone()));
    }
    house.tasks.spawn(tidy_up(house.chat.clone(), config.log.retention, stop.clone()));
    let node = house.live.node();
    let (up_to_date, registry) = (node.up_to_date.clone(), node.registry.clone());
    house.tasks.spawn(live::end_what_is_out_of_date(up_to_date, registry, stop.clone()));

    let service = api::service(house.chat.clone(), api_settings(&config, address));
    let front = http::serve(listener, service, front_limits(&config), meters, stop.clone());
    let told_to_stop = told_to_stop()?;
    say_ready(address)?;

    let failed = tokio::select! {
        () = told_to_stop => false,
        () = house.store.failed() => true,
        // The feeder ends early only if it breaks down, or if the journal ended and has logged why. Without a feeder streams
        // would stay open and silent.
        ended = &mut house.feeder => {
            if ended.is_err() {
                tracing::error!("the feeder broke down: nothing is published any more");
            }
            true
        }
        () = stopped(house.tasks.spawn(front)) => false,
    };
    tracing::info!(failed, "stopping");
    house.end(&stop).await;
    if failed {
        return Err(anyhow!(
            "the server cannot go on, and the log says why; it is recovered at the next start"
        ));
    }
    Ok(())
}

/// The published document.
pub fn openapi() -> String {
    api::spec::document()
}

/// Makes an account from the command line.
pub async fn add_user(
    config: Config,
    name: &str,
    display_name: Option<&str>,
    password: &str,
    admin: bool,
) -> anyhow::Result<()> {
    let username = Username::parse(name).map_err(|e| anyhow!("the username {e}"))?;
    let display_name =
        display_name.map(DisplayName::parse).transpose().map_err(|e| anyhow!("the display name {e}"))?;
    let password = new_password(&config, password)?;
    let house = House::open(&config, wall_clock(), Errand::Command).await?;
    let made = house.chat.add_user(NewAccount { username, password, display_name, admin }).await;
    house.store.close().await;
    made.map(drop).map_err(Into::into)
}

/// Gives an account a new password from the command line, and ends its sessions.
pub async fn set_password(config: Config, name: &str, password: &str) -> anyhow::Result<()> {
    let username = Username::lookup(name).map_err(|e| anyhow!("the username {e}"))?;
    let password = new_password(&config, password)?;
    let house = House::open(&config, wall_clock(), Errand::Command).await?;
    let set = house.chat.reset_password(&username, password).await;
    house.store.close().await;
    set.map_err(Into::into)
}

/// The text of a new file of keys.
pub fn new_secrets() -> String {
    Secrets::draw(Ids::new(wall_clock())).to_text()
}

/// Makes the database forget with which keys it was served.
pub async fn forget_secrets(config: Config) -> anyhow::Result<()> {
    let house = House::open(&config, wall_clock(), Errand::Command).await?;
    let forgotten = house.store.forget_keys().await;
    house.store.close().await;
    forgotten.map_err(Into::into)
}

fn new_password(config: &Config, text: &str) -> anyhow::Result<Password> {
    Password::new(text, config.accounts.min_password as usize).map_err(|e| anyhow!("the password {e}"))
}

impl House {
    /// Opens the store and makes what works on it. Long because each part needs the ones before it.
    async fn open(config: &Config, clock: Clock, errand: Errand) -> anyhow::Result<Self> {
        let (ids, tasks) = (Ids::new(clock), TaskTracker::new());
        let registry = Arc::new(Registry::new(clock, config.auth.access_token, stream_limits(config)));
        let (commits, mut feeder) = live::feeder();
        let others: Arc<Others> = Arc::default();
        let on_commit = {
            let (registry, others) = (registry.clone(), others.clone());
            Box::new(move |committed: Committed| {
                // First who may see what, because the frames of these events are filtered by it.
                registry.committed(&committed);
                others.tell(&committed);
                commits.committed(committed.epoch, committed.events);
            })
        };
        let (secrets, purpose) = match errand {
            Errand::Serve => {
                let (secrets, keys) = keys::of_node(config, ids)?;
                (secrets, Purpose::Serve(keys))
            }
            // No command signs anything, so it works without the keys of the server.
            Errand::Command => (Secrets::draw(ids), Purpose::Command),
        };
        let store = Arc::new(Store::open(&location(config)?, purpose, ids, on_commit).await?);
        let node = LiveNode {
            store: store.clone(),
            hub: Arc::default(),
            registry,
            up_to_date: Arc::new(UpToDate::new(store.is_shared())),
            meters: Arc::default(),
            clock,
            ids,
            heartbeat: config.streams.heartbeat,
            slow_after: config.streams.slow_after,
        };
        let inbox = match errand {
            Errand::Serve => others.open(config, &store, node.registry.clone()).await?,
            // Its transactions tell other nodes by PostgreSQL. Those that hear NATS alone find it within a second.
            Errand::Command => None,
        };
        if let Some(inbox) = inbox {
            feeder = feeder.hearing(inbox);
        }
        // Before the first write: whatever is written from now on is published.
        let following = feeder.start(node.clone()).await.context("the log cannot be read")?;
        let feeder = tokio::spawn(following);

        let keys =
            secrets.token_keys.iter().map(|key| SigningKey { kid: &key.kid, secret: key.secret.bytes() });
        let tokens = Tokens::new(&keys.collect::<Vec<_>>(), secrets.root.bytes(), ids);
        let hashing =
            Hashing::start(config.auth.hash_threads, ids).context("no thread for hashing passwords")?;
        let limits = Limits::new(config.limits.clone());
        let live = Live::new(node);
        let chat = Arc::new(Chat::new(live.clone(), hashing, tokens, limits, policy(config), tasks.clone()));
        Ok(Self { store, live, chat, tasks, feeder, others })
    }

    /// Lets requests and streams end in their time, then the store, and last the feeder.
    async fn end(self, stop: &CancellationToken) {
        self.live.registry().close();
        stop.cancel();
        let began = Instant::now();
        self.tasks.close();
        self.tasks.wait().await;
        // From here on no request can become a stream. The open streams have been ending since `close`.
        self.live.finish(STREAMS_END.saturating_sub(began.elapsed()).max(STREAMS_CUT)).await;
        self.store.close().await;
        if !self.feeder.is_finished() {
            stopped(self.feeder).await;
        }
        self.others.end().await;
    }
}

/// Where the configuration says that the database is.
fn location(config: &Config) -> anyhow::Result<Location> {
    let Some(url) = &config.storage.url else { return Ok(Location::Folder(config.storage.data.clone())) };
    let server = Server::parse(url.secret()).map_err(|error| anyhow!("storage.url: {error}"))?;
    Ok(Location::Server(Arc::new(server)))
}

/// Tries whether a node with this configuration can serve the database of several nodes; changes nothing. None where there is none.
pub async fn check_database(config: &Config) -> anyhow::Result<Option<String>> {
    let (location, clock) = (location(config)?, wall_clock());
    if matches!(location, Location::Folder(_)) {
        return Ok(None);
    }
    let (_, keys) = keys::of_node(config, Ids::new(clock))?;
    Ok(location.check(keys, clock).await?)
}

/// The one clock of the process, from which everything else gets the time.
fn wall_clock() -> Clock {
    #[cfg(debug_assertions)]
    return crate::test_clock::clock();
    #[cfg(not(debug_assertions))]
    Clock::SYSTEM
}

/// Everything that is measured; each layer has meters of its own.
fn figures(
    started: Timestamp,
    house: &House,
    front: &Meters,
    stderr: &Stderr,
) -> prometheus_client::registry::Registry {
    let mut figures = prometheus_client::registry::Registry::default();
    front.register(&mut figures);
    stderr.register(&mut figures);
    house.chat.meters().register(&mut figures);
    house.store.meters().register(&mut figures);
    house.live.meters().register(&mut figures);
    house.live.node().up_to_date.register(&mut figures);
    house.others.register(&mut figures);
    #[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 are below 2^53")]
    let started = started.micros() as f64 / 1e6;
    Process { started, version: env!("CARGO_PKG_VERSION") }.register(&mut figures);
    figures
}

/// The address is logged. Standard output is for the ready line alone.
fn bind_metrics(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = http::bind(address).with_context(|| {
        format!("cannot listen on {address} for metrics; choose another address in metrics.listen")
    })?;
    let address = listener.local_addr().context("the listening socket has no address")?;
    tracing::info!("metrics on http://{address}/metrics");
    Ok(listener)
}

/// Writes the ready line to standard output once requests are answered, for the program that has started this one and waits.
/// A thread of its own writes it, because standard output may be a pipe that is full: it often is the same pipe as the log.
fn say_ready(address: SocketAddr) -> anyhow::Result<()> {
    let say = move || {
        if let Err(error) = writeln!(io::stdout(), "listening on http://{address}") {
            tracing::warn!(%error, "the ready line cannot be written to standard output");
        }
    };
    std::thread::Builder::new()
        .name("ready line".into())
        .spawn(say)
        .context("no thread for the ready line")?;
    Ok(())
}

async fn stopped(task: JoinHandle<()>) {
    if let Err(error) = task.await {
        tracing::error!(%error, "a task of the server has broken down");
    }
}
