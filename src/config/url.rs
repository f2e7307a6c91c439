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

/// What a password of a URL's parameters stands behind, in either case.
const PASSWORD: &str = "password=";

/// A text with stars in the place of the password of a URL in it: between the first colon and the last `@`, which both may stand in a
/// password, and behind `password=`. Of NATS it may be a list of URLs, with tokens: everything before the last `@` is left out.
pub(super) fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let mut shown = format!("{scheme}://");
    let behind = match rest.rsplit_once('@') {
        Some((user, behind)) => {
            let is_of_nats = scheme.ends_with("nats") || scheme.ends_with("tls");
            match user.split_once(':') {
                _ if is_of_nats => shown.push_str("***@"),
                Some((name, _)) => shown.extend([name, ":***@"]),
                None => shown.extend([user, "@"]),
            }
            behind
        }
        None => rest,
    };
    // ASCII alone changes, so the places are those of the text itself.
    let lower = behind.to_ascii_lowercase();
    let mut from = 0;
    while let Some(at) = lower[from..].find(PASSWORD) {
        let begin = from + at + PASSWORD.len();
        let end = behind[begin..].find(['&', '"']).map_or(behind.len(), |end| begin + end);
        shown.extend([&behind[from..begin], "***"]);
        from = end;
    }
    shown + &behind[from..]
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
            ("postgres://ada:s/cr?t@db/parlor", "postgres://ada:***@db/parlor"),
            ("postgres://ada@db/parlor?password=secret&a=b", "postgres://ada@db/parlor?password=***&a=b"),
            ("postgres://ada@db/parlor?PassWord=sé&a=b", "postgres://ada@db/parlor?PassWord=***&a=b"),
            ("\"postgres://ada@db/parlor?password=secret\"", "\"postgres://ada@db/parlor?password=***\""),
            ("postgres://ada@db/parlor", "postgres://ada@db/parlor"),
            ("nats://ada:secret@bus:4222", "nats://***@bus:4222"),
            ("nats://ada:se,cret@bus,nats://bus-2", "nats://***@bus,nats://bus-2"),
            ("\"nats://token@bus\"", "\"nats://***@bus\""),
            ("tls://token@bus,tls://token@bus-2", "tls://***@bus-2"),
            ("nats://bus:4222,nats://bus-2", "nats://bus:4222,nats://bus-2"),
            ("http://localhost:8080", "http://localhost:8080"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(without_password(text), shown);
        }
    }
}
