//! The layer around everything: whatever comes out of a request, an error or a panic too, leaves as a whole answer with
//! the headers that every answer has.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use poem::error::{MethodNotAllowedError, NotFoundError};
use poem::http::header::{self, HeaderName};
use poem::http::uri::Authority;
use poem::http::{HeaderMap, HeaderValue, Method, Version};
use poem::{Endpoint, Request, Response, Result};
use poem_openapi::OperationId;
use poem_openapi::error::{ParseParamError, ParsePathError};

use super::code::Code;
use super::cross_origin::CrossOrigin;
use super::events::CameAsHead;
use super::paths::Paths;
use super::problem::Problem;
use super::site::Site;
use super::{RequestId, auth};

/// What a request without a good `Host` is told.
pub const HOST_RULE: &str = "The request must have one Host header, with a host and perhaps a port.";

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Wraps an endpoint so that it never fails.
pub struct Outermost<E> {
    inner: E,
    paths: Paths,
    site: Arc<Site>,
    cross_origin: CrossOrigin,
    deadline: Duration,
}

impl<E> Outermost<E> {
    /// A request is answered within `deadline`, even if what it waits for hangs. A stream that is open counts as answered.
    pub fn new(inner: E, site: Arc<Site>, cross_origin: CrossOrigin, deadline: Duration) -> Self {
        Self { inner, paths: Paths::documented(), site, cross_origin, deadline }
    }
}

impl<E: Endpoint<Output = Response>> Endpoint for Outermost<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let id = match request.data::<RequestId>() {
            Some(id) => id.0.clone(),
            None => RequestId::draw().0,
        };
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        if request.method() == Method::HEAD {
            request.set_data(CameAsHead);
        }
        let origin = self.cross_origin.of(&request);
        // A preflight comes first: if it is refused, the page cannot read the answer to the request itself.
        let outcome = match (self.cross_origin.preflight(&request), self.screen(&request)) {
            (Some(preflight), _) => Ok(preflight),
            (None, Ok(())) => self.run(request).await,
            (None, Err(problem)) => Err(problem.into()),
        };
        let mut response = outcome.unwrap_or_else(|error| self.answer(&error, &method, &path, &id));
        self.dress(response.headers_mut());
        self.cross_origin.dress(origin, response.headers_mut());
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(X_REQUEST_ID, value);
        }
        Ok(response)
    }
}

