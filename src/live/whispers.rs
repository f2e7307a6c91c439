//! What other nodes whisper, for the streams of this one.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::registry::Registry;
use crate::bus::Whisper;

/// Takes whispers until nobody can whisper any more.
pub async fn hear_whispers(mut whispers: mpsc::Receiver<Whisper>, registry: Arc<Registry>) {
    while let Some(whisper) = whispers.recv().await {
        match whisper {
            Whisper::Extended { session, expires_at } => registry.extended(session, expires_at),
            // No stream shows any yet.
            Whisper::Frame { .. } => {}
        }
    }
}
