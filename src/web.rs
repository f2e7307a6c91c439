//! Serves the built web client, the API explorer and the example page from inside the binary. Knows nothing of the API.

use poem::error::{MethodNotAllowedError, NotFoundError};
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, Request, Response, Result};

/// A file of `web/dist`, as `web/build.rs` found it.
struct File {
    /// Below `web/dist`, with `/` between folders.
    path: &'static str,
    /// The fingerprint of the plain bytes.
    etag: &'static str,
    plain: &'static [u8],
    br: Option<&'static [u8]>,
    gz: Option<&'static [u8]>,
}

/// Sorted by path.
static FILES: &[File] = include!(concat!(env!("OUT_DIR"), "/web_files.rs"));

/// For the client: its own files and its own server, and no HTML from strings (Trusted Types).
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
    connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'";

/// For the explorer, which writes styles into its page.
const EXPLORER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// For the example, whose script and style stand in the page: they are named by their hashes.
const EXAMPLE_POLICY: &str = include_str!(concat!(env!("OUT_DIR"), "/example_policy.txt"));

const IMMUTABLE: &str = "public, max-age=31536000, immutable";

/// Every path that is not the API's.
pub struct Web;

impl Endpoint for Web {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        if ![Method::GET, Method::HEAD].contains(request.method()) {
            return Err(MethodNotAllowedError.into());
        }
        let file = find(request.uri().path(), wants_page(request.headers())).ok_or(NotFoundError)?;
        Ok(file.answer(request.headers(), request.method() == Method::HEAD))
    }
}

/// A path that is no file is a page of the client, which finds its own way, if a page is asked for: a program that has the
/// address of the API wrong must not be told 200. Nor is a missing asset a page: one that is older than the server must
/// fail to load it, and not run the index page as a script. A slash behind the address of a page makes no difference.
fn find(path: &str, wants_page: bool) -> Option<&'static File> {
    let path = path.trim_start_matches('/');
    let exact = |path: &str| FILES.binary_search_by(|file| file.path.cmp(path)).ok().map(|at| &FILES[at]);
    match path {
        "docs" | "docs/" => exact("docs/index.html"),
        "docs/example" | "docs/example/" => exact(EXAMPLE),
        path if path.starts_with("assets/") || path.starts_with("docs/") => exact(path),
        path => exact(path).or_else(|| exact("index.html").filter(|_| wants_page || path.is_empty())),
    }
}

impl File {
    fn answer(&self, request: &HeaderMap, only_head: bool) -> Response {
        let (bytes, encoding) = self.variant(request);
        let suffix = encoding.map(|encoding| format!("-{encoding}")).unwrap_or_default();
        let etag = format!("\"{}{suffix}\"", self.etag);
        let is_known = is_known(request, &etag);
        let mut response = match (is_known, only_head) {
            (true, _) => Response::builder().status(StatusCode::NOT_MODIFIED).finish(),
            (false, true) => Response::builder().finish(),
            (false, false) => Response::builder().body(bytes),
        };
        let headers = response.headers_mut();
        self.dress(headers);
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            headers.insert(header::ETAG, etag);
        }
        if !is_known {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type()));
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            if let Some(encoding) = encoding {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
            }
        }
        response
    }

    /// The headers of every answer, a 304 too: there they replace those of the page that the browser kept.
    fn dress(&self, headers: &mut HeaderMap) {
        let mut set = |name, value| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        set(header::VARY, "Accept-Encoding");
        set(header::CACHE_CONTROL, self.cache_control());
        if let Some(policy) = self.policy() {
            set(header::CONTENT_SECURITY_POLICY, policy);
            set(header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
            set(header::HeaderName::from_static("permissions-policy"), NO_PERMISSIONS);
        }
    }

    /// The smallest variant that the client takes.
    fn variant(&self, request: &HeaderMap) -> (&'static [u8], Option<&'static str>) {
        match (self.br, self.gz) {
            (Some(bytes), _) if accepts(request, "br") => (bytes, Some("br")),
            (_, Some(bytes)) if accepts(request, "gzip") => (bytes, Some("gzip")),
            _ => (self.plain, None),
        }
    }

    /// Names in `assets` carry a hash of what is in them; everything else is asked for again.
    fn cache_control(&self) -> &'static str {
        let is_hashed = self.path.starts_with("assets/") || self.path.starts_with("docs/assets/");
        if is_hashed { IMMUTABLE } else { "no-cache" }
    }

    /// None for what is not a page.
    fn policy(&self) -> Option<&'static str> {
        match self.content_type() {
            HTML if self.path == EXAMPLE => Some(EXAMPLE_POLICY),
            HTML if self.path.starts_with("docs/") => Some(EXPLORER_POLICY),
            HTML => Some(PAGE_POLICY),
            _ => None,
        }
    }

    fn content_type(&self) -> &'static str {
        match self.path.rsplit_once('.').map(|(_, suffix)| suffix) {
            Some("html") => HTML,
            Some("js" | "mjs") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("json" | "map") => "application/json",
            Some("webmanifest") => "application/manifest+json",
            Some("svg") => "image/svg+xml",
            Some("png") => "image/png",
            Some("ico") => "image/x-icon",
            Some("woff2") => "font/woff2",
            Some("txt") => "text/plain; charset=utf-8",
            _ => "application/octet-stream",
        }
    }
}

