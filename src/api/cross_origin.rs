//! Pages of other origins: which of them may read what this server answers (the CORS protocol of WHATWG Fetch). Knows no
//! operation and no credentials: cookies of other origins are refused where cookies are read.

use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Request, Response};

use crate::config::Origin;

/// Every method of the API, so that a page also gets to read the 405 of a path that lacks one of them.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";

/// What a page may send: whatever it likes, as none of it counts here but these. Readers of streams send `Cache-Control` and
/// `Last-Event-ID`, libraries headers of their own (`X-Requested-With`, `traceparent`). The star does not stand for
/// `Authorization` (WHATWG Fetch), and browsers before 2019 do not know it.
const REQUEST_HEADERS: &str = "Accept, Authorization, Cache-Control, Content-Type, Last-Event-ID, *";

/// What clients need of an answer's head beyond what pages may always read.
const ANSWER_HEADERS: &str = "Retry-After, WWW-Authenticate, X-Request-Id";

/// How long a browser may remember a preflight, in seconds: as long as Chromium does at most.
const MAX_AGE: &str = "7200";

const PREFLIGHT_VARY: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/// The origins whose pages may use the API, as browsers write them. A request from any other origin is answered as if none were
/// listed, and its browser hides the answer from the page. No listed page gets to use cookies: it sends a token of its own.
pub struct CrossOrigin(Vec<HeaderValue>);

impl CrossOrigin {
    pub fn new(origins: &[Origin]) -> Self {
        let value = |origin: &Origin| HeaderValue::from_str(&origin.to_string()).ok();
        Self(origins.iter().filter_map(value).collect())
    }

    /// The listed origin that a request comes from.
    pub fn of(&self, request: &Request) -> Option<HeaderValue> {
        let mut given = request.headers().get_all(header::ORIGIN).iter();
        let origin = given.next().filter(|_| given.next().is_none())?;
        self.0.iter().find(|listed| *listed == origin).cloned()
    }

    /// The answer to a browser that asks before it sends a request. It is the same for every path and method, so that the page
    /// can also read the 404 or 405 that follows.
    pub fn preflight(&self, request: &Request) -> Option<Response> {
        let asks = request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || self.of(request).is_none() {
            return None;
        }
        let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
            (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
            (header::VARY, PREFLIGHT_VARY),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        Some(response)
    }

    /// Lets the page of a listed origin read an answer, whatever it is. A cache must keep one answer for each origin, so answers
    /// to other origins vary by it as well.
    pub fn dress(&self, origin: Option<HeaderValue>, headers: &mut HeaderMap) {
        if self.0.is_empty() {
            return;
        }
        vary_by_origin(headers);
        let Some(origin) = origin else { return };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static(ANSWER_HEADERS);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

/// Adds `Origin` to the `Vary` of the answer. It stays one field, because not every cache joins two.
fn vary_by_origin(headers: &mut HeaderMap) {
    let said = headers.get(header::VARY).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if said.split(',').any(|name| name.trim().eq_ignore_ascii_case("origin")) {
        return;
    }
    let more = if said.is_empty() { "Origin".to_owned() } else { format!("{said}, Origin") };
    if let Ok(value) = HeaderValue::from_str(&more) {
        headers.insert(header::VARY, value);
    }
}
