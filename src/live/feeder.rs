//! The feeder: the one publisher of a node. It hands the log to the hub in order and without a hole, from the journal's
//! batches where they continue it, else from the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::hub::Hub;
use crate::domain::event::Event;
use crate::domain::ids::Position;
use crate::storage::{Error, Store};

/// Batches on their way from the journal. When it is full a batch is left out here and read from the store instead.
const BATCHES: usize = 64;
/// Events read from the store at once.
const PAGE: i64 = 1_000;
/// After a failed read the feeder tries again: streams are late then, never wrong.
const PAUSE: Duration = Duration::from_millis(200);

/// The journal's end: takes committed batches and never blocks.
#[derive(Clone)]
pub struct CommitQueue {
    batches: mpsc::Sender<Vec<Event>>,
    head: Arc<AtomicI64>,
}

impl CommitQueue {
    /// Announces what was committed. Called in the order of the commits.
    pub fn committed(&self, events: Vec<Event>) {
        let Some(last) = events.last() else { return };
        self.head.store(last.position.0, Ordering::Release);
        // A full queue loses nothing: the feeder sees the hole, or the head beyond what it has.
        let _ = self.batches.try_send(events);
    }
}

/// The other end, to be run once the store is open.
pub struct Feeder {
    batches: mpsc::Receiver<Vec<Event>>,
    head: Arc<AtomicI64>,
}

pub fn feeder() -> (CommitQueue, Feeder) {
    let (sender, receiver) = mpsc::channel(BATCHES);
    let head = Arc::new(AtomicI64::new(0));
    (CommitQueue { batches: sender, head: head.clone() }, Feeder { batches: receiver, head })
}

impl Feeder {
    /// Notes the present end of the log. To be called before anything can be written; the future follows the log from
    /// there on, whenever it first runs, and ends when the journal has gone.
    pub async fn start(
        self,
        store: Arc<Store>,
        hub: Arc<Hub>,
    ) -> Result<impl Future<Output = ()> + Send, Error> {
        let published = store.head().await?;
        hub.begin(published);
        Ok(self.follow(published, store, hub))
    }

    async fn follow(mut self, mut published: Position, store: Arc<Store>, hub: Arc<Hub>) {
        while let Some(batch) = self.batches.recv().await {
            #[cfg(debug_assertions)]
            crate::breakdown::at("feeder", &batch);
            if batch.first().is_some_and(|event| event.position == published.next()) {
                hub.publish(&batch, store.cursors());
                published = batch.last().map_or(published, |event| event.position);
            }
            // Once the journal has gone the store closes, and nobody is left to read to.
            while published.0 < self.head.load(Ordering::Acquire)
                && self.batches.is_empty()
                && !self.batches.is_closed()
            {
                published = catch_up(published, &store, &hub).await;
            }
        }
    }
}

async fn catch_up(published: Position, store: &Store, hub: &Hub) -> Position {
    match store.log_events(published, PAGE).await {
        Ok(events) => {
            hub.publish(&events, store.cursors());
            events.last().map_or(published, |event| event.position)
        }
        Err(error) => {
            tracing::error!(%error, "the log could not be read for publishing");
            tokio::time::sleep(PAUSE).await;
            published
        }
    }
}
