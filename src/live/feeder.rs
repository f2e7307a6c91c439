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

/// Batches that wait for the feeder. When the queue is full a batch is left out, and the feeder reads it from the store.
const BATCHES: usize = 64;
/// Events read from the store at once.
const PAGE: i64 = 1_000;
/// How long the feeder waits after a failed read. Streams are late then, never wrong.
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
        // A full queue loses nothing: the feeder sees the hole in the positions, or that the head is beyond what it has.
        let _ = self.batches.try_send(events);
    }
}

/// The feeder's end of the queue. It is started once the store is open.
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
    /// Notes the present head of the log; must be called before anything can be written. The future follows the log from that
    /// head on, whenever it first runs, and ends with the journal.
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
            // Once the journal has ended the store closes, and no stream is left that could be given more.
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
