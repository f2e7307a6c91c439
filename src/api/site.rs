//! What follows from where browsers reach this server: the names of cookies, and whether a request comes from our page.

use std::time::Duration;

use cookie::time;
use cookie::{Cookie, SameSite};
use poem::Request;
use poem::http::{HeaderValue, header};

use super::code::Code;
use super::problem::Problem;
use crate::config::Origin;

const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// What a refused page is told. It may be our own, at an address that the configuration does not know.
pub const OTHER_ORIGIN: &str = "Cookies are only for pages of this server's own address. If this page is one of them, \
    `server.public_url` in the server's configuration must be the address that the browser shows.";

/// What a page is told where cookies would travel unprotected. A proxy may speak https, and the server not know of it.
pub const NO_HTTPS: &str = "Signing in with a browser needs https. `server.public_url` in the server's configuration must be the \
    https address that the browser shows.";

/// Which page sent a request, as the browser says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    OurPage,
    OtherPage,
}

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
    refresh_seconds: i64,
}

impl Site {
    /// `refresh_life` is how long an unused session lasts.
    pub fn new(origin: &Origin, refresh_life: Duration) -> Self {
        let is_https = origin.is_secure();
        // Over plain http between machines, anybody on the way could read them.
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

    /// Refuses to set cookies for a page that could not use them afterwards, or that would sign somebody in as another.
    pub fn check_sign_in(&self, request: &Request) -> Result<(), Problem> {
        if self.cookies.is_none() {
            return Err(Problem::new(Code::InsecureTransport).detail(NO_HTTPS));
        }
        if !self.is_https && !is_on_this_machine(request) {
            return Err(Problem::new(Code::CrossOrigin).detail(OTHER_ORIGIN));
        }
        self.check(request)
    }

    /// Refuses a request that a page of another site made the browser send (OWASP CSRF). A request that does not say where it
    /// comes from is refused as well.
    pub fn check(&self, request: &Request) -> Result<(), Problem> {
        match self.sent(request) {
            Some(Sender::OurPage) => Ok(()),
            Some(Sender::OtherPage) | None => Err(Problem::new(Code::CrossOrigin).detail(OTHER_ORIGIN)),
        }
    }

    /// Whether a request says that a page of another site sent it. Programs other than browsers do not say.
    pub fn is_foreign(&self, request: &Request) -> bool {
        self.sent(request) == Some(Sender::OtherPage)
    }

    /// Fetch Metadata, else the origin compared exactly; none when the request has neither. A header that comes twice is not
    /// a browser's.
    fn sent(&self, request: &Request) -> Option<Sender> {
        let headers = request.headers();
        let (name, ours) = if headers.contains_key(SEC_FETCH_SITE) {
            (SEC_FETCH_SITE, "same-origin")
        } else {
            (header::ORIGIN.as_str(), self.origin.as_str())
        };
        let mut values = headers.get_all(name).iter();
        let is_ours = *values.next()? == *ours && values.next().is_none();
        Some(if is_ours { Sender::OurPage } else { Sender::OtherPage })
    }
}

/// Whether the page that sent a request is plain http on this machine, as far as `Origin` says. Elsewhere our cookies would need
/// `Secure`. Behind a proxy that speaks https, Fetch Metadata says `same-origin` although the configuration does not know of it.
fn is_on_this_machine(request: &Request) -> bool {
    let is_here = |origin: &HeaderValue| {
        let origin = origin.to_str().unwrap_or_default();
        // Browsers write `null` for some requests of our own page; Fetch Metadata decides about those.
        origin == "null" || Origin::parse(origin).is_some_and(|it| !it.is_secure() && it.is_loopback())
    };
    request.headers().get_all(header::ORIGIN).iter().all(is_here)
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
            refresh_seconds: i64::try_from(refresh_life.as_secs()).unwrap_or(i64::MAX),
        }
    }

    /// The `Set-Cookie` values of a sign-in.
    pub fn set(&self, access_token: &str, expires_in: i64, refresh_token: &str) -> Vec<HeaderValue> {
        [
            self.cookie(&self.access, access_token, expires_in),
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

    fn cookie(&self, name: &str, value: &str, seconds: i64) -> Option<HeaderValue> {
        let cookie = Cookie::build((name, value))
            .path("/")
            .max_age(time::Duration::seconds(seconds))
            .http_only(true)
            .same_site(SameSite::Strict)
            .secure(self.is_secure);
        let mut value = HeaderValue::from_str(&cookie.to_string()).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// The value of a cookie; none when it is absent or empty. Of several the first counts, as RFC 6265 sends the most
/// specific path first.
pub fn cookie(request: &Request, name: &str) -> Option<String> {
    let headers = request.headers().get_all(header::COOKIE).iter();
    let mut cookies = headers.filter_map(|value| value.to_str().ok()).flat_map(Cookie::split_parse).flatten();
    let found = cookies.find(|cookie| cookie.name() == name)?;
    Some(found.value().to_owned()).filter(|value| !value.is_empty())
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
            "__Host-parlor_access=a; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=900"
        );
        let plain = site("http://127.0.0.1:8080");
        assert_eq!(
            plain.cookies().unwrap().clear()[1].to_str().unwrap(),
            "parlor_refresh_8080=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0"
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
            let request = request(headers);
            assert!(site.check(&request).is_ok() && !site.is_foreign(&request), "{headers:?}");
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
            let request = request(headers);
            assert!(site.check(&request).is_err(), "{headers:?}");
            assert_eq!(site.is_foreign(&request), !headers.is_empty(), "{headers:?}");
        }
    }

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let request =
            request(&[("cookie", "xparlor_access_80=no; parlor_access_80=yes; parlor_access_80=later")]);
        assert_eq!(cookie(&request, "parlor_access_80").as_deref(), Some("yes"));
        assert_eq!(cookie(&request, "parlor_access"), None);
    }
}
