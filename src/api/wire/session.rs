//! Signing in, and sessions, on the wire.

use poem_openapi::{Enum, Object};
use serde::{Deserialize, Serialize};

use super::field;
use super::user::User;
use crate::api::payload::{Input, UnknownVariant};
use crate::api::problem::Problem;
use crate::chat;
use crate::domain::password::Password;
use crate::domain::session;
use crate::domain::text::TextError;

/// Most characters of a username to sign in with; usernames are shorter.
const MAX_USERNAME: usize = 64;
/// Most characters of a refresh token; ours are shorter.
const MAX_REFRESH_TOKEN: usize = 512;

/// Where the client keeps its tokens. `bearer`, which is meant when nothing is said: the tokens stand in the answer.
/// `cookie`: they are set as cookies that script cannot read.
#[derive(Clone, Copy, Debug, Default, Deserialize, Enum)]
#[serde(try_from = "String")]
#[oai(rename_all = "lowercase")]
pub enum SignInTransport {
    #[default]
    Bearer,
    Cookie,
}

/// A username and its password.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct LoginInput {
    /// Upper case is folded.
    #[oai(validator(max_length = 64))]
    pub username: String,
    /// The password. It is normalised to NFC, and nothing else of it is changed.
    #[oai(validator(max_length = 128))]
    pub password: String,
    pub transport: Option<SignInTransport>,
}

/// The token to refresh with.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct RefreshInput {
    /// Left out when the token is in a cookie.
    #[oai(validator(max_length = 512))]
    pub refresh_token: Option<String>,
}

/// The session to end, where neither header nor cookie names it.
#[derive(Deserialize, Object)]
#[serde(deny_unknown_fields)]
pub struct LogoutInput {
    /// A refresh token of the session.
    #[oai(validator(max_length = 512))]
    pub refresh_token: Option<String>,
}

/// A sign-in: the tokens (or, with cookies, only how long they last), the session and the user.
#[derive(Debug, Serialize, Object)]
pub struct SignIn {
    /// A JWT for `Authorization: Bearer`; absent when it was set as a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    /// How the tokens travel: `Bearer` or `Cookie`; more may come.
    pub token_type: String,
    /// Seconds until the access token expires: refresh before.
    pub expires_in: i64,
    /// Good for one refresh; absent when it was set as a cookie.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// UUID of the session.
    pub session: String,
    /// Who signed in.
    pub user: User,
}

/// One sign-in on one device.
#[derive(Debug, Serialize, Object)]
pub struct Session {
    /// UUID of the session.
    pub id: String,
    /// When somebody signed in.
    pub created_at: String,
    /// When tokens of the session were last handed out.
    pub last_used_at: String,
    /// When the session ends unless it is refreshed.
    pub expires_at: String,
    /// Whether this request was made with it.
    pub current: bool,
    /// What the client called itself when it signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// The caller's live sessions.
#[derive(Debug, Serialize, Object)]
pub struct SessionList {
    /// The newest first.
    pub items: Vec<Session>,
}

impl Input for LoginInput {
    const IS_AUTH: bool = true;
}

impl Input for RefreshInput {
    const IS_AUTH: bool = true;
}

impl Input for LogoutInput {
    const IS_AUTH: bool = true;
}

impl LoginInput {
    /// The checked parts. What is too long to be anybody's is refused before it costs a hash.
    pub fn parse(self) -> Result<(String, Password, SignInTransport), Problem> {
        field("/username", &self.username, |name| at_most(name, MAX_USERNAME))?;
        let password = field("/password", &self.password, Password::presented)?;
        Ok((self.username, password, self.transport.unwrap_or_default()))
    }
}

impl RefreshInput {
    /// Gives the token, if it can be one.
    pub fn parse(self) -> Result<Option<String>, Problem> {
        refresh_token(self.refresh_token)
    }
}

impl LogoutInput {
    /// Gives the token, if it can be one.
    pub fn parse(self) -> Result<Option<String>, Problem> {
        refresh_token(self.refresh_token)
    }
}

fn refresh_token(given: Option<String>) -> Result<Option<String>, Problem> {
    if let Some(token) = &given {
        field("/refresh_token", token, |token| at_most(token, MAX_REFRESH_TOKEN))?;
    }
    Ok(given)
}

fn at_most(text: &str, most: usize) -> Result<(), TextError> {
    if text.chars().count() > most { Err(TextError::TooLong { most }) } else { Ok(()) }
}

impl TryFrom<String> for SignInTransport {
    type Error = UnknownVariant;

    fn try_from(text: String) -> Result<Self, UnknownVariant> {
        match text.as_str() {
            "bearer" => Ok(Self::Bearer),
            "cookie" => Ok(Self::Cookie),
            _ => Err(UnknownVariant),
        }
    }
}

impl From<SignInTransport> for session::Transport {
    fn from(transport: SignInTransport) -> Self {
        match transport {
            SignInTransport::Bearer => Self::Bearer,
            SignInTransport::Cookie => Self::Cookie,
        }
    }
}

impl SignIn {
    /// With the tokens in the body.
    pub fn bearer(sign_in: session::SignIn) -> Self {
        Self {
            access_token: Some(sign_in.access_token),
            token_type: "Bearer".to_owned(),
            expires_in: sign_in.expires_in,
            refresh_token: Some(sign_in.refresh_token),
            session: sign_in.session.to_string(),
            user: sign_in.user.into(),
        }
    }

    /// For an answer that sets the tokens as cookies.
    pub fn cookie(sign_in: session::SignIn) -> Self {
        let token_type = "Cookie".to_owned();
        Self { access_token: None, refresh_token: None, token_type, ..Self::bearer(sign_in) }
    }
}

impl From<chat::SessionEntry> for Session {
    fn from(entry: chat::SessionEntry) -> Self {
        Self {
            id: entry.session.id.to_string(),
            created_at: entry.session.created_at.to_string(),
            last_used_at: entry.session.last_used_at.to_string(),
            expires_at: entry.session.expires_at.to_string(),
            current: entry.current,
            user_agent: entry.session.user_agent,
        }
    }
}

impl From<Vec<chat::SessionEntry>> for SessionList {
    fn from(sessions: Vec<chat::SessionEntry>) -> Self {
        Self { items: sessions.into_iter().map(Into::into).collect() }
    }
}
