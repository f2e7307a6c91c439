//! What goes over the wire, by noun: schemas, and the conversions from and to the domain. No handler and no rule of its
//! own: texts are judged by the domain.

pub mod event;
pub mod member;
pub mod message;
pub mod reaction;
pub mod read_mark;
pub mod room;
pub mod server;
pub mod session;
pub mod user;

use super::problem::Problem;
use crate::domain::text::TextError;

/// Applies a rule of the domain to a field.
fn field<T>(
    pointer: &'static str,
    text: &str,
    rule: impl FnOnce(&str) -> Result<T, TextError>,
) -> Result<T, Problem> {
    rule(text).map_err(|error| Problem::text(pointer, error))
}

/// The same for a field that may be absent.
fn optional<T>(
    pointer: &'static str,
    text: Option<&String>,
    rule: impl FnOnce(&str) -> Result<T, TextError>,
) -> Result<Option<T>, Problem> {
    text.map(|text| field(pointer, text, rule)).transpose()
}

/// The same for a field that "" clears: the outer none leaves it, the inner one clears it.
#[allow(clippy::option_option, reason = "it is what `RoomChanges` takes")]
fn clearable<T>(
    pointer: &'static str,
    text: Option<&String>,
    rule: impl FnOnce(&str) -> Result<T, TextError>,
) -> Result<Option<Option<T>>, Problem> {
    match text {
        Some(text) if text.is_empty() => Ok(Some(None)),
        text => Ok(optional(pointer, text, rule)?.map(Some)),
    }
}
