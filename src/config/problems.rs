//! The mistakes in a configuration, as sentences that say what to write instead.

use std::fmt;

/// Everything that was found wrong, in the order of the sources; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<String>);

impl ConfigErrors {
    pub(super) fn new(problems: Vec<String>) -> Self {
        Self(problems)
    }

    /// One sentence per mistake.
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "the configuration has {} mistake{plural}:", self.0.len())?;
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for ConfigErrors {}

/// The name that was probably meant: the nearest one, if at most a third of its letters differ.
pub(super) fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (strsim::levenshtein(wrong, name), name))
        .filter(|(distance, name)| *distance <= name.len().div_ceil(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_name_is_not_suggested() {
        assert_eq!(nearest("lisen", ["listen", "name"].into_iter()), Some("listen"));
        assert_eq!(nearest("colour", ["listen", "name"].into_iter()), None);
    }
}
