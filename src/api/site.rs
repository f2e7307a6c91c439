//! What follows from where browsers reach this server: the names of cookies, and whether a request comes from our page.

use std::time::Duration;

use poem::Request;
use poem::http::{HeaderValue, header};

use super::code::Code;
use super::problem::Problem;
use crate::config::Origin;

/// The one site whose pages may use cookies here.
#[derive(Clone, Debug)]
pub struct Site {
    /// As browsers write it.
    origin: String,
    is_https: bool,
    cookies: Option<CookieNames>,
}

/// What our two cookies are called there, and how long the one of the refresh token is kept.
#[derive(Clone, Debug)]
pub struct CookieNames {
    pub access: String,
    pub refresh: String,
    is_secure: bool,
    refresh_seconds: u64,
}

impl Site {
    /// `refresh_life` is how long an unused session lasts.
    pub fn new(origin: &Origin, refresh_life: Duration) -> Self {
        let is_https = origin.is_secure();
        // Anywhere else plain http would carry them through foreign hands.
        let is_private = is_https || origin.is_loopback();
        let cookies = is_private.then(|| CookieNames::new(is_https, origin.port(), refresh_life));
        Self { origin: origin.to_string(), is_https, cookies }
    }

    pub fn is_https(&self) -> bool {
        self.is_https
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
            only(header::ORIGIN.as_str()).is_some_and(|origin| origin.as_bytes() == self.origin.as_bytes())
        };
        if ours { Ok(()) } else { Err(Problem::new(Code::CrossOrigin)) }
    }
}

impl CookieNames {
    /// Cookies of one host are shared by all its ports: on loopback the port is in the name, so that two servers do not
    /// sign each other's people out.
    fn new(is_secure: bool, port: u16, refresh_life: Duration) -> Self {
        let name =
            |kind| if is_secure { format!("__Host-parlor_{kind}") } else { format!("parlor_{kind}_{port}") };
        Self {
            access: name("access"),
            refresh: name("refresh"),
            is_secure,
            refresh_seconds: refresh_life.as_secs(),
        }
    }

    /// The `Set-Cookie` values of a sign-in.
    pub fn set(&self, access_token: &str, expires_in: i64, refresh_token: &str) -> Vec<HeaderValue> {
        [
            self.cookie(&self.access, access_token, u64::try_from(expires_in).unwrap_or(0)),
            self.cookie(&self.refresh, refresh_token, self.refresh_seconds),
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

    fn cookie(&self, name: &str, value: &str, max_age: u64) -> Option<HeaderValue> {
        let secure = if self.is_secure { "; Secure" } else { "" };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn site(origin: &str) -> Site {
        Site::new(&Origin::parse(origin).unwrap(), Duration::from_hours(24))
    }

    fn names(origin: &str) -> Option<String> {
        site(origin).cookies.map(|names| names.access)
    }

    fn request(headers: &[(&str, &str)]) -> Request {
        headers
            .iter()
            .fold(Request::builder(), |builder, (name, value)| builder.header(*name, *value))
            .finish()
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
        let secure = site("https://chat.example");
        let set = secure.cookies().unwrap().set("a", 900, "r");
        assert_eq!(
            set[0].to_str().unwrap(),
            "__Host-parlor_access=a; Path=/; Max-Age=900; HttpOnly; SameSite=Strict; Secure"
        );
        let plain = site("http://127.0.0.1:8080");
        assert_eq!(
            plain.cookies().unwrap().clear()[1].to_str().unwrap(),
            "parlor_refresh_8080=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"
        );
    }

    #[test]
    fn only_our_own_page_passes() {
        let site = site("http://127.0.0.1:8080");
        let good: [&[(&str, &str)]; 3] = [
            &[("sec-fetch-site", "same-origin")],
            &[("origin", "http://127.0.0.1:8080")],
            &[("sec-fetch-site", "same-origin"), ("origin", "http://localhost:8080")],
        ];
        for headers in good {
            assert!(site.check(&request(headers)).is_ok(), "{headers:?}");
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
            assert!(site.check(&request(headers)).is_err(), "{headers:?}");
        }
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let request =
            request(&[("cookie", "xparlor_access_80=no; parlor_access_80=yes; parlor_access_80=later")]);
        assert_eq!(cookie(&request, "parlor_access_80"), Some("yes"));
        assert_eq!(cookie(&request, "parlor_access"), None);
    }
}
