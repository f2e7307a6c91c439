//! Request bodies: JSON read under a limit and a deadline, strictly, and refused without repeating any of it.

use std::fmt;
use std::time::Duration;

use poem::http::HeaderMap;
use poem::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use super::code::Code;
use super::problem::Problem;
use super::reply::JSON;

/// Most bytes of a body that carries passwords or tokens; an honest one is shorter.
const AUTH_BODY_BYTES: usize = 4 * 1024;

/// What bounds bodies, put into the request's data by the service.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit {
    /// Most bytes, where [`Input::IS_AUTH`] does not say less.
    pub bytes: usize,
    /// How long a body may take to arrive, in however many pieces.
    pub deadline: Duration,
}

/// A type that a request body can have. It must refuse unknown fields. Its optional fields are `Option`s without an attribute:
/// serde reads null as absent, which is what several generated clients mean by it.
pub trait Input: DeserializeOwned + Type {
    /// Whether it carries passwords or tokens.
    const IS_AUTH: bool = false;
}

/// A body that must be there.
pub struct Body<T>(pub T);

/// A body that may be left out, or be null, which means the same.
pub struct OptionalBody<T>(pub Option<T>);

/// A text that is none of a closed set. Such sets are read as text, because serde would also take `{"owner": null}`.
#[derive(Clone, Copy, Debug)]
pub struct UnknownVariant;

impl fmt::Display for UnknownVariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown variant")
    }
}

impl<'a, T: Input> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(meta(T::schema_ref(), true))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        check_headers(request.headers())?;
        Ok(Self(parse(&read::<T>(request, body).await?)?))
    }
}

impl<'a, T: Input> ApiExtractor<'a> for OptionalBody<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(meta(T::schema_ref(), false))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let bytes = read::<T>(request, body).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        check_headers(request.headers())?;
        if bytes.trim_ascii() == b"null" {
            return Ok(Self(None));
        }
        Ok(Self(Some(parse(&bytes)?)))
    }
}

fn meta(schema: MetaSchemaRef, required: bool) -> MetaRequest {
    MetaRequest { description: None, content: vec![MetaMediaType { content_type: JSON, schema }], required }
}

/// Other media types and encodings are refused: a foreign page can send `text/plain` without asking, and an inflated
/// body has no bound.
fn check_headers(headers: &HeaderMap) -> Result<(), Problem> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let content_type = types.next().and_then(|value| value.to_str().ok());
    let plain = !headers.contains_key(CONTENT_ENCODING) && types.next().is_none();
    if plain && content_type.is_some_and(is_json) {
        Ok(())
    } else {
        Err(Problem::new(Code::UnsupportedMediaType))
    }
}

fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let is_utf8 = |parameter: &str| match parameter.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    essence.eq_ignore_ascii_case(JSON) && parts.all(is_utf8)
}

/// What `Content-Length` says. hyper has refused all but one whole number, and removed one beside `Transfer-Encoding`.
fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn read<T: Input>(request: &Request, body: &mut RequestBody) -> Result<Vec<u8>, Problem> {
    let limit = request.data::<BodyLimit>().ok_or(Problem::new(Code::Internal))?;
    let most = if T::IS_AUTH { AUTH_BODY_BYTES } else { limit.bytes };
    // Before the first byte is asked for: a client that waits for `100 Continue` then sends none.
    if announced_length(request.headers()).is_some_and(|length| length > most as u64) {
        return Err(Problem::new(Code::BodyTooLarge));
    }
    let body = body.take().map_err(|_| Problem::new(Code::Internal))?;
    match tokio::time::timeout(limit.deadline, body.into_bytes_limit(most)).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(poem::error::ReadBodyError::PayloadTooLarge)) => Err(Problem::new(Code::BodyTooLarge)),
        Ok(Err(_)) => Err(Problem::new(Code::InvalidBody).at("", "was not sent completely")),
        Err(_) => Err(Problem::new(Code::RequestTimeout)),
    }
}

/// Strict JSON: one object, nothing after it, no unknown and no repeated field, at most 128 levels deep.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde would also read a struct from an array of its fields.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(Problem::new(Code::InvalidBody).at("", "must be a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| refused(&error))?;
    let rest = reader.end();
    rest.map_err(|_| Problem::new(Code::InvalidBody).at("", "must be one JSON object and nothing after it"))?;
    Ok(value)
}

