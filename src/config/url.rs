//! URLs of other services, which may have a password in them: whatever is printed of one has none.

use std::fmt;

use super::rules::{Raw, Rule};

/// The URL of a service.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceUrl(String);

impl ServiceUrl {
    /// With the password: for connecting, not for printing.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(&self.0))
    }
}

/// A text with stars in the place of each password of a URL in it.
pub(super) fn without_password(text: &str) -> String {
    let (mut shown, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after.find(['/', '?', '"', ' ']).unwrap_or(after.len());
        let (authority, behind) = after.split_at(end);
        match authority.rsplit_once('@') {
            Some((user, host)) => {
                let name = user.split_once(':').map_or(user, |(name, _)| name);
                let stars = if user.contains(':') { ":***" } else { "" };
                shown.extend([name, stars, "@", host]);
            }
            None => shown.push_str(authority),
        }
        rest = behind;
    }
    shown.push_str(rest);
    shown
}

/// A URL that begins with one of these schemes, or nothing.
pub(super) struct UrlOrNone {
    pub schemes: &'static [&'static str],
    pub example: &'static str,
}

impl Rule for UrlOrNone {
    type Value = Option<ServiceUrl>;

    fn expects(&self) -> String {
        format!("empty, or a URL such as {}", self.example)
    }

    fn read(&self, raw: &Raw) -> Option<Option<ServiceUrl>> {
        let text = raw.text()?;
        if text.is_empty() {
            return Some(None);
        }
        let (scheme, rest) = text.split_once("://")?;
        (self.schemes.contains(&scheme) && !rest.is_empty()).then(|| Some(ServiceUrl(text.to_owned())))
    }

    fn complains(&self, _: &Raw) -> String {
        "is something else".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (text, shown) in [
            ("postgres://ada:secret@db/parlor", "postgres://ada:***@db/parlor"),
            (
                "\"postgres://ada:se@cret@db:5432/parlor?sslmode=require\"",
                "\"postgres://ada:***@db:5432/parlor?sslmode=require\"",
            ),
            ("postgres://ada@db/parlor", "postgres://ada@db/parlor"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(without_password(text), shown);
        }
    }
}
