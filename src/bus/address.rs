//! Where the NATS servers are, and how to sign in to them.

use std::borrow::Cow;
use std::fmt;

use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;
use thiserror::Error;

/// What is wrong with a URL. No text of it has a password.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum UrlError {
    #[error("is not a URL such as nats://user:password@host:4222")]
    Form,
    #[error("names no host")]
    NoHost,
    #[error(
        "has a path, a query or a fragment after the host, and none may stand there; / ? and # in a password or token are written \
         as %2F, %3F and %23"
    )]
    Rest,
    #[error("has a user or password that is not UTF-8")]
    Encoding,
    #[error("has two users; all servers of a cluster know the same one")]
    TwoUsers,
}

/// Servers of one NATS cluster. Each of them carries all messages.
#[derive(Clone)]
pub struct NatsServers {
    addresses: Vec<ServerAddr>,
    sign_in: Option<SignIn>,
}

#[derive(Clone, PartialEq, Eq)]
enum SignIn {
    Token(String),
    Password(String, String),
}

impl NatsServers {
    /// Reads `nats://user:password@host:4222` or `nats://token@host:4222`; `tls` in the place of `nats` insists on an encrypted
    /// connection. Several servers stand with commas between.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (mut addresses, mut sign_in) = (Vec::new(), None);
        for url in text.split(',').map(str::trim) {
            let address: ServerAddr = url.parse().map_err(|_| UrlError::Form)?;
            let this = SignIn::of(&address)?;
            if sign_in.is_some() && this.is_some() && this != sign_in {
                return Err(UrlError::TwoUsers);
            }
            sign_in = sign_in.or(this);
            addresses.push(without_sign_in(address)?);
        }
        Ok(Self { addresses, sign_in })
    }

    pub(super) fn addresses(&self) -> &[ServerAddr] {
        &self.addresses
    }

    pub(super) fn options(&self) -> ConnectOptions {
        let options = ConnectOptions::new().name("parlor").no_echo();
        match self.sign_in.clone() {
            Some(SignIn::Password(user, password)) => options.user_and_password(user, password),
            Some(SignIn::Token(token)) => options.token(token),
            None => options,
        }
    }
}

impl SignIn {
    fn of(address: &ServerAddr) -> Result<Option<Self>, UrlError> {
        let decoded = |text: &str| {
            percent_decode_str(text).decode_utf8().map(Cow::into_owned).map_err(|_| UrlError::Encoding)
        };
        let Some(user) = address.username() else { return Ok(None) };
        let user = decoded(user)?;
        Ok(Some(match address.password() {
            Some(password) => Self::Password(user, decoded(password)?),
            None => Self::Token(user),
        }))
    }
}

/// The library writes addresses to its log, so the ones it gets have no password.
fn without_sign_in(address: ServerAddr) -> Result<ServerAddr, UrlError> {
    let mut url = address.into_inner();
    if url.host_str().is_none_or(str::is_empty) {
        return Err(UrlError::NoHost);
    }
    // The rules of URLs let either be set wherever there is a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    // It is not repeated: it may be the rest of a password with a slash in it.
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(UrlError::Rest);
    }
    url.set_path("");
    ServerAddr::from_url(url).map_err(|_| UrlError::Form)
}

/// Without what signs in.
impl fmt::Display for NatsServers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, address) in self.addresses.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { ", " }, address.as_url_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign_in(text: &str) -> Option<SignIn> {
        NatsServers::parse(text).expect("it is one").sign_in
    }

    #[test]
    fn a_url_says_where_and_as_whom() {
        let servers = NatsServers::parse("nats://ada:p%40ss%2C@db-1:4222, tls://db-2").expect("they are two");
        assert_eq!(servers.to_string(), "nats://db-1:4222, tls://db-2");
        assert!(servers.sign_in == Some(SignIn::Password("ada".into(), "p@ss,".into())));
        assert!(sign_in("nats://secret@[::1]:4222") == Some(SignIn::Token("secret".into())));
        assert!(sign_in("nats://127.0.0.1:4222").is_none());
        assert!(sign_in("nats://ada:pw@a,nats://ada:pw@b") == sign_in("nats://ada:pw@a,nats://b"));
    }

    #[test]
    fn a_wrong_url_is_told_without_its_password() {
        for (text, wrong) in [
            ("http://127.0.0.1:4222", UrlError::Form),
            ("nats://ada:secret@host:99999", UrlError::Form),
            ("nats://", UrlError::NoHost),
            ("nats://a,,nats://b", UrlError::NoHost),
            ("nats://a/path", UrlError::Rest),
            ("nats://a?password=secret", UrlError::Rest),
            ("nats://ada:1/secret@host:4222", UrlError::Rest),
            ("nats://ada:1?secret@host:4222", UrlError::Rest),
            ("nats://a#secret@host:4222", UrlError::Rest),
            ("nats://ada:%ff@a", UrlError::Encoding),
            ("nats://ada:pw@a,nats://bob:pw@b", UrlError::TwoUsers),
        ] {
            let Err(error) = NatsServers::parse(text) else { panic!("{text} is taken") };
            assert!(!error.to_string().contains("secret"), "{error}");
            assert_eq!(error, wrong, "{text}");
        }
    }
}
