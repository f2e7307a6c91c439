//! The bus by PostgreSQL's notifications. That a batch was committed is told by its own transaction, and says only how far the log
//! reaches; whispers are notifications by themselves.

use std::sync::Arc;

use super::Store;
use super::database::Database;
use super::postgres::Notice;
use crate::bus::{Bus, Ears, Meters, Whisper, Whispers, gather};
use crate::domain::cursor::Epoch;
use crate::domain::event::Event;

/// Most bytes of a notification. PostgreSQL takes 7,999.
const LONGEST: usize = 7_900;

/// What the nodes of one PostgreSQL database have without another service.
pub struct Notify {
    whispers: Whispers,
}

impl Store {
    /// Begins to listen, until the store is closed. None where no other node can write to the database.
    pub fn notify(&self, ears: Ears, meters: Arc<Meters>) -> Option<Notify> {
        let (Database::Postgres(postgres), Some(cluster)) = (&self.database, &self.cluster) else {
            return None;
        };
        let (whispers, gathered) = gather(cluster.clone(), LONGEST, meters);
        let hear = move |notice| match notice {
            Notice::Connected => ears.connected(),
            Notice::Notification(text) => ears.hear(&text),
        };
        postgres.listen(channel(cluster.id()), gathered, self.closing.clone(), hear);
        Some(Notify { whispers })
    }
}

/// The channel of a cluster.
pub(super) fn channel(cluster: &str) -> String {
    format!("parlor_{cluster}")
}

impl Bus for Notify {
    /// The transaction has told it already.
    fn announce(&self, _: Epoch, _: &[Event]) {}

    fn whisper(&self, whisper: Whisper) {
        self.whispers.add(whisper);
    }
}
