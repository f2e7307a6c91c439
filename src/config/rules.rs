//! What a value may be: one rule per kind of key, which reads the value and can say in words what it wants.
//! A rule sees one value and never another key.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::origin::Origin;

/// A value as a source gave it: a file has types, the environment and the command line have only text.
#[derive(Debug, Clone)]
pub(super) enum Raw {
    Toml(toml::Value),
    Text(String),
}

impl Raw {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Toml(value) => value.as_str(),
            Self::Text(text) => Some(text),
        }
    }

    fn integer(&self) -> Option<i64> {
        match self {
            Self::Toml(value) => value.as_integer(),
            Self::Text(text) => text.parse().ok(),
        }
    }

    fn flag(&self) -> Option<bool> {
        match self {
            Self::Toml(value) => value.as_bool(),
            Self::Text(text) => text.parse().ok(),
        }
    }

    pub(super) fn texts(&self) -> Option<Vec<&str>> {
        match self {
            Self::Toml(value) => value.as_array()?.iter().map(toml::Value::as_str).collect(),
            Self::Text(text) if text.trim().is_empty() => Some(Vec::new()),
            Self::Text(text) => Some(text.split(',').map(str::trim).collect()),
        }
    }
}

/// As it was written, for messages and `parlor check`.
impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Toml(value) => write!(f, "{value}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// Reads one kind of value.
pub(super) trait Rule {
    type Value;

    /// What a value must be, as a phrase that follows "expected".
    fn expects(&self) -> String;

    /// Bounds and unit, for `config.toml`. None if the key's comment says them.
    fn bounds(&self) -> Option<String> {
        None
    }

    /// `None` when the value is not as [`Rule::expects`] says.
    fn read(&self, raw: &Raw) -> Option<Self::Value>;

    /// What is wrong about a value that was not read, as a phrase that follows the key.
    fn complains(&self, raw: &Raw) -> String {
        format!("is {raw}")
    }
}

/// An address with a port.
pub(super) struct Address;

impl Rule for Address {
    type Value = SocketAddr;

    fn expects(&self) -> String {
        "an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080".into()
    }

    fn read(&self, raw: &Raw) -> Option<SocketAddr> {
        raw.text()?.parse().ok()
    }
}

/// An address with a port, or nothing.
pub(super) struct AddressOrNone;

impl Rule for AddressOrNone {
    type Value = Option<SocketAddr>;

    fn expects(&self) -> String {
        "empty, or an IP address and a port, such as 127.0.0.1:9090".into()
    }

    fn read(&self, raw: &Raw) -> Option<Option<SocketAddr>> {
        match raw.text()? {
            "" => Some(None),
            _ => Address.read(raw).map(Some),
        }
    }
}

/// An origin, or nothing.
pub(super) struct OriginOrNone;

impl Rule for OriginOrNone {
    type Value = Option<Origin>;

    fn expects(&self) -> String {
        "empty, or http:// or https:// with a host and perhaps a port, and no path".into()
    }

    fn read(&self, raw: &Raw) -> Option<Option<Origin>> {
        match raw.text()? {
            "" => Some(None),
            text => Origin::parse(text).map(Some),
        }
    }
}

/// A visible text of at most `max` code points.
pub(super) struct Text {
    pub(super) max: usize,
}

impl Rule for Text {
    type Value = String;

    fn expects(&self) -> String {
        format!("a text of 1 to {} characters without control characters", self.max)
    }

    fn read(&self, raw: &Raw) -> Option<String> {
        let text = raw.text()?.trim();
        let fits = (1..=self.max).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        fits.then(|| text.to_owned())
    }
}

/// A folder. Whether it can be used shows when it is opened.
pub(super) struct Folder;

impl Rule for Folder {
    type Value = PathBuf;

    fn expects(&self) -> String {
        "a path".into()
    }

    fn read(&self, raw: &Raw) -> Option<PathBuf> {
        raw.text().filter(|text| !text.is_empty() && !text.contains('\0')).map(PathBuf::from)
    }
}

/// A file, or nothing. Whether it can be used shows when it is opened.
pub(super) struct FileOrNone;

impl Rule for FileOrNone {
    type Value = Option<PathBuf>;

    fn expects(&self) -> String {
        "empty or a path".into()
    }

    fn read(&self, raw: &Raw) -> Option<Option<PathBuf>> {
        match raw.text()? {
            "" => Some(None),
            _ => Folder.read(raw).map(Some),
        }
    }
}

/// Who may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// Anybody who reaches the server.
    Open,
    /// Nobody; accounts are made on the command line.
    Closed,
}

/// One of the registration modes, or nothing.
pub(super) struct Choice;

impl Rule for Choice {
    type Value = Option<Registration>;

    fn expects(&self) -> String {
        "\"open\", \"closed\" or empty".into()
    }

    fn read(&self, raw: &Raw) -> Option<Option<Registration>> {
        match raw.text()? {
            "" => Some(None),
            "open" => Some(Some(Registration::Open)),
            "closed" => Some(Some(Registration::Closed)),
            _ => None,
        }
    }
}

/// A whole number from the first to the second.
pub(super) struct Count(pub(super) u32, pub(super) u32);

impl Rule for Count {
    type Value = u32;

    fn expects(&self) -> String {
        format!("a whole number from {} to {}", self.0, self.1)
    }

    fn bounds(&self) -> Option<String> {
        Some(format!("{} to {}", self.0, self.1))
    }

    fn read(&self, raw: &Raw) -> Option<u32> {
        u32::try_from(raw.integer()?).ok().filter(|number| (self.0..=self.1).contains(number))
    }
}

/// Whole seconds from the first to the second.
pub(super) struct Seconds(pub(super) u32, pub(super) u32);

impl Rule for Seconds {
    type Value = Duration;

    fn expects(&self) -> String {
        format!("a whole number of seconds from {} to {}", self.0, self.1)
    }

    fn bounds(&self) -> Option<String> {
        Some(format!("{} to {} seconds", self.0, self.1))
    }

    fn read(&self, raw: &Raw) -> Option<Duration> {
        Count(self.0, self.1).read(raw).map(|seconds| Duration::from_secs(seconds.into()))
    }
}

/// Whole days from the first to the second.
pub(super) struct Days(pub(super) u32, pub(super) u32);

impl Rule for Days {
    type Value = Duration;

    fn expects(&self) -> String {
        format!("a whole number of days from {} to {}", self.0, self.1)
    }

    fn bounds(&self) -> Option<String> {
        Some(format!("{} to {} days", self.0, self.1))
    }

    fn read(&self, raw: &Raw) -> Option<Duration> {
        Count(self.0, self.1).read(raw).map(|days| Duration::from_hours(u64::from(days) * 24))
    }
}

/// A number of threads, at least one; 0 in the source stands for half the cores.
pub(super) struct Threads;

impl Rule for Threads {
    type Value = usize;

    fn expects(&self) -> String {
        "a whole number from 0 to 64".into()
    }

    fn read(&self, raw: &Raw) -> Option<usize> {
        match Count(0, 64).read(raw)? {
            0 => Some((std::thread::available_parallelism().map_or(1, usize::from) / 2).max(1)),
            threads => usize::try_from(threads).ok(),
        }
    }
}

/// Yes or no.
pub(super) struct Flag;

impl Rule for Flag {
    type Value = bool;

    fn expects(&self) -> String {
        "true or false".into()
    }

    fn read(&self, raw: &Raw) -> Option<bool> {
        raw.flag()
    }
}
