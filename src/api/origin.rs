//! Where browsers reach this server, and what follows: the names of cookies, and whether a request comes from our page.

use poem::Request;
use poem::http::{HeaderValue, header};

use super::code::Code;
use super::problem::Problem;

/// Seconds that the cookie of a refresh token is kept: the idle life of a session.
const REFRESH_COOKIE_SECONDS: i64 = 14 * 24 * 60 * 60;

/// Scheme, host and port, as browsers write an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    text: String,
    /// None where cookies would travel unprotected.
    cookies: Option<CookieNames>,
}

/// What our two cookies are called at an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieNames {
    pub access: String,
    pub refresh: String,
    secure: bool,
}

impl Origin {
    /// Reads `https://chat.example`, `http://127.0.0.1:8080`: no path, no trailing slash; none if it is not an origin.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let secure = match scheme {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let (host, port) = split_port(authority)?;
        let ordinary = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '[' | ']' | ':');
        if host.is_empty() || !host.chars().all(ordinary) {
            return None;
        }
        let default_port = if secure { 443 } else { 80 };
        let port = port.unwrap_or(default_port);
        let host = host.to_ascii_lowercase();
        // Browsers leave the scheme's own port out.
        let shown = if port == default_port { String::new() } else { format!(":{port}") };
        let cookies = (secure || is_loopback(&host)).then(|| CookieNames::new(secure, port));
        Some(Self { text: format!("{scheme}://{host}{shown}"), cookies })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn is_https(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// None on plain http off loopback: there tokens are not given as cookies, and cookies not read.
    pub fn cookies(&self) -> Option<&CookieNames> {
        self.cookies.as_ref()
    }

    /// Refuses a request that a page of another site made the browser send with our cookies (OWASP CSRF: Fetch
    /// Metadata, else the origin compared exactly; a missing one is foreign).
    pub fn check(&self, request: &Request) -> Result<(), Problem> {
        let only = |name| {
            let mut values = request.headers().get_all(name).iter();
            values.next().filter(|_| values.next().is_none())
        };
        let ours = if request.headers().contains_key("sec-fetch-site") {
            only("sec-fetch-site").is_some_and(|site| site == "same-origin")
        } else {
            only(header::ORIGIN.as_str()).is_some_and(|origin| origin.as_bytes() == self.text.as_bytes())
        };
        if ours { Ok(()) } else { Err(Problem::new(Code::CrossOrigin)) }
    }
}

impl CookieNames {
    /// Cookies of one host are shared by all its ports: on loopback the port is in the name, so that two servers do not
    /// sign each other's people out.
    fn new(secure: bool, port: u16) -> Self {
        if secure {
            let name = |kind| format!("__Host-parlor_{kind}");
            Self { access: name("access"), refresh: name("refresh"), secure }
        } else {
            let name = |kind| format!("parlor_{kind}_{port}");
            Self { access: name("access"), refresh: name("refresh"), secure }
        }
    }