/// Says where and what is wrong. The messages of serde may repeat the input, so only how they begin is looked at.
fn refused(error: &serde_path_to_error::Error<serde_json::Error>) -> Problem {
    use serde_json::error::Category;

    let problem = Problem::new(Code::InvalidBody);
    let message = error.inner().to_string();
    let pointer = pointer_of(error.path());
    match error.inner().classify() {
        Category::Eof => problem.at("", "ends before the JSON object is complete"),
        Category::Io | Category::Syntax => problem.at("", "is not valid JSON in UTF-8, or nested too deeply"),
        Category::Data => {
            // In these two messages the name is that of one of our fields, so it may be repeated.
            if let Some(field) = quoted(&message, "missing field `") {
                return problem.at(format!("/{field}"), "is required");
            }
            if let Some(field) = quoted(&message, "duplicate field `") {
                return problem.at(format!("/{field}"), "is given twice");
            }
            if message.starts_with("unknown field ") {
                return problem.at("", "has a field that this operation does not know");
            }
            if message.starts_with("unknown variant") {
                return problem.at(pointer, "is not one of the values that the document names");
            }
            problem.at(pointer, "has the wrong type")
        }
    }
}

fn quoted<'m>(message: &'m str, beginning: &str) -> Option<&'m str> {
    message.strip_prefix(beginning)?.split('`').next()
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    let step = |segment: &Segment| match segment {
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Seq { index } => format!("/{index}"),
        Segment::Enum { .. } | Segment::Unknown => String::new(),
    };
    path.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[expect(dead_code, reason = "only whether it parses is looked at")]
        name: String,
        note: Option<String>,
    }

    fn complaint(body: &str) -> (String, String) {
        let problem = parse::<Sample>(body.as_bytes()).expect_err(body);
        let body = serde_json::to_value(problem.body("r")).unwrap();
        let place = &body["errors"][0];
        (place["pointer"].as_str().unwrap().to_owned(), place["detail"].as_str().unwrap().to_owned())
    }

    #[test]
    fn each_fault_is_named_at_its_place_without_the_input() {
        for (body, pointer, detail) in [
            ("", "", "JSON object"),
            (r#"["secret"]"#, "", "JSON object"),
            (r#""secret""#, "", "JSON object"),
            (r#"{"name":"secret""#, "", "ends before"),
            (r#"{"name":secret}"#, "", "not valid JSON"),
            (r#"{"name":"a"} secret"#, "", "nothing after"),
            (r#"{"name":"a","name":"secret"}"#, "/name", "twice"),
            (r#"{"name":"a","secret":1}"#, "", "does not know"),
            (r#"{"note":"secret"}"#, "/name", "required"),
            (r#"{"name":12345}"#, "/name", "wrong type"),
            (r#"{"name":null}"#, "/name", "wrong type"),
            (r#"{"name":"\ud800"}"#, "", "not valid JSON"),
        ] {
            let (at, what) = complaint(body);
            assert_eq!(at, pointer, "{body}");
            assert!(what.contains(detail), "{body}: {what}");
            assert!(!what.contains("secret") && !what.contains("12345"), "{body}: {what}");
        }
        assert_eq!(parse::<Sample>(br#"{"name":"a"}"#).unwrap().note, None);
        assert_eq!(parse::<Sample>(br#"{"name":"a","note":null}"#).unwrap().note, None);
    }

    #[test]
    fn depth_and_broken_utf8_are_refused() {
        let deep = format!(r#"{{"name":{}"#, "[".repeat(100_000));
        assert!(parse::<Sample>(deep.as_bytes()).is_err());
        assert!(parse::<Sample>(b"{\"name\":\"\xff\"}").is_err());
    }

    #[test]
    fn only_json_in_utf8_is_read() {
        for good in
            ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""]
        {
            assert!(is_json(good), "{good}");
        }
        for bad in
            ["text/plain", "application/json; charset=latin1", "application/jsonp", "application/x+json", ""]
        {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
