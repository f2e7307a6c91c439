//! Cursors compared by the position that they name: each snapshot of one position has a cursor of its own.

use parlor::domain::cursor::{Cursors, Epoch, EpochStart};
use parlor::domain::ids::Position;
use serde_json::Value;

use super::server::Server;
use super::sql::Sql;

/// The cursor that the event at the position of this cursor has. It is the same for all cursors of one position.
pub async fn of_event(server: &Server, cursor: &str) -> String {
    let sql = Sql::open_to_read(server.data());
    let epochs = sql.rows("SELECT epoch, first_position FROM epochs ORDER BY number", [], |row| {
        Ok(EpochStart { epoch: Epoch(row.get(0)?), first: Position(row.get(1)?) })
    });
    let cursors = Cursors::new(&sql.value("SELECT cursor_key FROM log"), epochs);
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
