//! Panics on purpose, for tests of how the program ends when one of its necessary parts panics. Release builds do not have this
//! module.

use std::sync::LazyLock;

use crate::domain::event::Event;

/// Panics if `PARLOR_TEST_BREAKS=PART:WORDS` names this part and one of the events contains the words.
pub fn at(part: &str, events: &[Event]) {
    static WANTED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("PARLOR_TEST_BREAKS").ok());
    let Some((wanted, words)) = WANTED.as_deref().and_then(|wanted| wanted.split_once(':')) else { return };
    let is_meant = part == wanted && events.iter().any(|event| event.json().contains(words));
    assert!(!is_meant, "a break-down of the {part} was asked for");
}
