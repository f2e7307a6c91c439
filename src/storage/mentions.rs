//! Mentions in the store: whom the names in a text mean, and who is mentioned by which message. A message's row has the ids of those whom
//! it mentions, in the order of its text; the table of mentions finds the messages that mention somebody. What a name in a text looks like
//! is not known here.

use std::collections::HashMap;

use serde_json::json;

use super::Store;
use super::error::{Error, Failure};
use super::people;
use super::rows::user_ref_of;
use super::sql::{Connection, Query, statements};
use crate::domain::ids::Position;
use crate::domain::mentions::Candidates;
use crate::domain::message::Message;
use crate::domain::room::RoomRef;
use crate::domain::user::UserRef;

/// Present members by the names `$3`, an array in JSON, of the room with an id (`$1`) or of the public one with a name (`$2`).
macro_rules! named {
    ($names:literal, $members:literal) => {
        concat!(
            "u.id AS user_id, u.username, u.display_name FROM ",
            $names,
            " CROSS JOIN ",
            $members,
            " JOIN users u ON u.id = m.user_id WHERE m.room_id = coalesce($1, \
             (SELECT p.id FROM rooms p WHERE p.name = $2 AND p.visibility = 'public' AND p.deleted_at IS NULL)) \
             AND m.username = names.value AND m.until IS NULL"
        )
    };
}

statements! {
    /// SQLite takes the names one by one, and would read all members of the room for each.
    NAMED = concat!("SELECT ", named!("json_array_elements_text($3::TEXT::JSON) AS names (value)", "members m")),
        sqlite concat!("SELECT ", named!("json_each($3) AS names", "members m INDEXED BY members_by_name"));
    ADD = "INSERT INTO mentions (room_id, user_id, position) VALUES ($1, $2, $3)";
    REMOVE = "DELETE FROM mentions WHERE room_id = $1 AND user_id = $2 AND position = $3";
}

impl Store {
    /// The members of a room whom the names in a text mean.
    pub(super) async fn mentioned(
        &self,
        room: &RoomRef,
        candidates: &Candidates,
    ) -> Result<Vec<UserRef>, Error> {
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let (id, name) = match room {
            RoomRef::Id(id) => (Some(*id), None),
            RoomRef::Name(name) => (None, Some(name.as_str().to_owned())),
        };
        let names = json!(candidates.names().collect::<Vec<_>>()).to_string();
        let members = self.all(NAMED.bind(id).bind(name).bind(names), user_ref_of).await?;
        let find = |name: &str| members.iter().find(|member| member.username.as_str() == name).cloned();
        Ok(candidates.resolved(find))
    }
}

impl Store {
    /// Gives those whom a message mentions their names.
    pub(super) async fn name_mentions(&self, message: &mut Message) -> Result<(), Error> {
        if message.mentions.is_empty() {
            return Ok(());
        }
        let mut nameless = message.clone();
        *message = self
            .read(move |sql| {
                Box::pin(async move {
                    name(sql, [&mut nameless]).await?;
                    Ok(nameless)
                })
            })
            .await?;
        Ok(())
    }
}

/// What a message that was posted at this position adds to the table.
pub(super) fn added(message: &Message, position: Position) -> impl Iterator<Item = Query<'static>> {
    let room = message.room;
    message.mentions.iter().map(move |person| ADD.bind(room).bind(person.id).bind(position))
}

/// Writes what has changed in whom the message that was posted at this position mentions.
pub(super) async fn replace(
    sql: &mut Connection,
    before: &Message,
    after: &Message,
    position: Position,
) -> Result<(), Failure> {
    let gone =
        before.mentions.iter().filter(|person| after.mentions.iter().all(|other| other.id != person.id));
    let mut queries: Vec<_> =
        gone.map(|person| REMOVE.bind(before.room).bind(person.id).bind(position)).collect();
    let new =
        after.mentions.iter().filter(|person| before.mentions.iter().all(|other| other.id != person.id));
    queries.extend(new.map(|person| ADD.bind(after.room).bind(person.id).bind(position)));
    Query::run_each(&queries, sql).await
}

/// The ids of people as the row of a message has them. None for nobody.
pub(super) fn ids_of(people: &[UserRef]) -> Option<String> {
    let ids: Vec<_> = people.iter().map(|person| person.id.to_string()).collect();
    (!ids.is_empty()).then(|| ids.join(" "))
}

/// Gives those whom messages mention their present names. To be done with all messages that were read.
pub(super) async fn name<'m>(
    sql: &mut Connection,
    messages: impl IntoIterator<Item = &'m mut Message> + Send,
) -> Result<(), Failure> {
    let mut people: Vec<&mut UserRef> =
        messages.into_iter().flat_map(|message| &mut message.mentions).collect();
    let mut ids: Vec<_> = people.iter().map(|person| person.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let named = people::people(sql, ids).await?;
    let named: HashMap<_, _> = named.into_iter().map(|person| (person.id, person)).collect();
    for person in &mut people {
        if let Some(named) = named.get(&person.id) {
            **person = named.clone();
        }
    }
    Ok(())
}
