//! The rules for free Unicode text: what is visible, and what names, titles and topics may hold (Unicode, UTS 39; limits of
//! our own).

use std::iter::Peekable;

use icu_properties::props::{DefaultIgnorableCodePoint, VariationSelector};
use icu_properties::{CodePointSetData, CodePointSetDataBorrowed};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeEmoji, UnicodeGeneralCategory};

/// More marks than this on one letter would cover the lines around it.
const MAX_COMBINING_MARKS: usize = 4;

const ZERO_WIDTH_JOINER: char = '\u{200d}';
const EMOJI_STYLE: char = '\u{fe0f}';

/// Characters that programs show as nothing (`Default_Ignorable_Code_Point`): fillers, joiners, tags, selectors.
const IGNORABLE: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<DefaultIgnorableCodePoint>();
/// Characters that choose the form of the character before them, as in Japanese names and emoji.
const SELECTORS: CodePointSetDataBorrowed<'static> = CodePointSetData::new::<VariationSelector>();
/// Letters and symbols that are drawn as nothing: the Braille pattern without dots, the null notehead, and the two blanks of
/// Egyptian hieroglyphs.
const BLANKS: [char; 4] = ['\u{2800}', '\u{1d159}', '\u{13441}', '\u{13442}'];

/// Why a text is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TextError {
    #[error("must not be empty")]
    Empty,
    #[error("must be at most {most} characters")]
    TooLong { most: usize },
    #[error("must be at least {least} characters")]
    TooShort { least: usize },
    #[error("may contain only {allowed}")]
    Pattern { allowed: &'static str },
    #[error("must not be written like an id")]
    LikeAnId,
    #[error("contains a character that is not allowed")]
    Forbidden,
    #[error("must contain something visible")]
    Invisible,
    #[error("must have at most {most} lines")]
    TooManyLines { most: usize },
    #[error("is reserved")]
    Reserved,
}

/// Normalises to NFC and checks: 1 to `most` code points of which one is visible, and none is a control, a line separator,
/// a bidi control, a tag, of private use, of zero width (except the joiner inside emoji), or one mark too many on a letter.
pub fn visible_text(text: &str, most: usize) -> Result<String, TextError> {
    if text.is_empty() {
        return Err(TextError::Empty);
    }
    // Before normalising, so that a huge text costs nothing. A code point has up to 4 bytes, and decomposed text up to 3 code
    // points for one of NFC.
    if text.len() > most.saturating_mul(4 * 3) {
        return Err(TextError::TooLong { most });
    }
    let text: String = text.nfc().collect();
    if text.chars().count() > most {
        return Err(TextError::TooLong { most });
    }
    check_characters(&text)?;
    if !text.chars().any(is_visible) {
        return Err(TextError::Invisible);
    }
    Ok(text)
}

fn check_characters(text: &str) -> Result<(), TextError> {
    let mut marks = 0;
    let mut before = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let allowed = if c == ZERO_WIDTH_JOINER { joins_emoji(before, &mut chars) } else { !is_forbidden(c) };
        if !allowed {
            return Err(TextError::Forbidden);
        }
        marks = if is_mark(c) { marks + 1 } else { 0 };
        if marks > MAX_COMBINING_MARKS {
            return Err(TextError::Forbidden);
        }
        before = Some(c);
    }
    Ok(())
}

fn joins_emoji(before: Option<char>, after: &mut Peekable<impl Iterator<Item = char>>) -> bool {
    let is_emoji = |c: char| c.is_emoji_char() && !c.is_ascii();
    before.is_some_and(|c| c == EMOJI_STYLE || is_emoji(c)) && after.peek().copied().is_some_and(is_emoji)
}

fn is_forbidden(c: char) -> bool {
    matches!(
        c.general_category(),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
    ) || (IGNORABLE.contains(c) && !SELECTORS.contains(c))
        || BLANKS.contains(&c)
        || is_noncharacter(c)
}

fn is_mark(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Mark && c != EMOJI_STYLE
}

/// Whether a reader sees something of a character that stands alone: no space, mark, control or format character, nothing
/// that is ignored by default, and no blank. Characters of a newer Unicode than ours count as visible.
pub fn is_visible(c: char) -> bool {
    let is_of_the_unseen =
        matches!(c.general_category_group(), GeneralCategoryGroup::Separator | GeneralCategoryGroup::Mark)
            || matches!(c.general_category(), GeneralCategory::Control | GeneralCategory::Format);
    !(is_of_the_unseen || IGNORABLE.contains(c) || BLANKS.contains(&c) || is_noncharacter(c))
}

/// U+FDD0..U+FDEF and the last two code points of each plane, which are never characters (Unicode, section 23.7).
pub fn is_noncharacter(c: char) -> bool {
    let point = u32::from(c);
    (0xfdd0..=0xfdef).contains(&point) || point & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_world_are_accepted() {
        for name in ["Ada Lovelace", "李小龍", "عبد الله", "देवनागरी", "Zoë 👩‍👩‍👧‍👦", "❤️‍🔥", "Nguyễn"]
        {
            assert!(visible_text(name, 64).is_ok(), "{name}");
        }
    }

    #[test]
    fn text_that_deceives_is_refused() {
        for bad in [
            "a\u{202e}b",
            "a\u{200b}b",
            "a\u{200d}b",
            "a\u{2028}b",
            "a\nb",
            "\u{e0041}",
            "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
        ] {
            assert_eq!(visible_text(bad, 64), Err(TextError::Forbidden), "{bad:?}");
        }
        for blank in
            ["\u{3164}", "\u{115f}", "\u{1160}", "\u{ffa0}", "\u{2800}", "\u{34f}", "\u{e0020}", "\u{17b4}"]
        {
            assert_eq!(visible_text(&format!("a{blank}"), 64), Err(TextError::Forbidden), "{blank:?}");
        }
        for unseen in ["   ", "\u{3000}", "\u{301}", "\u{fe0f}", " \u{e0100}"] {
            assert_eq!(visible_text(unseen, 64), Err(TextError::Invisible), "{unseen:?}");
        }
    }

    #[test]
    fn a_character_is_visible_when_a_reader_sees_something_of_it() {
        for seen in ['a', '.', 'ä', '字', '👩', '\u{e000}', '☃', 'अ', '\u{1fbff}'] {
            assert!(is_visible(seen), "{seen:?}");
        }
        let unseen = " \t\n\u{85}\u{a0}\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{1680}\u{17b4}\u{180e}\u{2000}\u{200b}\u{200d}\
                      \u{2028}\u{202e}\u{2060}\u{2065}\u{2800}\u{3000}\u{3164}\u{fe0f}\u{feff}\u{ffa0}\u{fff9}\u{fffe}\
                      \u{13441}\u{1d159}\u{1d173}\u{e0001}\u{e0041}\u{e0100}\u{e0fff}";
        for c in unseen.chars() {
            assert!(!is_visible(c), "{c:?}");
        }
    }

    #[test]
    fn text_is_normalised_before_it_is_counted() {
        assert_eq!(visible_text("e\u{301}", 1).as_deref(), Ok("\u{e9}"));
        assert_eq!(visible_text("ab", 1), Err(TextError::TooLong { most: 1 }));
    }
}
