//! Break-downs on purpose: how the program ends when a part panics that it cannot do without is seen on the program itself.
//! Builds without debug assertions, as releases are, have none of this.

use std::sync::LazyLock;

use crate::domain::event::Event;

/// Panics if this is the part, and one of the events has the words, that `PARLOR_TEST_BREAKS=PART:WORDS` names.
pub fn at(part: &str, events: &[Event]) {
    static WANTED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("PARLOR_TEST_BREAKS").ok());
    let Some((wanted, words)) = WANTED.as_deref().and_then(|wanted| wanted.split_once(':')) else { return };
    let is_meant = part == wanted && events.iter().any(|event| event.data.contains(words));
    assert!(!is_meant, "a break-down of the {part} was asked for");
}
