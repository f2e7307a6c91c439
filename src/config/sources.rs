//! Gathers the values of all sources, later ones over earlier ones, and notes every name that no key has.
//! What a value may be is the rules' business.

use std::collections::BTreeMap;
use std::path::Path;

use super::keys::SECTIONS;
use super::problems::nearest;
use super::rules::{Raw, Rule};
use super::{Effective, Overrides};

/// What every variable that sets a key begins with.
const PREFIX: &str = "PARLOR_";
/// Variables of that prefix that are no keys: the filter of the log output, and whatever tests use among themselves.
const NOT_KEYS: [&str; 2] = ["PARLOR_LOG", "PARLOR_TEST_"];

/// A value and where it stands, in words; `None` for a default.
struct Found {
    raw: Raw,
    place: Option<String>,
}

/// The newest value of each key, by section and name, and the mistakes so far.
#[derive(Default)]
pub(super) struct Sources {
    values: BTreeMap<(&'static str, &'static str), Found>,
    problems: Vec<String>,
}

impl Sources {
    pub(super) fn defaults(&mut self) {
        for section in SECTIONS {
            for key in section.keys {
                // A default is a Rust literal that is a TOML value too; one that is not would be a text, and fail its rule.
                let raw = format!("value = {}", key.default)
                    .parse::<toml::Table>()
                    .ok()
                    .and_then(|mut table| table.remove("value"))
                    .map_or_else(|| Raw::Text(key.default.into()), Raw::Toml);
                self.values.insert((section.name, key.name), Found { raw, place: None });
            }
        }
    }

    pub(super) fn file(&mut self, path: &Path) {
        let place = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.problems.push(format!("{place} cannot be read: {error}")),
        };
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
                let message = error.message().replace('\n', ", ");
                return self.problems.push(format!("{place}, line {line}: {message}"));
            }
        };
        for (section, value) in table {
            let toml::Value::Table(keys) = value else {
                let owner = SECTIONS.iter().find(|known| known.keys.iter().any(|key| key.name == section));
                let hint =
                    owner.map(|owner| format!("; it belongs below [{}]", owner.name)).unwrap_or_default();
                self.problems.push(format!("{place}: {section} stands in no section{hint}"));
                continue;
            };
            let Some(known) = SECTIONS.iter().find(|known| known.name == section) else {
                let hint = suggest(nearest(&section, SECTIONS.iter().map(|known| known.name)));
                self.problems.push(format!("{place}: there is no section [{section}]{hint}"));
                continue;
            };
            for (name, value) in keys {
                if let Some(key) = known.keys.iter().find(|key| key.name == name) {
                    let found = Found { raw: Raw::Toml(value), place: Some(place.clone()) };
                    self.values.insert((known.name, key.name), found);
                } else {
                    let hint = suggest(nearest(&name, known.keys.iter().map(|key| key.name)));
                    self.problems.push(format!("{place}: there is no key {section}.{name}{hint}"));
                }
            }
        }
    }

    /// Variables of the form `PARLOR_SECTION__KEY`. Others that begin with `PARLOR_` and name a section or have the double
    /// underscore were meant to be keys, so they are mistakes; the rest are somebody else's.
    pub(super) fn environment(&mut self, env: impl Iterator<Item = (String, String)>) {
        let variables: BTreeMap<String, (&'static str, &'static str)> = SECTIONS
            .iter()
            .flat_map(|section| section.keys.iter().map(|key| (section.name, key.name)))
            .map(|(section, key)| (format!("{PREFIX}{section}__{key}").to_ascii_uppercase(), (section, key)))
            .collect();
        // Sorted, so that the same environment always gives the same report.
        for (name, value) in env.collect::<BTreeMap<_, _>>() {
            if let Some(key) = variables.get(&name) {
                self.values.insert(*key, Found { raw: Raw::Text(value), place: Some(name) });
            } else if is_meant_for_us(&name) {
                let hint = suggest(nearest(&name, variables.keys().map(String::as_str)));
                self.problems.push(format!("environment: there is no variable {name}{hint}"));
            }
        }
    }

    pub(super) fn command_line(&mut self, overrides: Overrides) {
        let mut set = |key, option: &str, text| {
            self.values.insert(key, Found { raw: Raw::Text(text), place: Some(option.into()) });
        };
        if let Some(listen) = overrides.listen {
            set(("server", "listen"), "--listen", listen);
        }
        if let Some(data) = overrides.data {
            set(("storage", "data"), "--data", data.to_string_lossy().into_owned());
        }
    }
}

/// Hands each key's value to its rule and notes what the rule refuses.
pub(super) struct Reader {
    values: BTreeMap<(&'static str, &'static str), Found>,
    pub(super) problems: Vec<String>,
}

impl Reader {
    pub(super) fn new(sources: Sources) -> Self {
        Self { values: sources.values, problems: sources.problems }
    }

    /// The value of a key; `None` after the mistake was noted.
    pub(super) fn take<R: Rule>(
        &mut self,
        section: &'static str,
        key: &'static str,
        rule: &R,
    ) -> Option<R::Value> {
        let found = self.values.get(&(section, key))?;
        let value = rule.read(&found.raw);
        if value.is_none() {
            let place = found.place.as_deref().unwrap_or("default");
            self.problems.push(format!(
                "{place}: {section}.{key} {}; expected: {}",
                rule.complains(&found.raw),
                rule.expects()
            ));
        }
        value
    }

    pub(super) fn effective(&self) -> Effective {
        let keys =
            SECTIONS.iter().flat_map(|section| section.keys.iter().map(|key| (section.name, key.name)));
        let lines = keys.filter_map(|(section, key)| {
            let found = self.values.get(&(section, key))?;
            let place = found.place.as_ref().map(|place| format!("  # {place}")).unwrap_or_default();
            Some(format!("{section}.{key} = {}{place}", found.raw))
        });
        Effective(lines.collect())
    }
}

fn is_meant_for_us(variable: &str) -> bool {
    let Some(rest) = variable.strip_prefix(PREFIX) else { return false };
    if variable == NOT_KEYS[0] || variable.starts_with(NOT_KEYS[1]) {
        return false;
    }
    let names_a_section = SECTIONS.iter().any(|section| {
        rest.strip_prefix(&section.name.to_ascii_uppercase()).is_some_and(|key| key.starts_with('_'))
    });
    names_a_section || rest.contains("__")
}

fn suggest(name: Option<&str>) -> String {
    name.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}
