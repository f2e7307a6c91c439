//! Where what other nodes say arrives. Every queue is bounded: what is too much is left out, and the store is asked instead.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::Whisper;
use super::cluster::{Cluster, Heard};
use super::message::Said;
use super::meters::Meters;
use crate::domain::cursor::Epoch;
use crate::domain::event::Event;
use crate::domain::ids::Position;

/// Batches of other nodes that wait for the feeder.
const BATCHES: usize = 64;
/// Whispers that wait to be taken.
const WHISPERS: usize = 4_096;

/// How far the log reaches, as other nodes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    epoch: Epoch,
    pub head: Position,
    /// How often the log has to be looked at, because something may have been missed.
    pub looks: u64,
}

/// The end into which a way of the bus puts what it hears.
pub struct Ears {
    cluster: Cluster,
    meters: Arc<Meters>,
    batches: mpsc::Sender<(Epoch, Vec<Event>)>,
    reach: watch::Sender<Reach>,
    whispers: mpsc::Sender<Whisper>,
}

/// The end from which it is taken.
pub struct Inbox {
    /// What was committed, where the bus carries it, and in which epoch. A node's batches come in the order of its commits.
    pub batches: mpsc::Receiver<(Epoch, Vec<Event>)>,
    pub reach: watch::Receiver<Reach>,
    pub meters: Arc<Meters>,
}

/// The two ends, and that of whispers, which somebody else takes.
pub fn inbox(cluster: Cluster, meters: Arc<Meters>) -> (Ears, Inbox, mpsc::Receiver<Whisper>) {
    let (batches, batches_heard) = mpsc::channel(BATCHES);
    let reach = watch::Sender::new(Reach { epoch: cluster.epoch(), head: Position(0), looks: 0 });
    let (whispers, whispers_heard) = mpsc::channel(WHISPERS);
    let inbox = Inbox { batches: batches_heard, reach: reach.subscribe(), meters: meters.clone() };
    (Ears { cluster, meters, batches, reach, whispers }, inbox, whispers_heard)
}

impl Ears {
    /// Takes a message. One that is not of the present epoch is not believed, and neither is one of this node.
    pub fn hear(&self, text: &str) {
        match self.cluster.read(text) {
            Heard::Message(epoch, said) if epoch == self.cluster.epoch() => {
                self.meters.heard.inc();
                self.take(epoch, said);
            }
            Heard::Message(..) | Heard::Unknown => {
                self.meters.not_understood.inc();
                self.look();
            }
            // It may come as often as somebody likes, so it costs no look. One is taken each second.
            Heard::Foreign => drop(self.meters.foreign.inc()),
            Heard::Own => {}
        }
    }

    fn take(&self, epoch: Epoch, said: Said) {
        match said {
            Said::Reaches(head) => self.reaches(epoch, head),
            Said::Events(events) => {
                let Some(head) = events.last().map(|event| event.position) else { return };
                // First the events: the feeder reads the store when it hears how far the log reaches and lacks them.
                let _ = self.batches.try_send((epoch, events));
                self.reaches(epoch, head);
            }
            Said::Whispers(whispers) => {
                for whisper in whispers {
                    let _ = self.whispers.try_send(whisper);
                }
            }
        }
    }

    fn reaches(&self, epoch: Epoch, head: Position) {
        self.reach.send_if_modified(|reach| {
            let is_news = reach.epoch != epoch || reach.head < head;
            if is_news {
                (reach.epoch, reach.head) = (epoch, head);
            }
            is_news
        });
    }

    /// The way is open again after it was not: whatever was said meanwhile was missed.
    pub fn connected(&self) {
        self.meters.connected.inc();
        self.look();
    }

    /// Something may have been missed.
    pub fn look(&self) {
        self.reach.send_modify(|reach| reach.looks += 1);
    }
}
