//! Gathers whispers for a moment, so that many of them make one message.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Whisper;
use super::cluster::Cluster;
use super::meters::Meters;

/// How long a whisper waits for others.
const WAIT: Duration = Duration::from_millis(250);
/// Whispers that wait to be sent. One that finds no place is left out.
const WAITING: usize = 4_096;

/// The end into which whispers are put.
pub struct Whispers {
    queue: mpsc::Sender<Whisper>,
    meters: Arc<Meters>,
}

/// The end from which they are taken, together.
pub struct Gathered {
    queue: mpsc::Receiver<Whisper>,
    cluster: Cluster,
    /// Most bytes of a message.
    longest: usize,
    meters: Arc<Meters>,
    waiting: Vec<Whisper>,
    until: Instant,
}

/// `longest` is the most bytes that a message of the bus may have.
pub fn gather(cluster: Cluster, longest: usize, meters: Arc<Meters>) -> (Whispers, Gathered) {
    let (sender, queue) = mpsc::channel(WAITING);
    let whispers = Whispers { queue: sender, meters: meters.clone() };
    (whispers, Gathered { queue, cluster, longest, meters, waiting: Vec::new(), until: Instant::now() })
}

impl Whispers {
    pub fn add(&self, whisper: Whisper) {
        if self.queue.try_send(whisper).is_err() {
            self.meters.unsent.inc();
        }
    }
}

impl Gathered {
    /// The messages of the next quarter of a second in which there is something to say. None once nobody can whisper any more.
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Vec<String>> {
        if self.waiting.is_empty() {
            let first = self.queue.recv().await?;
            self.waiting.push(first);
            self.until = Instant::now() + WAIT;
        }
        while self.waiting.len() < WAITING
            && let Ok(Some(next)) = tokio::time::timeout_at(self.until, self.queue.recv()).await
        {
            self.waiting.push(next);
        }
        let mut messages = Vec::new();
        let waiting = std::mem::take(&mut self.waiting);
        self.pack(&waiting, &mut messages);
        Some(messages)
    }

    /// Halves what is too long for one message.
    fn pack(&self, whispers: &[Whisper], messages: &mut Vec<String>) {
        let message = self.cluster.whispers(whispers);
        if message.len() <= self.longest {
            messages.push(message);
        } else if whispers.len() > 1 {
            let (one_half, other) = whispers.split_at(whispers.len() / 2);
            self.pack(one_half, messages);
            self.pack(other, messages);
        } else {
            self.meters.unsent.inc();
        }
    }
}
