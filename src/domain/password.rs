//! Which passwords are accepted (NIST SP 800-63B: length and a blocklist, no composition rules).

use std::fmt;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

use super::names::Username;
use super::refusal::Refusal;
use super::text::TextError;

/// Most code points in a password, after normalising.
pub const MAX_POINTS: usize = 128;
/// Most bytes of UTF-8 in a password as it is received, so that normalising a huge one costs nothing: each of the code points
/// that count may come as three of up to four bytes each.
const MAX_RECEIVED: usize = MAX_POINTS * 3 * 4;

/// Common passwords in lower case and NFC, sorted bytewise, at least 6 characters each.
static COMMON: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("passwords.txt").lines().collect());

/// A password in NFC: keyboards and systems compose letters differently, and the same password typed elsewhere must be the
/// same. Nothing else of it is changed. Neither `Debug` nor an error ever shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// A password to compare with a stored one. Only its size is checked: it may be older than the rules of new passwords.
    pub fn presented(text: &str) -> Result<Self, TextError> {
        if text.len() > MAX_RECEIVED {
            return Err(TextError::TooLong { most: MAX_POINTS });
        }
        let text: String = text.nfc().collect();
        if text.chars().count() > MAX_POINTS {
            return Err(TextError::TooLong { most: MAX_POINTS });
        }
        Ok(Self(text))
    }

    /// A new password of at least `least` code points, which comes from the configuration.
    pub fn new(text: &str, least: usize) -> Result<Self, TextError> {
        let password = Self::presented(text)?;
        if password.0.chars().count() < least {
            return Err(TextError::TooShort { least });
        }
        Ok(password)
    }

    /// Refuses what guessers try first: common passwords, the username and the name of the product, also if they are repeated
    /// or have digits and signs before or after them.
    pub fn check_uncommon(&self, username: &Username) -> Result<(), Refusal> {
        let text = self.0.to_lowercase();
        let letters = text.trim_matches(|c: char| !c.is_alphabetic());
        let is_guessed = |word: &str| word == username.as_str() || word == "parlor" || is_common(word);
        // A repeated piece of up to 4 letters and a password of digits alone are guessed, whatever they are.
        let is_plain = unit_of(&text).chars().count() < 5 || text.chars().all(|c| c.is_ascii_digit());
        let guessable = is_plain
            || [text.as_str(), letters, unit_of(&text), unit_of(letters)].into_iter().any(is_guessed);
        if guessable { Err(Refusal::PasswordTooCommon) } else { Ok(()) }
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

fn is_common(word: &str) -> bool {
    COMMON.binary_search(&word).is_ok()
}

/// The shortest piece of which the whole is a repetition: "abc" for "abcabcabc".
fn unit_of(text: &str) -> &str {
    (1..=text.len() / 2)
        .filter(|&n| text.len().is_multiple_of(n) && text.is_char_boundary(n))
        .find(|&n| text.as_bytes().chunks(n).all(|chunk| chunk == &text.as_bytes()[..n]))
        .map_or(text, |n| &text[..n])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(password: &str) -> Result<(), Refusal> {
        let username = Username::stored("lovelace".into());
        Password::new(password, 12).map_or(Ok(()), |p| p.check_uncommon(&username))
    }

    #[test]
    fn guessable_passwords_are_refused() {
        for bad in [
            "password1234",
            "passwordpassword",
            "123456789012",
            "aaaaaaaaaaaa",
            "lovelacelovelace",
            "parlorparlor",
            "!!qwertyuiop12",
        ] {
            assert_eq!(verdict(bad), Err(Refusal::PasswordTooCommon), "{bad}");
        }
        for good in
            ["correct horse battery staple", "4819-otter-9921-brick", "密码密码是一个很长的句子吧朋友"]
        {
            assert_eq!(verdict(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn length_is_counted_in_code_points() {
        assert_eq!(Password::new("äääääääääää", 12), Err(TextError::TooShort { least: 12 }));
        assert!(Password::new(&"ä".repeat(128), 12).is_ok());
        assert_eq!(Password::new(&"ä".repeat(129), 12), Err(TextError::TooLong { most: 128 }));
    }

    #[test]
    fn a_password_is_the_same_however_its_letters_are_composed() {
        let (composed, decomposed) = ("k\u{e4}se\u{df}r\u{f6}tchen", "ka\u{308}se\u{df}ro\u{308}tchen");
        assert!(Password::new(composed, 12) == Password::new(decomposed, 12));
        let longest = "a\u{308}".repeat(128);
        assert!(Password::new(&longest, 12).is_ok(), "128 after normalising");
        assert_eq!(Password::new(&"a\u{308}".repeat(7), 12), Err(TextError::TooShort { least: 12 }));
        assert_eq!(Password::presented(&"\u{308}".repeat(257)), Err(TextError::TooLong { most: 128 }));
    }

    #[test]
    fn the_size_of_a_password_is_that_of_its_composed_letters() {
        let composed = "각간갇갈감갑".repeat(10);
        let decomposed: String = composed.nfd().collect();
        assert!(decomposed.len() > MAX_POINTS * 4);
        assert!(Password::new(&composed, 12) == Password::presented(&decomposed));
        // The longest password of letters that are each composed of three.
        let longest = "각".repeat(128).nfd().collect::<String>();
        assert!(Password::presented(&longest).is_ok());
        assert_eq!(Password::presented(&"😀".repeat(129)), Err(TextError::TooLong { most: MAX_POINTS }));
        assert!(Password::presented(&"😀".repeat(128)).is_ok());
    }

    #[test]
    fn the_list_is_sorted_and_long_enough() {
        assert!(COMMON.is_sorted() && COMMON.len() > 3_000);
        assert!(COMMON.iter().all(|word| word.chars().eq(word.nfc())));
    }
}