    /// The `Set-Cookie` values of a sign-in.
    pub fn set(&self, access_token: &str, expires_in: i64, refresh_token: &str) -> Vec<HeaderValue> {
        [
            self.cookie(&self.access, access_token, expires_in),
            self.cookie(&self.refresh, refresh_token, REFRESH_COOKIE_SECONDS),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The `Set-Cookie` values that remove both.
    pub fn clear(&self) -> Vec<HeaderValue> {
        [self.cookie(&self.access, "", 0), self.cookie(&self.refresh, "", 0)].into_iter().flatten().collect()
    }

    /// Whether a request carries one of them.
    pub fn any_in(&self, request: &Request) -> bool {
        cookie(request, &self.access).is_some() || cookie(request, &self.refresh).is_some()
    }

    fn cookie(&self, name: &str, value: &str, max_age: i64) -> Option<HeaderValue> {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}");
        let mut value = HeaderValue::from_str(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// The value of a cookie; none when it is absent or empty. Of several the first counts, as RFC 6265 sends the most
/// specific path first.
pub fn cookie<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    let headers = request.headers().get_all(header::COOKIE).iter();
    let pairs = headers.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut named = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(key, _)| *key == name);
    named.next().map(|(_, value)| value).filter(|value| !value.is_empty())
}

fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    match authority.rsplit_once(':') {
        // The colons inside an IPv6 address are not a port's.
        Some((_, port)) if port.ends_with(']') => Some((authority, None)),
        Some((host, port)) => Some((host, Some(port.parse().ok()?))),
        None => Some((authority, None)),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(origin: &str) -> Option<String> {
        Origin::parse(origin).unwrap().cookies.map(|names| names.access)
    }

    fn request(headers: &[(&str, &str)]) -> Request {
        headers.iter().fold(Request::builder(), |builder, (name, value)| builder.header(*name, *value)).finish()
    }

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        for (given, text) in [
            ("https://Chat.Example", "https://chat.example"),
            ("https://chat.example:443", "https://chat.example"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
            ("http://[::1]", "http://[::1]"),
        ] {
            assert_eq!(Origin::parse(given).unwrap().as_str(), text);
        }
        for bad in ["chat.example", "ftp://a", "https://", "https://a/b", "https://a/", "https://a:b", "https://u@a", "http://a:99999"] {
            assert_eq!(Origin::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn cookie_names_follow_the_transport() {
        assert_eq!(names("https://chat.example").as_deref(), Some("__Host-parlor_access"));
        assert_eq!(names("http://127.0.0.1:8080").as_deref(), Some("parlor_access_8080"));
        assert_eq!(names("http://localhost").as_deref(), Some("parlor_access_80"));
        assert_eq!(names("http://[::1]:81").as_deref(), Some("parlor_access_81"));
        assert_eq!(names("http://10.0.0.1:8080"), None);
        assert_eq!(names("http://127.0.0.1.example:8080"), None);
    }

    #[test]
    fn cookies_are_out_of_reach_of_script_and_of_other_sites() {
        let secure = Origin::parse("https://chat.example").unwrap();
        let set = secure.cookies().unwrap().set("a", 900, "r");
        assert_eq!(
            set[0].to_str().unwrap(),
            "__Host-parlor_access=a; Path=/; Max-Age=900; HttpOnly; SameSite=Strict; Secure"
        );
        let plain = Origin::parse("http://127.0.0.1:8080").unwrap();
        assert_eq!(
            plain.cookies().unwrap().clear()[1].to_str().unwrap(),
            "parlor_refresh_8080=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"
        );
    }

    #[test]
    fn only_our_own_page_passes() {
        let origin = Origin::parse("http://127.0.0.1:8080").unwrap();
        let good: [&[(&str, &str)]; 3] = [
            &[("sec-fetch-site", "same-origin")],
            &[("origin", "http://127.0.0.1:8080")],
            &[("sec-fetch-site", "same-origin"), ("origin", "http://localhost:8080")],
        ];
        for headers in good {
            assert!(origin.check(&request(headers)).is_ok(), "{headers:?}");
        }
        let bad: [&[(&str, &str)]; 9] = [
            &[],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "cross-site"), ("origin", "http://127.0.0.1:8080")],
            &[("sec-fetch-site", "none")],
            &[("origin", "null")],
            &[("origin", "http://127.0.0.1:80800")],
            &[("origin", "https://127.0.0.1:8080")],
            &[("origin", "http://127.0.0.1:8080.example")],
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
        ];
        for headers in bad {
            assert!(origin.check(&request(headers)).is_err(), "{headers:?}");
        }
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let request = request(&[("cookie", "xparlor_access_80=no; parlor_access_80=yes; parlor_access_80=later")]);
        assert_eq!(cookie(&request, "parlor_access_80"), Some("yes"));
        assert_eq!(cookie(&request, "parlor_access"), None);
    }
}
