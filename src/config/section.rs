//! A section and its keys as `config.toml` shows them.

/// The lines of `why` keep the space that follows `///`.
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) why: &'static [&'static str],
    pub(super) keys: &'static [Key],
}

/// `default` is TOML.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) default: &'static str,
    pub(super) why: &'static [&'static str],
    pub(super) bounds: fn() -> Option<String>,
}
