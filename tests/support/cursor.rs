//! Cursors compared by the position that they name: each snapshot of one position has a cursor of its own.

use parlor::domain::cursor::{Cursors, Epoch, EpochStart};
use parlor::domain::ids::Position;
use serde_json::Value;

use super::server::Server;

/// The cursor that the event at the position of this cursor has. It is the same for all cursors of one position.
pub async fn of_event(server: &Server, cursor: &str) -> String {
    let epochs = server.queries("SELECT epoch, first_position FROM epochs ORDER BY number").await;
    let epochs = epochs.iter().map(|row| {
        let (epoch, first) = row.split_once('|').expect("two columns");
        let (epoch, first) = (epoch.parse().expect("a number"), first.parse().expect("a number"));
        EpochStart { epoch: Epoch(epoch), first: Position(first) }
    });
    let key = server.queries("SELECT cursor_key FROM log").await.concat();
    let key = key.strip_prefix("\\x").expect("bytes");
    let byte = |at| u8::from_str_radix(&key[at..at + 2], 16).expect("hexadecimal digits");
    let key: Vec<u8> = (0..key.len()).step_by(2).map(byte).collect();
    let cursors = Cursors::new(&key.try_into().expect("the length of a key"), epochs.collect(), 1);
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
