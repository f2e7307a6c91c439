//! The feeder: the one publisher of a node. It hands the log to the hub in order and without a hole: the journal's batches where
//! they continue it, else what it reads from the store. Where other nodes write to the same log, it also takes the batches that the bus
//! brings, reads when it hears that the log has grown, and looks every second without any hint.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::node::LiveNode;
use crate::bus::{self, Inbox};
use crate::domain::cursor::{Cursors, Epoch};
use crate::domain::event::Event;
use crate::domain::ids::Position;
use crate::storage::Error;

/// Batches that wait for the feeder. When the queue is full a batch is left out, and the feeder reads it from the store.
const BATCHES: usize = 64;
/// Events read from the store at once.
const PAGE: i64 = 1_000;
/// How long the feeder waits after a failed read. Streams are late then, never wrong.
const PAUSE: Duration = Duration::from_millis(200);
/// How often a log that other nodes write is looked at without a hint.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What was committed together, and in which epoch, where there can be several.
type Batch = (Option<Epoch>, Vec<Event>);

/// The journal's end: takes committed batches and never blocks.
#[derive(Clone)]
pub struct CommitQueue {
    batches: mpsc::Sender<Batch>,
    head: Arc<AtomicI64>,
}

impl CommitQueue {
    /// Announces what was committed, and in which epoch. Called in the order of the commits.
    pub fn committed(&self, epoch: Option<Epoch>, events: Vec<Event>) {
        let Some(last) = events.last() else { return };
        self.head.store(last.position.0, Ordering::Release);
        // A full queue loses nothing: the feeder sees the hole in the positions, or that the head is beyond what it has.
        let _ = self.batches.try_send((epoch, events));
    }
}

/// The feeder's end of the queue. It is started once the store is open.
pub struct Feeder {
    batches: mpsc::Receiver<Batch>,
    head: Arc<AtomicI64>,
    /// Where other nodes are heard.
    inbox: Option<Inbox>,
}

/// A feeder at work.
struct Following {
    feeder: Feeder,
    published: Position,
    /// Of the epoch of what was published.
    cursors: Cursors,
    /// Why the log cannot be read now, as it was said.
    trouble: Option<Error>,
    node: LiveNode,
    /// Where the last look found the log to end, if no hint had told so.
    unannounced: Option<Position>,
    /// How many looks were asked for and taken.
    looks: u64,
    meters: Arc<bus::Meters>,
}

/// Why the feeder looks at the log.
enum Reason {
    /// The journal has written this.
    Batch(Batch),
    /// Another node says that it has written this.
    Heard(Batch),
    /// Another node says that the log reaches this far.
    Hint(Position),
    /// A second has gone by, or something may have been missed.
    Time,
}

pub fn feeder() -> (CommitQueue, Feeder) {
    let (sender, receiver) = mpsc::channel(BATCHES);
    let head = Arc::new(AtomicI64::new(0));
    (CommitQueue { batches: sender, head: head.clone() }, Feeder { batches: receiver, head, inbox: None })
}

impl Feeder {
    /// Has it follow what other nodes write, too.
    #[must_use]
    pub fn hearing(self, inbox: Inbox) -> Self {
        Self { inbox: Some(inbox), ..self }
    }

    /// Notes the present head of the log; must be called before anything can be written. The future follows the log from that
    /// head on, whenever it first runs, and ends with the journal.
    pub async fn start(mut self, node: LiveNode) -> Result<impl Future<Output = ()> + Send + use<>, Error> {
        let began = Instant::now();
        let cursors = node.store.cursors().pinned();
        let published = node.store.head().await?;
        node.hub.begin(published);
        node.up_to_date.note(began);
        let inbox = self.inbox.take();
        let meters =
            inbox.as_ref().map_or_else(|| Arc::new(bus::Meters::new("none")), |inbox| inbox.meters.clone());
        let following = Following {
            feeder: self,
            published,
            cursors,
            trouble: None,
            node,
            unannounced: None,
            looks: 0,
            meters,
        };
        Ok(following.follow(inbox))
    }
}

impl Following {
    async fn follow(mut self, inbox: Option<Inbox>) {
        let Some(mut inbox) = inbox else {
            while let Some(batch) = self.feeder.batches.recv().await {
                self.take(&batch).await;
            }
            return;
        };
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while let Some(reason) = self.next(&mut inbox, &mut looks).await {
            match reason {
                Reason::Batch(batch) => self.take(&batch).await,
                Reason::Heard(batch) => self.take_heard(&batch).await,
                Reason::Hint(reach) => {
                    self.meters.used.inc();
                    self.read_up_to(reach).await;
                }
                Reason::Time => self.look(&inbox).await,
            }
        }
    }

    /// None once the journal has ended.
    async fn next(&mut self, inbox: &mut Inbox, looks: &mut Interval) -> Option<Reason> {
        loop {
            tokio::select! {
                biased;
                // First, or a busy log would never be looked at.
                _ = looks.tick() => return Some(Reason::Time),
                batch = self.feeder.batches.recv() => return batch.map(Reason::Batch),
                Some((epoch, events)) = inbox.batches.recv() => return Some(Reason::Heard((Some(epoch), events))),
                Ok(()) = inbox.reach.changed() => {
                    let reach = *inbox.reach.borrow_and_update();
                    if std::mem::replace(&mut self.looks, reach.looks) != reach.looks {
                        return Some(Reason::Time);
                    }
                    if reach.head > self.published {
                        return Some(Reason::Hint(reach.head));
                    }
                }
            }
        }
    }

