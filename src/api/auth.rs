//! Who is calling: the one place that reads credentials from a request, by header or by cookie.

use poem::http::{Method, header};
use poem::{FromRequest, Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::State;
use super::code::Code;
use super::problem::Problem;
use super::site::{Site, cookie};
use crate::domain::session;

/// Most bytes of an access token: ours are shorter, and a longer one is refused unread (RFC 8725).
const MAX_TOKEN_BYTES: usize = 4 * 1024;

/// The document's one security scheme.
const BEARER: &str = "bearer";

/// The signed-in caller of an operation.
pub struct Caller(pub session::Caller);

/// The signed-in author of a post.
pub struct Author(pub session::Author);

/// The tokens that a request carries, not verified: for operations that judge them themselves.
pub struct Tokens {
    /// The access token of the header, else of the cookie.
    pub access: Option<String>,
    /// The refresh token of the cookie; none beside a bearer header, so that no request acts for two
    /// people.
    pub refresh: Option<String>,
}

impl<'a> ApiExtractor<'a> for Caller {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register_scheme(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![BEARER]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let state = State::of(request)?;
        let token = access_token(request, state)?;
        Ok(Self(state.chat().authenticate(&token).await.map_err(Problem::from)?))
    }
}

impl<'a> ApiExtractor<'a> for Author {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register_scheme(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![BEARER]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let state = State::of(request)?;
        let token = access_token(request, state)?;
        Ok(Self(state.chat().authenticate_author(&token).await.map_err(Problem::from)?))
    }
}

impl<'a> ApiExtractor<'a> for Tokens {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register_scheme(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![BEARER]
    }

    fn has_security_fallback() -> bool {
        true
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        match Self::of(request, State::of(request)?) {
            // A bearer header without a token names no session, so there is none to end.
            Err(problem) if problem.code == Code::Unauthenticated => Ok(Self { access: None, refresh: None }),
            tokens => Ok(tokens?),
        }
    }
}

impl Tokens {
    fn of(request: &Request, state: &State) -> Result<Self, Problem> {
        if let Some(access) = bearer_token(request)? {
            return Ok(Self { access: Some(access), refresh: None });
        }
        let site = state.site();
        let Some(names) = site.cookies().filter(|names| names.any_in(request)) else {
            return Ok(Self { access: None, refresh: None });
        };
        site.check(request)?;
        Ok(Self { access: cookie(request, &names.access), refresh: cookie(request, &names.refresh) })
    }
}

/// The refresh token of the cookie alone, for operations that ignore the header.
pub struct RefreshCookie(pub Option<String>);

impl<'a> FromRequest<'a> for RefreshCookie {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        let names = State::of(request)?.site().cookies();
        Ok(Self(names.and_then(|names| cookie(request, &names.refresh))))
    }
}

/// Every unsafe request with one of our cookies must come from our own page, whatever else authenticates it.
pub fn screen(request: &Request, site: &Site) -> Result<(), Problem> {
    let is_safe = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
    if !is_safe && site.cookies().is_some_and(|names| names.any_in(request)) {
        site.check(request)?;
    }
    Ok(())
}

/// The access token of a request that has to have one.
fn access_token(request: &Request, state: &State) -> Result<String, Problem> {
    let token = Tokens::of(request, state)?.access;
    token.filter(|token| token.len() <= MAX_TOKEN_BYTES).ok_or(Problem::new(Code::Unauthenticated))
}

/// None without a header, and for one of another scheme: a proxy in front may ask for a password of its own (`Basic`), which
/// browsers then send to us as well. A bearer header without a token is a credential that does not hold.
fn bearer_token(request: &Request) -> Result<Option<String>, Problem> {
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        let detail = "The request must have at most one Authorization header.";
        return Err(Problem::new(Code::InvalidRequest).detail(detail));
    }
    let value = value.as_bytes().trim_ascii();
    // Other schemes may have bytes that are no text, such as a name in Latin-1.
    let scheme = value.split(|byte| *byte == b' ').next().unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(None);
    }
    let token = value[scheme.len()..].trim_ascii();
    match str::from_utf8(token) {
        Ok(token) if !token.is_empty() && token.is_ascii() => Ok(Some(token.to_owned())),
        _ => Err(Problem::new(Code::Unauthenticated)),
    }
}

fn register_scheme(registry: &mut Registry) {
    let scheme = MetaSecurityScheme {
        ty: "http",
        description: Some("The `access_token` of login or refresh. It lasts for `expires_in` seconds."),
        name: None,
        key_in: None,
        scheme: Some("bearer"),
        bearer_format: Some("JWT"),
        flows: None,
        openid_connect_url: None,
    };
    registry.create_security_scheme(BEARER, scheme);
}
