//! Emoji: what people react with, one at a time.

use std::fmt;

use serde::Serialize;

/// Most emoji that one message has, each with however many people.
pub const MAX_KINDS: usize = 20;

/// One emoji that is recommended for general interchange (RGI, Unicode UTS 51), in its fully qualified form, which is written in one
/// way only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Emoji(String);

impl Emoji {
    /// None for any other text. The same emoji without its selectors is another text, which some programs do not show as an emoji.
    pub fn parse(text: &str) -> Option<Self> {
        emojis::get(text).filter(|emoji| emoji.as_str() == text).map(|_| Self(text.to_owned()))
    }

    /// An emoji that was checked when it was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Emoji {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What people have reacted with to a message, and how many of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reaction {
    pub emoji: Emoji,
    pub count: i64,
    /// Whether the reader is one of them. Never in events, which many read.
    #[serde(skip)]
    pub me: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_emoji_of_any_make_is_accepted() {
        for emoji in ["👍", "👍🏽", "❤️", "☃️", "❤️‍🔥", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇨🇭", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "1️⃣", "#️⃣", "©️", "🧑🏿‍🤝‍🧑🏻"]
        {
            assert_eq!(Emoji::parse(emoji), Some(Emoji(emoji.to_owned())), "{emoji}");
        }
    }

    #[test]
    fn what_is_not_exactly_one_emoji_is_refused() {
        for text in [
            "",
            " ",
            "a",
            "1",
            "#",
            ":+1:",
            "👍👍",
            "👍 ",
            "👍\u{fe0f}",
            // Without the selector it is a letter in some fonts.
            "\u{2764}",
            "\u{a9}",
            // Sequences that are cut in half.
            "👩\u{200d}",
            "\u{200d}👧",
            "👩‍👩‍👧\u{200d}",
            "🏳️\u{200d}",
            "🇨",
            "🏴\u{e0067}\u{e0062}",
            "1\u{fe0f}",
            "\u{20e3}",
            // Parts that are no emoji by themselves.
            "\u{1f3fd}",
            "\u{fe0f}",
            // Sequences that nobody draws as one.
            "👍\u{200d}👍",
            "🇽🇽",
            "\0",
        ] {
            assert_eq!(Emoji::parse(text), None, "{text:?}");
        }
    }
}
