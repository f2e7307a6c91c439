//! Sessions: one sign-in of one person on one device.

use super::clock::Timestamp;
use super::ids::{SessionId, UserId};
use super::user::User;

/// Where a client keeps its tokens: by itself (`Bearer`), or in cookies that scripts cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Bearer,
    Cookie,
}

/// Who makes a request: what a valid access token of a live session says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    pub user: UserId,
    pub session: SessionId,
    /// When the presented token expires.
    pub expires_at: Timestamp,
}

/// Who posts: what a valid access token says, of a session that is live as far as this node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Author {
    pub user: UserId,
    /// The session if another node may have ended it a moment ago: the transaction that writes the post asks for it. None if the
    /// session is known to be live.
    pub unasked: Option<SessionId>,
}

/// A live session as the person sees it in the list of their sessions.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: SessionId,
    pub created_at: Timestamp,
    pub last_used_at: Timestamp,
    pub expires_at: Timestamp,
    pub user_agent: Option<String>,
}

/// What a sign-in or a refresh gives to the client.
#[derive(Clone, Debug)]
pub struct SignIn {
    pub access_token: String,
    pub refresh_token: String,
    /// Seconds until the access token expires.
    pub expires_in: i64,
    pub session: SessionId,
    pub user: User,
    pub transport: Transport,
}