    /// A batch that does not go on from what was published is left out: how far the log reaches is heard besides.
    async fn take_heard(&mut self, batch: &Batch) {
        if self.has_lost() {
            self.begin_again().await;
        } else if self.goes_on_with(batch) {
            self.meters.used.inc();
            // First who may see what, because the frames of these events are filtered by it.
            self.node.registry.heard(&batch.1);
            self.publish(&batch.1);
        }
    }

    async fn take(&mut self, batch: &Batch) {
        if self.has_lost() {
            self.begin_again().await;
        } else if self.goes_on_with(batch) {
            self.publish(&batch.1);
        }
        // Once the journal has ended the store closes, and no stream is left that could be given more.
        while self.published.0 < self.feeder.head.load(Ordering::Acquire)
            && self.feeder.batches.is_empty()
            && !self.feeder.batches.is_closed()
        {
            // The log of several nodes is looked at again within a second.
            if !self.read().await && self.node.store.is_shared() {
                break;
            }
        }
    }

    /// Whether a batch is the next stretch of the log. One of an epoch that is over may have been lost.
    fn goes_on_with(&self, (epoch, events): &Batch) -> bool {
        let is_next = events.first().is_some_and(|event| event.position == self.published.next());
        is_next && epoch.is_none_or(|epoch| epoch == self.cursors.epoch())
    }

    async fn read_up_to(&mut self, reach: Position) {
        while self.published < reach && !self.feeder.batches.is_closed() && self.read().await {}
    }

    /// Looks at the end of the log, and reads what there is.
    async fn look(&mut self, inbox: &Inbox) {
        let began = Instant::now();
        let told = inbox.reach.borrow().head.max(Position(self.feeder.head.load(Ordering::Acquire)));
        match self.node.store.end_of_log().await {
            Ok(head) if head < self.published || self.has_lost() => self.begin_again().await,
            Ok(head) => {
                // What was found a look ago had time to be told.
                if self.unannounced.take().is_some_and(|found| found > told) {
                    self.meters.missed.inc();
                }
                self.unannounced = Some(head).filter(|head| *head > told);
                self.read_up_to(head).await;
                if self.published >= head {
                    self.node.up_to_date.note(began);
                    self.can_read();
                }
            }
            Err(error) => self.cannot_read(error),
        }
    }

    /// Whether the log that goes on now lacks a part of what was published. An epoch is known before anything of it can be published.
    fn has_lost(&mut self) -> bool {
        let Some(cursors) = self.cursors.going_on_from(self.published) else { return true };
        self.cursors = cursors;
        false
    }

    /// The database has lost what this node has already shown. All streams end; their cursors are of a time that is gone.
    async fn begin_again(&mut self) {
        let store = &self.node.store;
        let looked = store.look_for_loss().await;
        let cursors = store.cursors().pinned();
        let head = match looked {
            Ok(()) => store.end_of_log().await,
            Err(error) => Err(error),
        };
        let head = match head {
            Ok(head) => head,
            Err(error) => return self.cannot_read(error),
        };
        tracing::error!(
            head = head.0,
            published = self.published.0,
            "the database has lost a part of the log: all streams begin again"
        );
        // First the mark: a stream that opens from now on begins at it, and those that were open end.
        self.node.hub.begin(head);
        self.node.registry.begin_again();
        self.feeder.head.store(head.0, Ordering::Release);
        (self.published, self.cursors) = (head, cursors);
    }

    /// Publishes a page of the log. False when it could not be read, or when there is nothing more.
    async fn read(&mut self) -> bool {
        self.meters.pages.inc();
        match self.node.store.log_events(self.published, PAGE).await {
            Ok(_) if self.has_lost() => {
                self.begin_again().await;
                false
            }
            // Another epoch has begun since the page was read, so what it shows may be lost: it is read again.
            Ok((epoch, _)) if epoch.is_some_and(|epoch| epoch != self.cursors.epoch()) => {
                tokio::time::sleep(PAUSE).await;
                true
            }
            Ok((_, events)) => {
                // First who may see what, because the frames of these events are filtered by it.
                self.node.registry.heard(&events);
                self.publish(&events);
                self.can_read();
                !events.is_empty()
            }
            Err(error) => {
                self.cannot_read(error);
                tokio::time::sleep(PAUSE).await;
                false
            }
        }
    }

    /// Says so once, and again when there is another reason.
    fn cannot_read(&mut self, error: Error) {
        match (&self.trouble, &error) {
            // The words differ with the state of the connection.
            (Some(Error::Unavailable(_)), Error::Unavailable(_)) => return,
            (Some(said), error) if said.to_string() == error.to_string() => return,
            (_, Error::Unavailable(_) | Error::Overloaded) => {
                tracing::warn!(%error, "the log cannot be read: nothing more is published until it can");
            }
            _ => tracing::error!(%error, "the log cannot be read: nothing more is published until it can"),
        }
        self.trouble = Some(error);
    }

    fn can_read(&mut self) {
        if self.trouble.take().is_some() {
            tracing::info!("the log can be read again");
        }
    }

    fn publish(&mut self, events: &[Event]) {
        #[cfg(debug_assertions)]
        crate::breakdown::at("feeder", events);
        self.node.hub.publish(events, &self.cursors);
        self.published = events.last().map_or(self.published, |event| event.position);
        self.node.store.saw(self.published);
    }
}