const EXAMPLE: &str = "docs/example.html";

const HTML: &str = "text/html; charset=utf-8";

const NO_PERMISSIONS: &str =
    "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()";

/// Whether this is how browsers ask for a page: they name HTML, and programs do not.
fn wants_page(request: &HeaderMap) -> bool {
    let values = request.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split([',', ';'])).any(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
}

/// Whether `Accept-Encoding` names the encoding without `q=0` (RFC 9110, section 12.5.3).
fn accepts(request: &HeaderMap, encoding: &str) -> bool {
    let values = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|choice| {
        let mut parts = choice.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let is_refused = |part: &str| {
            let quality = part.split_once('=').filter(|(key, _)| key.trim().eq_ignore_ascii_case("q"));
            quality
                .is_some_and(|(_, quality)| quality.trim().parse::<f32>().is_ok_and(|quality| quality <= 0.0))
        };
        is_named && !parts.any(is_refused)
    })
}

/// Whether the client has these very bytes (`If-None-Match`, weakly compared).
fn is_known(request: &HeaderMap, etag: &str) -> bool {
    let values = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: File =
        File { path: "assets/a-1.css", etag: "e", plain: b"plain", br: Some(b"br"), gz: Some(b"gz") };

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_smallest_accepted_variant_is_sent() {
        for (accept, sent) in [
            ("gzip, deflate, br", Some("br")),
            ("gzip;q=1.0, br;q=0", Some("gzip")),
            ("GZIP", Some("gzip")),
            ("br;q=0.0, gzip;q=0", None),
            ("identity", None),
        ] {
            assert_eq!(STYLE.variant(&headers(&[(header::ACCEPT_ENCODING, accept)])).1, sent, "{accept}");
        }
        assert_eq!(STYLE.variant(&HeaderMap::new()).1, None);
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let first = STYLE.answer(&headers(&[(header::ACCEPT_ENCODING, "br")]), false);
        assert_eq!(first.headers()[header::ETAG], "\"e-br\"");
        assert_eq!(first.headers()[header::CACHE_CONTROL], IMMUTABLE);
        let again = headers(&[(header::ACCEPT_ENCODING, "br"), (header::IF_NONE_MATCH, "\"x\", W/\"e-br\"")]);
        assert_eq!(STYLE.answer(&again, false).status(), StatusCode::NOT_MODIFIED);
        let other = headers(&[(header::IF_NONE_MATCH, "\"e-br\"")]);
        assert_eq!(STYLE.answer(&other, false).status(), StatusCode::OK, "the plain bytes are others");
    }

    #[test]
    fn a_page_that_is_known_keeps_its_policy() {
        let page = File { path: "index.html", etag: "e", plain: b"plain", br: None, gz: None };
        for (known, status) in [("\"x\"", StatusCode::OK), ("\"e\"", StatusCode::NOT_MODIFIED)] {
            let answer = page.answer(&headers(&[(header::IF_NONE_MATCH, known)]), false);
            let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert_eq!((answer.status(), policy), (status, PAGE_POLICY));
        }
    }

    #[test]
    fn pages_of_the_client_are_the_index_page_and_missing_assets_are_missing() {
        for page in ["/", "/room/lobby", "/index.html"] {
            assert_eq!(find(page, true).map(|file| file.path), Some("index.html"), "{page}");
        }
        assert!(find("/assets/gone-1234.js", true).is_none());
        assert!(find("/docs/assets/gone.js", true).is_none());
    }

    #[test]
    fn only_who_asks_for_html_gets_a_page_for_any_path() {
        let asked = |accept| wants_page(&headers(&[(header::ACCEPT, accept)]));
        assert!(asked("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"));
        assert!(asked("application/json, Text/HTML;q=0.1"));
        assert!(!asked("*/*") && !asked("application/json") && !wants_page(&HeaderMap::new()));
        assert_eq!(find("/", false).map(|file| file.path), Some("index.html"));
        assert!(find("/v2/server", false).is_none());
    }
}
