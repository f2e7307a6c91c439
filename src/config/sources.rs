//! Gathers the values of all sources and notes every name that no key has. The rules decide what a value may be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::problems::nearest;
use super::rules::Raw;
use super::section::Section;

/// What every variable that sets a key begins with.
const PREFIX: &str = "PARLOR_";
/// Variables of that prefix that are no keys: the filter of the log output, and the variables of tests.
const NOT_KEYS: [&str; 2] = ["PARLOR_LOG", "PARLOR_TEST_"];

/// What the command line says, over everything else.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--data DIR`, for `storage.data`.
    pub data: Option<PathBuf>,
    /// `--listen ADDR`, for `server.listen`, as it was typed.
    pub listen: Option<String>,
}

/// A value and where it stands, in words; `None` for a default.
pub(super) struct Found {
    pub(super) raw: Raw,
    pub(super) place: Option<String>,
}

/// All values of each key, by section and name, and the mistakes so far.
pub(super) struct Sources {
    pub(super) sections: &'static [Section],
    /// In the order in which they override each other: the last one holds.
    pub(super) values: BTreeMap<(&'static str, &'static str), Vec<Found>>,
    pub(super) problems: Vec<String>,
}

impl Sources {
    /// The defaults of all keys.
    pub(super) fn new(sections: &'static [Section]) -> Self {
        let mut sources = Self { sections, values: BTreeMap::new(), problems: Vec::new() };
        for section in sections {
            for key in section.keys {
                // A default is a Rust literal that is also a TOML value. If it is not, its rule refuses it as a text.
                let raw = format!("value = {}", key.default)
                    .parse::<toml::Table>()
                    .ok()
                    .and_then(|mut table| table.remove("value"))
                    .map_or_else(|| Raw::Text(key.default.into()), Raw::Toml);
                sources.add((section.name, key.name), Found { raw, place: None });
            }
        }
        sources
    }

    fn add(&mut self, key: (&'static str, &'static str), found: Found) {
        self.values.entry(key).or_default().push(found);
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
                let owner =
                    self.sections.iter().find(|known| known.keys.iter().any(|key| key.name == section));
                let hint =
                    owner.map(|owner| format!("; it belongs below [{}]", owner.name)).unwrap_or_default();
                self.problems.push(format!("{place}: {section} stands in no section{hint}"));
                continue;
            };
            let Some(known) = self.sections.iter().find(|known| known.name == section) else {
                let hint = suggest(nearest(&section, self.sections.iter().map(|known| known.name)));
                self.problems.push(format!("{place}: there is no section [{section}]{hint}"));
                continue;
            };
            for (name, value) in keys {
                if let Some(key) = known.keys.iter().find(|key| key.name == name) {
                    let found = Found { raw: Raw::Toml(value), place: Some(place.clone()) };
                    self.add((known.name, key.name), found);
                } else {
                    let hint = suggest(nearest(&name, known.keys.iter().map(|key| key.name)));
                    self.problems.push(format!("{place}: there is no key {section}.{name}{hint}"));
                }
            }
        }
    }

    /// Reads variables of the form `PARLOR_SECTION__KEY`. Another variable that begins with `PARLOR_` is a mistake if it names a
    /// section or has a double underscore; otherwise it belongs to another program and is ignored.
    pub(super) fn environment(&mut self, env: impl Iterator<Item = (String, String)>) {
        let variables: BTreeMap<String, (&'static str, &'static str)> = self
            .sections
            .iter()
            .flat_map(|section| section.keys.iter().map(|key| (section.name, key.name)))
            .map(|(section, key)| (format!("{PREFIX}{section}__{key}").to_ascii_uppercase(), (section, key)))
            .collect();
        // Sorted, so that the same environment always gives the same report.
        for (name, value) in env.collect::<BTreeMap<_, _>>() {
            if let Some(key) = variables.get(&name) {
                self.add(*key, Found { raw: Raw::Text(value), place: Some(name) });
            } else if is_meant_for_us(&name, self.sections) {
                let hint = suggest(nearest(&name, variables.keys().map(String::as_str)));
                self.problems.push(format!("environment: there is no variable {name}{hint}"));
            }
        }
    }

    pub(super) fn command_line(&mut self, overrides: Overrides) {
        let mut set = |key, option: &str, text| {
            self.add(key, Found { raw: Raw::Text(text), place: Some(option.into()) });
        };
        if let Some(listen) = overrides.listen {
            set(("server", "listen"), "--listen", listen);
        }
        if let Some(data) = overrides.data {
            set(("storage", "data"), "--data", data.to_string_lossy().into_owned());
        }
    }
}

fn is_meant_for_us(variable: &str, sections: &[Section]) -> bool {
    let Some(rest) = variable.strip_prefix(PREFIX) else { return false };
    if variable == NOT_KEYS[0] || variable.starts_with(NOT_KEYS[1]) {
        return false;
    }
    let names_a_section = sections.iter().any(|section| {
        rest.strip_prefix(&section.name.to_ascii_uppercase()).is_some_and(|key| key.starts_with('_'))
    });
    names_a_section || rest.contains("__")
}

fn suggest(name: Option<&str>) -> String {
    name.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}
