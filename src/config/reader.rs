//! Hands the values of each key to its rule, and notes what the rule refuses.

use super::rules::Rule;
use super::sources::{Found, Sources};
use super::url::without_password;

/// One line per key: the value in force and the source that set it. For `parlor check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective(Vec<String>);

/// All sources, and all mistakes that were found in them.
pub(super) struct Reader {
    sources: Sources,
}

impl Effective {
    /// All lines.
    pub(super) fn text(&self) -> String {
        self.0.join("\n")
    }
}

impl Reader {
    pub(super) fn new(sources: Sources) -> Self {
        Self { sources }
    }

    /// The value of a key that holds; `None` after the mistake was noted. A value that another overrides is checked, too:
    /// otherwise nobody would see the mistake before the other value is removed.
    pub(super) fn take<R: Rule>(
        &mut self,
        section: &'static str,
        key: &'static str,
        rule: &R,
    ) -> Option<R::Value> {
        let mut holds = None;
        for Found { raw, place } in self.sources.values.get(&(section, key))? {
            holds = rule.read(raw);
            if holds.is_none() {
                let place = place.as_deref().unwrap_or("default");
                let (complaint, expected) = (rule.complains(raw), rule.expects());
                let problem = format!("{place}: {section}.{key} {complaint}; expected: {expected}");
                self.sources.problems.push(problem);
            }
        }
        holds
    }

    pub(super) fn effective(&self) -> Effective {
        let sections = self.sources.sections.iter();
        let keys = sections.flat_map(|section| section.keys.iter().map(|key| (section.name, key.name)));
        let lines = keys.filter_map(|(section, key)| {
            let found = self.sources.values.get(&(section, key))?.last()?;
            let place = found.place.as_ref().map(|place| format!("  # {place}")).unwrap_or_default();
            Some(format!("{section}.{key} = {}{place}", without_password(&found.raw.to_string())))
        });
        Effective(lines.collect())
    }

    /// Everything that was found wrong, by the sources and by the rules.
    pub(super) fn into_problems(self) -> Vec<String> {
        self.sources.problems
    }
}