impl<E: Endpoint<Output = Response>> Outermost<E> {
    /// What can be said from the head of the request alone.
    fn screen(&self, request: &Request) -> Result<(), Problem> {
        let malformed = |detail| Err(Problem::new(Code::InvalidRequest).detail(detail));
        let mut hosts = request.headers().get_all(header::HOST).iter();
        let is_one = match (hosts.next(), hosts.next()) {
            // HTTP/1.0 did not know the header (RFC 9112, section 3.2).
            (None, _) => request.version() == Version::HTTP_10,
            (Some(host), None) => is_host(host),
            _ => false,
        };
        if !is_one {
            return malformed(HOST_RULE);
        }
        // hyper accepts any list that ends in `chunked`. A proxy that reads the rest of the list differently would see another
        // request in the same bytes (RFC 9112, section 6.1).
        let mut codings = request.headers().get_all(header::TRANSFER_ENCODING).iter();
        if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
            return malformed("The only Transfer-Encoding that is read is chunked.");
        }
        self.paths.check(request)?;
        auth::screen(request, &self.site)
    }

    async fn run(&self, request: Request) -> Result<Response> {
        let answer = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        match tokio::time::timeout(self.deadline, answer).await {
            Ok(Ok(outcome)) => outcome,
            // The panic was printed where it happened.
            Ok(Err(_)) => Err(Problem::new(Code::Internal).into()),
            Err(_) => Err(Problem::new(Code::TimedOut).retry_after(Duration::from_secs(1)).into()),
        }
    }

    /// The errors of poem repeat what the request said, so only their kind is looked at.
    fn answer(&self, error: &poem::Error, method: &Method, path: &str, request_id: &str) -> Response {
        let problem = if let Some(problem) = error.downcast_ref::<Problem>() {
            problem.clone()
        } else if error.is::<NotFoundError>() || error.is::<ParsePathError>() {
            Problem::new(Code::NotFound)
        } else if error.is::<MethodNotAllowedError>() {
            Problem::new(Code::MethodNotAllowed).allow(self.paths.allowed(path))
        } else if let Some(parameter) = error.downcast_ref::<ParseParamError>() {
            let place = format!("?{}", parameter.name);
            let wants = self.paths.wants(method, path, parameter.name);
            Problem::new(Code::InvalidParameter).at(place, wants.unwrap_or("is not what the document says"))
        } else {
            tracing::error!(
                request.id = request_id,
                status = error.status().as_u16(),
                "unexpected error of the framework"
            );
            Problem::new(Code::Internal)
        };
        if let Some(cause) = problem.cause() {
            tracing::error!(request.id = request_id, error = %Chain(cause), "a request failed");
        }
        let mut response = problem.answer(request_id);
        // The log and the metrics name the operation, also when the request did not get as far as its handler.
        if let Some(operation) = self.paths.operation(method, path) {
            response.set_data(OperationId(operation));
        }
        response
    }

    /// The headers of every answer (OWASP REST and secure headers); a header that the answer has already stays.
    fn dress(&self, headers: &mut HeaderMap) {
        let mut add = |name: HeaderName, value: &'static str| {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        };
        add(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        add(header::REFERRER_POLICY, "no-referrer");
        add(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
        add(header::CACHE_CONTROL, "no-store");
        add(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
        if self.site.is_https() {
            add(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
        }
    }
}

/// A host and perhaps a port; a user before them is no part of a `Host` (RFC 9110, section 7.2).
fn is_host(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    !bytes.contains(&b'@') && Authority::try_from(bytes).is_ok()
}

/// An error with all its causes, in one line.
struct Chain<'e>(&'e (dyn std::error::Error + Send + Sync));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use poem::http::StatusCode;

    use super::*;
    use crate::config::Origin;

    const SECRET: &str = "swordfish";

    /// What comes out when the endpoint does this.
    async fn answered<F>(
        inner: impl Fn(Request) -> F + Send + Sync,
    ) -> (StatusCode, HeaderMap, serde_json::Value)
    where
        F: Future<Output = Result<Response>> + Send,
    {
        let origin = Origin::parse("http://127.0.0.1:8080").unwrap();
        let site = Arc::new(Site::new(&origin, Duration::from_hours(24)));
        let outermost =
            Outermost::new(poem::endpoint::make(inner), site, CrossOrigin::new(&[]), Duration::from_secs(30));
        let request = Request::builder().header("host", "parlor").finish();
        let (parts, body) = outermost.call(request).await.unwrap().into_parts();
        (parts.status, parts.headers, body.into_json().await.unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_without_its_words() {
        let (status, headers, body) = answered(|_| async { panic!("{SECRET}") }).await;
        assert_eq!((status, &body["code"]), (StatusCode::INTERNAL_SERVER_ERROR, &"internal".into()));
        assert_eq!(body["request_id"], headers["x-request-id"].to_str().unwrap());
        assert_eq!(headers["content-type"], "application/problem+json");
        assert!(!body.to_string().contains(SECRET));
    }

    #[tokio::test]
    async fn an_error_of_the_framework_is_a_problem_without_its_words() {
        let error = || poem::Error::from_string(SECRET, StatusCode::BAD_REQUEST);
        let (status, _, body) = answered(move |_| async move { Err(error()) }).await;
        assert_eq!((status, &body["code"]), (StatusCode::INTERNAL_SERVER_ERROR, &"internal".into()));
        assert!(!body.to_string().contains(SECRET));
    }
}
