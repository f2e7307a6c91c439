//! Cursors compared by the position that they name: each snapshot of one position has a cursor of its own.

use parlor::domain::cursor::{Cursors, Epoch, EpochStart};
use parlor::domain::ids::Position;
use serde_json::Value;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::server::Server;

/// The cursor that the event at the position of this cursor has. It is the same for all cursors of one position.
pub async fn of_event(server: &Server, cursor: &str) -> String {
    let file = SqliteConnectOptions::new().filename(server.data().join("parlor.db")).read_only(true);
    let mut sql = file.connect().await.expect("the database can be read");
    let key: Vec<u8> =
        sqlx::query_scalar("SELECT cursor_key FROM log").fetch_one(&mut sql).await.expect("a key");
    let epochs: Vec<(u32, i64)> =
        sqlx::query_as("SELECT epoch, first_position FROM epochs WHERE epoch >= 0 ORDER BY number")
            .fetch_all(&mut sql)
            .await
            .expect("the epochs");
    let start = |(epoch, first)| EpochStart { epoch: Epoch(epoch), first: Position(first) };
    let epochs = epochs.into_iter().map(start).collect();
    let cursors = Cursors::new(&key.try_into().expect("16 bytes"), epochs);
    cursors.of_event(cursors.decode(cursor, Position(i64::MAX)).expect("the server has made this cursor"))
}

/// The same for the cursor of a snapshot.
pub async fn place(server: &Server, snapshot: &Value) -> String {
    of_event(server, snapshot["cursor"].as_str().expect("a snapshot has a cursor")).await
}

/// What a snapshot shows apart from its cursor.
pub fn without_cursor(mut snapshot: Value) -> Value {
    snapshot.as_object_mut().expect("a snapshot is an object").remove("cursor").expect("it has a cursor");
    snapshot
}
