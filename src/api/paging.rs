//! What paths and queries say: rooms by id or name, and which page of something.

use super::code::Code;
use super::problem::Problem;
use crate::chat::{HistoryStart, RepliesStart};
use crate::domain::emoji::Emoji;
use crate::domain::ids::MessageId;
use crate::domain::refusal::Refusal;
use crate::domain::room::RoomRef;

/// Entries of a page when the request does not say.
const DEFAULT_LIMIT: u32 = 50;

/// The room that a path names. What can be neither id nor name names no room.
pub fn room_ref(text: &str) -> Result<RoomRef, Problem> {
    RoomRef::parse(text).ok_or(Problem::from(Refusal::RoomNotFound))
}

/// The message that a path names.
pub fn message_id(text: &str) -> Result<MessageId, Problem> {
    MessageId::parse(text).ok_or(Problem::from(Refusal::MessageNotFound))
}

/// The emoji that a path or a query has.
pub fn emoji_of(text: &str) -> Result<Emoji, Problem> {
    Emoji::parse(text).ok_or(Problem::from(Refusal::NotAnEmoji))
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
        (before, after, around) => Err(clash(&[("?before", before), ("?after", after), ("?around", around)])),
    }
}

/// At most one of the two may be given.
pub fn replies_start(before: Option<String>, after: Option<String>) -> Result<RepliesStart, Problem> {
    match (before, after) {
        (None, None) => Ok(RepliesStart::First),
        (Some(cursor), None) => Ok(RepliesStart::Before(cursor)),
        (None, Some(cursor)) => Ok(RepliesStart::After(cursor)),
        (before, after) => Err(clash(&[("?before", before), ("?after", after)])),
    }
}

/// Names the parameters of which only one may be given.
fn clash(places: &[(&str, Option<String>)]) -> Problem {
    let given = places.iter().filter(|(_, value)| value.is_some());
    given.fold(Problem::new(Code::InvalidParameter), |problem, (place, _)| {
        problem.at(*place, "cannot be given with the others")
    })
}
