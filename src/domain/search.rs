//! The form in which texts are searched, so that letters which mean the same are found by each other.

use unicase::UniCase;
use unicode_normalization::UnicodeNormalization;

/// Folds case and compatibility forms: what two texts have in common once both are folded, they have in common for a
/// reader (Unicode, D146: compatibility caseless matching). `GROSSE` finds `große`, `cafe` in full-width letters finds
/// `cafe`, and `ffi` finds the ligature `ﬃ`. It may be up to 18 times as long as the text.
pub fn folded(text: &str) -> String {
    // PostgreSQL has no text with a NUL in it, and no name has one.
    let once: String = fold(text.nfd().filter(|c| *c != '\0')).nfkc().collect();
    // A compatibility form may have a capital in it: `㎩` becomes `Pa`.
    fold(once.chars()).nfkc().collect()
}

fn fold(chars: impl Iterator<Item = char>) -> String {
    UniCase::unicode(chars.collect::<String>()).to_folded_case()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_to_a_reader_is_folded_to_the_same() {
        for (one, other) in [
            ("große", "GROSSE"),
            ("große", "GROẞE"),
            ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
            ("Caf\u{e9}", "CAFE\u{301}"),
            ("Ａｄａ", "ada"),
            ("ﬃ", "FFI"),
            ("㎩", "pa"),
            ("САД", "сад"),
            ("ΐ", "Ϊ\u{301}"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} and {other}");
        }
        assert_ne!(folded("ı"), folded("i"), "a dotless i is another letter");
    }

    #[test]
    fn folding_what_is_folded_changes_nothing() {
        for text in ["große", "Ａｄａ", "㎩", "ﬃ", "喫茶室", "İstanbul", "ᾳ", "\u{345}a"] {
            assert_eq!(folded(&folded(text)), folded(text), "{text}");
        }
    }
}
