//! The answer to a request, and what must hold for every answer of every route.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

/// A whole answer. `json` is null where there was no JSON.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Method and path, for messages.
    pub what: String,
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub json: Value,
}

impl Answer {
    pub(super) async fn read(response: reqwest::Response, what: &str) -> Result<Self, reqwest::Error> {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await?;
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Self { what: what.to_owned(), status, headers, text, json })
    }

    /// The first answer that came over the wire, if it is a whole one; of a stream the head is enough.
    pub(super) fn parse(what: &str, text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        let mut headers = HeaderMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            headers.append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value).ok()?);
        }
        let mut answer =
            Self { what: what.to_owned(), status, headers, text: String::new(), json: Value::Null };
        let has_body = !(matches!(status, 204 | 304) || what.starts_with("HEAD "));
        if has_body && answer.media_type() != "text/event-stream" {
            let length = answer.header("content-length").parse().ok()?;
            body.get(..length)?.clone_into(&mut answer.text);
            answer.json = serde_json::from_str(&answer.text).unwrap_or(Value::Null);
        }
        Some(answer)
    }

    /// A header, or an empty text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The media type without its parameters.
    pub fn media_type(&self) -> &str {
        self.header("content-type").split(';').next().unwrap_or_default().trim()
    }

    /// Status, headers and body without what differs each time: the request id and the date.
    pub fn but_for_its_id(&self) -> (u16, Vec<(String, String)>, String) {
        let named = |name: &str| matches!(name, "x-request-id" | "date");
        let headers = self.headers.iter().filter(|(name, _)| !named(name.as_str()));
        let text =
            |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut headers: Vec<_> = headers.map(|(name, value)| (name.to_string(), text(value))).collect();
        headers.sort();
        let id = self.header("x-request-id");
        let body = if id.is_empty() { self.text.clone() } else { self.text.replace(id, "ID") };
        (self.status, headers, body)
    }

    /// Asserts the status and gives the body.
    #[track_caller]
    pub fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text);
        self.json
    }

    /// Asserts that this is the problem of that status and code, and gives the body.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(
            (self.status, self.json["code"].as_str()),
            (status, Some(code)),
            "{}: {}",
            self.what,
            self.text
        );
        self.json
    }

    /// What holds for every answer that a route gives: a request id, and for refusals one problem document of RFC 9457
    /// that agrees with the head.
    #[track_caller]
    pub(super) fn keeps_the_manners(&self) {
        let Self { what, status, json, text, .. } = self;
        let request_id = self.header("x-request-id");
        assert!(!request_id.is_empty(), "{what}: {status} has no X-Request-Id");
        assert!(
            *status != 401 || !self.header("www-authenticate").is_empty(),
            "{what}: 401 without WWW-Authenticate"
        );
        assert!(*status != 405 || !self.header("allow").is_empty(), "{what}: 405 without Allow");
        assert!(*status != 429 || !self.header("retry-after").is_empty(), "{what}: 429 without Retry-After");
        if *status < 400 {
            return;
        }
        assert_eq!(self.media_type(), "application/problem+json", "{what}: {status} {text}");
        if what.starts_with("HEAD ") {
            return;
        }
        assert_eq!(json["status"], *status, "{what}: {text}");
        assert_eq!(json["request_id"], request_id, "{what}: {text}");
        let code = json["code"].as_str().unwrap_or_default();
        assert_eq!(json["type"], format!("urn:parlor:problem:{code}"), "{what}: {text}");
        assert!(json["title"].as_str().is_some_and(|title| !title.is_empty()), "{what}: {text}");
    }
}
