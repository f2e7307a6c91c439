//! Problems: how every refusal and failure is answered (RFC 9457). Must never hold anything that a request said.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use poem::error::ResponseError;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use poem_openapi::Object;
use serde::Serialize;

use super::code::Code;
use super::reply;
use crate::chat;
use crate::domain::refusal::Refusal;
use crate::domain::text::TextError;

/// The media type of every problem.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A request that was not fulfilled, and why, before it is written for the wire.
#[derive(Clone, Debug)]
pub struct Problem {
    pub code: Code,
    detail: Option<&'static str>,
    places: Vec<ProblemPlace>,
    retry_after: Option<Duration>,
    allow: Option<String>,
    /// For the log only.
    cause: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// One place in the request that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Object)]
pub struct ProblemPlace {
    /// A JSON Pointer into the body (`/username`; empty for the whole of it), or the name of a query parameter after a
    /// question mark (`?limit`).
    pub pointer: String,
    /// What is wrong there, for people.
    pub detail: String,
}

/// What went wrong, as `application/problem+json` (RFC 9457).
#[derive(Debug, Serialize, Object)]
#[oai(rename = "Problem")]
pub struct ProblemBody {
    /// `urn:parlor:problem:` and the code.
    #[serde(rename = "type")]
    #[oai(rename = "type")]
    kind: String,
    /// The code in words; always the same for one code.
    title: String,
    /// The HTTP status.
    status: i32,
    /// What programs should look at; new codes may come.
    code: String,
    /// More about this occurrence, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The `X-Request-Id` of the answer: quote it when you ask for help.
    request_id: String,
    /// The places in the request that are wrong, where they can be named.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<Vec<ProblemPlace>>,
}

impl Problem {
    pub fn new(code: Code) -> Self {
        Self { code, detail: None, places: Vec::new(), retry_after: None, allow: None, cause: None }
    }

    #[must_use]
    pub fn detail(self, detail: &'static str) -> Self {
        Self { detail: Some(detail), ..self }
    }

    /// Names a place that is wrong. Neither may repeat what the request said.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.places.push(ProblemPlace { pointer: pointer.into(), detail: detail.into() });
        self
    }

    #[must_use]
    pub fn retry_after(self, after: Duration) -> Self {
        Self { retry_after: Some(after), ..self }
    }

    /// The methods that the path knows, for a 405.
    #[must_use]
    pub fn allow(self, methods: String) -> Self {
        Self { allow: Some(methods), ..self }
    }

    /// A text of the body that breaks its rule: 400 where the document says the rule, else 422.
    pub fn text(pointer: &'static str, error: TextError) -> Self {
        let code = match error {
            TextError::Empty
            | TextError::TooLong { .. }
            | TextError::TooShort { .. }
            | TextError::Pattern { .. } => Code::InvalidBody,
            TextError::LikeAnId
            | TextError::Forbidden
            | TextError::Invisible
            | TextError::TooManyLines { .. }
            | TextError::Reserved => Code::TextNotAllowed,
        };
        Self::new(code).at(pointer, error.to_string())
    }

    /// Names the field of the password, if it is the password that was refused.
    #[must_use]
    pub fn of_password(self, pointer: &'static str) -> Self {
        match self.code {
            Code::PasswordTooCommon => self.at(pointer, Refusal::PasswordTooCommon.to_string()),
            _ => self,
        }
    }

    /// Names the field of the answered message, if it is that which was refused.
    #[must_use]
    pub fn of_reply(self) -> Self {
        match self.code {
            Code::ReplyNotFound => self.at("/reply_to", Refusal::ReplyNotFound.to_string()),
            _ => self,
        }
    }

    pub fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// What the log should know of a failure of ours.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync)> {
        self.cause.as_deref()
    }

    /// The body as it goes over the wire.
    pub fn body(&self, request_id: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("urn:parlor:problem:{}", self.code.as_str()),
            title: self.code.title().to_owned(),
            status: i32::from(self.status().as_u16()),
            code: self.code.as_str().to_owned(),
            detail: self.detail.map(str::to_owned),
            request_id: request_id.to_owned(),
            errors: (!self.places.is_empty()).then(|| self.places.clone()),
        }
    }

    /// The whole answer; `request_id` is that of its `X-Request-Id`.
    pub fn answer(&self, request_id: &str) -> Response {
        let mut response = reply::json(self.status(), &self.body(request_id));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(after) = self.retry_after {
            // Whole seconds, rounded up: coming back too early would only be refused again.
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if let Some(methods) = self.allow.as_deref().and_then(|methods| HeaderValue::from_str(methods).ok()) {
            headers.insert(header::ALLOW, methods);
        }
        if self.code.closes_connection() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.title())
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.code.status()
    }

    fn as_response(&self) -> Response {
        self.code.status().into_response()
    }
}

impl From<chat::Error> for Problem {
    fn from(error: chat::Error) -> Self {
        match error {
            chat::Error::Refused(refusal) => refusal.into(),
            chat::Error::Unauthenticated => Self::new(Code::Unauthenticated),
            chat::Error::TooMany { retry_after } => Self::new(Code::TooManyRequests).retry_after(retry_after),
            chat::Error::Overloaded { retry_after } => Self::new(Code::Overloaded).retry_after(retry_after),
            chat::Error::StorageFull => Self::new(Code::StorageFull),
            chat::Error::OutcomeUnknown => {
                Self::new(Code::OutcomeUnknown).retry_after(Duration::from_secs(1))
            }
            chat::Error::Internal(cause) => Self { cause: Some(cause.into()), ..Self::new(Code::Internal) },
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(match refusal {
            Refusal::RoomNotFound => Code::RoomNotFound,
            Refusal::MessageNotFound => Code::MessageNotFound,
            Refusal::UserNotFound => Code::UserNotFound,
            Refusal::SessionNotFound => Code::SessionNotFound,
            Refusal::NotAMember => Code::NotAMember,
            Refusal::NotAnOwner => Code::NotAnOwner,
            Refusal::NotTheAuthor => Code::NotTheAuthor,
            Refusal::RoleTooLow => Code::RoleTooLow,
            Refusal::MessageDeleted => Code::MessageDeleted,
            Refusal::ReplyNotFound => Code::ReplyNotFound,
            Refusal::NotAnEmoji => Code::NotAnEmoji,
            Refusal::TooManyKinds => Code::TooManyKinds,
            Refusal::TooManyPins => Code::TooManyPins,
            Refusal::UsernameTaken => Code::UsernameTaken,
            Refusal::RoomNameTaken => Code::RoomNameTaken,
            Refusal::LastOwner => Code::LastOwner,
            Refusal::ClientIdReused => Code::ClientIdReused,
            Refusal::TooManyRooms => Code::TooManyRooms,
            Refusal::RegistrationClosed => Code::RegistrationClosed,
            Refusal::PasswordTooCommon => Code::PasswordTooCommon,
            Refusal::WrongCredentials => Code::WrongCredentials,
            Refusal::WrongPassword => Code::WrongPassword,
            Refusal::InvalidRefreshToken => Code::InvalidRefreshToken,
            Refusal::BadCursor => Code::BadCursor,
            Refusal::BadPage => Code::BadPage,
        })
    }
}
