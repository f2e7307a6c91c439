//! Following a room: one endless series of events over as many connections as it takes.

use std::time::Duration;

use eventsource_stream::{Event, EventStreamError, Eventsource};
use futures_util::stream::{BoxStream, StreamExt};
use reqwest::StatusCode;
use tokio::time::{sleep, timeout};

use crate::parlor::types::{Problem, StreamEvent};
use crate::parlor::{Client, Error};
use crate::session::retry_after;

const SHORTEST_WAIT: Duration = Duration::from_secs(3);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long a connection may be silent before `hello` has told how often the server gives a sign of life.
const FIRST_PATIENCE: Duration = Duration::from_secs(30);

/// A room that is followed; dropping it drops the connection.
pub struct Follow<'a> {
    client: &'a Client,
    room: String,
    cursor: Option<String>,
    frames: Option<BoxStream<'static, Result<Event, EventStreamError<reqwest::Error>>>>,
    backoff: Duration,
    patience: Duration,
}

impl<'a> Follow<'a> {
    /// Begins after a cursor, from now without one.
    pub fn new(client: &'a Client, room: impl ToString, cursor: Option<String>) -> Self {
        Self {
            client,
            room: room.to_string(),
            cursor,
            frames: None,
            backoff: SHORTEST_WAIT,
            patience: FIRST_PATIENCE,
        }
    }

    /// The next event; none when the server says not to come back. A `reset` among them says that some cannot be had
    /// any more: fetch what you show anew. An error is final: 401 after a renewal, 403, 404.
    pub async fn next(&mut self) -> Result<Option<StreamEvent>, Error<Problem>> {
        loop {
            let Some(frames) = &mut self.frames else {
                match self.connect().await {
                    Err(error) if is_final(&error) => return Err(error),
                    Err(error) => self.back_off(least_wait(&error)).await,
                    Ok(()) => {}
                }
                continue;
            };
            // After the end of the stream, an error or silence: come back.
            let Ok(Some(Ok(frame))) = timeout(self.patience, frames.next()).await else {
                self.back_off(Duration::ZERO).await;
                continue;
            };
            let Ok(event) = serde_json::from_str::<StreamEvent>(&frame.data) else { continue };
            self.backoff = SHORTEST_WAIT;
            // A ping comes when nothing else does: a connection that is silent for twice as long is dead.
            if let Some(seconds) = event.heartbeat_seconds {
                self.patience = 2 * seconds_of(seconds);
            }
            if !frame.id.is_empty() {
                self.cursor = Some(frame.id);
            }
            match frame.event.as_str() {
                "message" | "reset" => return Ok(Some(event)),
                "bye" => match event.retry_seconds {
                    Some(seconds) => {
                        self.frames = None;
                        sleep(seconds_of(seconds)).await;
                    }
                    None => return Ok(None),
                },
                _ => {} // hello and ping ask for nothing, and what a later version adds is passed over.
            }
        }
    }

    async fn connect(&mut self) -> Result<(), Error<Problem>> {
        let mut request = self.client.stream_room_events().room(&self.room);
        if let Some(cursor) = &self.cursor {
            request = request.after(cursor);
        }
        self.frames = Some(request.send().await?.into_inner().into_inner().eventsource().boxed());
        Ok(())
    }

    /// The wait is random in part: after a restart not all readers should come back at the same moment.
    async fn back_off(&mut self, least: Duration) {
        self.frames = None;
        sleep(least.max(self.backoff.mul_f64(0.5 + fastrand::f64() / 2.0))).await;
        self.backoff = LONGEST_WAIT.min(self.backoff * 2);
    }
}

/// What another try will not change. A proxy's answer, which is no problem of this API, has no status here.
fn is_final(error: &Error<Problem>) -> bool {
    let status = error.status();
    status.is_some_and(|status| status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS)
}

fn least_wait(error: &Error<Problem>) -> Duration {
    let asked = match error {
        Error::ErrorResponse(answer) => retry_after(answer.headers()),
        Error::UnexpectedResponse(answer) => retry_after(answer.headers()),
        _ => None,
    };
    asked.unwrap_or_default()
}

fn seconds_of(number: i32) -> Duration {
    Duration::from_secs(number.unsigned_abs().into())
}
