//! What paths and queries say: rooms by id or name, and which page of something.

use super::code::Code;
use super::problem::Problem;
use crate::chat::HistoryStart;
use crate::domain::ids::MessageId;
use crate::domain::refusal::Refusal;
use crate::domain::room::RoomRef;

/// Entries of a page when the request does not say.
const DEFAULT_LIMIT: u32 = 50;

/// The room that a path names. What can be neither id nor name names no room.
pub fn room_ref(text: &str) -> Result<RoomRef, Problem> {
    RoomRef::parse(text).ok_or(Problem::from(Refusal::RoomNotFound))
}

/// The limit of a page; its range was checked with the parameter.
pub fn limit_of(limit: Option<i32>) -> u32 {
    limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(DEFAULT_LIMIT)
}

/// At most one of the three may be given.
pub fn history_start(
    before: Option<String>,
    after: Option<String>,
    around: Option<String>,
) -> Result<HistoryStart, Problem> {
    let problem = Problem::new(Code::InvalidParameter);
    match (before, after, around) {
        (None, None, None) => Ok(HistoryStart::Newest),
        (Some(cursor), None, None) => Ok(HistoryStart::Before(cursor)),
        (None, Some(cursor), None) => Ok(HistoryStart::After(cursor)),
        (None, None, Some(id)) => {
            let message =
                MessageId::parse(&id).ok_or_else(|| problem.at("?around", "must be the id of a message"))?;
            Ok(HistoryStart::Around(message))
        }
        (before, after, around) => {
            let places = [("?before", before), ("?after", after), ("?around", around)];
            let given = places.into_iter().filter(|(_, value)| value.is_some());
            Err(given
                .fold(problem, |problem, (place, _)| problem.at(place, "cannot be given with the others")))
        }
    }
}
