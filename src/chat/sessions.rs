//! Sessions: signing in, staying signed in, signing out, and what an access token is worth right now.

use std::net::IpAddr;
use std::time::Duration;

use super::known;
use super::limits::Counted;
use super::tokens::{AccessToken, RefreshToken};
use super::{Chat, Error, Result};
use crate::domain::clock::Timestamp;
use crate::domain::ids::SessionId;
use crate::domain::password::Password;
use crate::domain::refusal::Refusal;
use crate::domain::session::{Author, Caller, Session, SignIn, Transport};
use crate::domain::user::User;
use crate::live::SessionCheck;
use crate::storage;
use crate::storage::sessions::{NewSession, Presented, Refreshed};

/// A `User-Agent` is cut to this many code points, which are enough to recognise a device.
const MAX_USER_AGENT: usize = 256;

/// When to come back to a node that is behind the log. Another one may answer at once.
const BEHIND_RETRY: Duration = Duration::from_secs(1);

/// When to come back with a token whose first use could not be written.
const NOTE_RETRY: Duration = Duration::from_secs(1);

/// An attempt to sign in.
#[derive(Debug)]
pub struct Login {
    pub username: String,
    pub password: Password,
    pub transport: Transport,
    pub user_agent: Option<String>,
    pub address: IpAddr,
}

/// A session, and whether the request was made with it.
#[derive(Clone, Debug)]
pub struct SessionEntry {
    pub session: Session,
    pub current: bool,
}

/// Nothing of the request was done, whatever became of the note that its token was used. Noting that twice is harmless, so the
/// request can be made again at once.
fn not_noted(error: storage::Error) -> Error {
    match error {
        storage::Error::OutcomeUnknown | storage::Error::Full => {
            Error::Overloaded { retry_after: NOTE_RETRY }
        }
        other => other.into(),
    }
}

impl Chat {
    /// The caller whom an access token names. Everything but a valid token of a live session gets the same refusal.
    pub async fn authenticate(&self, access_token: &str) -> Result<Caller> {
        let (token, is_known) = self.read_access(access_token).await?;
        // Another node may have ended a session that is known here, and that is not heard of at once.
        if !is_known || self.store.is_shared() {
            self.ask_for_session(token).await?;
        }
        Ok(Caller { user: token.user, session: token.session, expires_at: token.expires_at })
    }

    /// The same for somebody who posts. Where another node may have ended the session, the transaction that writes the post asks for
    /// it, so the post waits for the database once less; if others wait for that transaction, it is asked for beside it.
    pub async fn authenticate_author(&self, access_token: &str) -> Result<Author> {
        let (token, is_known) = self.read_access(access_token).await?;
        let is_certain = is_known && !self.store.is_shared();
        let is_asked_later = is_known && !is_certain && !self.store.is_busy();
        if !is_certain && !is_asked_later {
            self.ask_for_session(token).await?;
        }
        Ok(Author { user: token.user, unasked: is_asked_later.then_some(token.session) })
    }

    /// A token of this server that is valid now, and whether its session is live as far as this node knows without asking the store.
    async fn read_access(&self, access_token: &str) -> Result<(AccessToken, bool)> {
        let token = self.tokens.read_access(access_token, self.clock.now()).ok_or(Error::Unauthenticated)?;
        // What this node knows of sessions and memberships may be older than what another one has written.
        if !self.live.node().up_to_date.for_requests().await {
            return Err(Error::Overloaded { retry_after: BEHIND_RETRY });
        }
        match self.live.registry().check(token.session) {
            SessionCheck::Ended => Err(Error::Unauthenticated),
            SessionCheck::Live { user, generation } => {
                Ok((token, user == token.user && generation >= token.generation))
            }
            SessionCheck::Unknown => Ok((token, false)),
        }
    }

    /// Asks the store for the session of a token, and remembers it. Refuses a token that is not good.
    async fn ask_for_session(&self, token: AccessToken) -> Result<()> {
        let now = self.clock.now();
        let state = self.store.session_state(token.session, now).await?.ok_or(Error::Unauthenticated)?;
        if state.user != token.user {
            return Err(Error::Unauthenticated);
        }
        if state.seen < token.generation {
            // From now on the refresh token before this one is spent. It is written before the answer, so that a crash does not
            // make it good again.
            self.store.mark_seen(token.session, token.generation, now).await.map_err(not_noted)?;
        }
        // The session may have ended while the store was asked.
        let is_live = self.live.registry().saw(token.session, token.user, token.generation, token.expires_at);
        if is_live { Ok(()) } else { Err(Error::Unauthenticated) }
    }

    /// Remembers the sessions that are in use and the networks that people signed in from, so that those who all come back
    /// after a restart need not be looked up one by one. Called once, before anything is served.
    pub async fn recall_sessions(&self) -> Result<()> {
        let now = self.clock.now();
        let after = now.minus(self.policy.access_token_life);
        for session in self.store.recent_sessions(after, now).await? {
            let expires_at = self.access_expiry(session.rotated_at);
            self.live.registry().saw(session.id, session.state.user, session.state.seen, expires_at);
        }
        // The newest come first and are added last, because the cache forgets what was added first.
        for network in self.store.recent_networks(known::REMEMBERED).await?.into_iter().rev() {
            self.known_networks.add(network);
        }
        Ok(())
    }

    /// Begins a session for a username and its password.
    pub async fn login(&self, login: Login) -> Result<SignIn> {
        let Login { username, password, transport, user_agent, address } = login;
        let (known, network) = self.verify_sign_in(&username, password, address).await?;
        let at = self.clock.now();
        let id = self.ids.session();
        let ends_at = at.plus(self.policy.session_life);
        let session = NewSession {
            id,
            user: known.user.id,
            password_hash: known.password_hash,
            transport,
            user_agent: user_agent.map(|text| shortened(&text)).filter(|text| !text.is_empty()),
            network: Some(network),
            at,
            expires_at: at.plus(self.policy.refresh_idle).min(ends_at),
            ends_at,
            access_expires_at: self.access_expiry(at),
            most: i64::from(self.policy.sessions_per_user),
        };
        self.store.add_session(session).await?;
        self.known_networks.add(network);
        self.sign_in(RefreshToken { session: id, generation: 1 }, known.user, transport, at)
    }

    /// Exchanges a refresh token for a new pair of tokens. A client that got no answer may send the same token again.
    pub async fn refresh(&self, refresh_token: &str) -> Result<SignIn> {
        let token = self.tokens.read_refresh(refresh_token).ok_or(Refusal::InvalidRefreshToken)?;
        self.limits.take(Counted::Refresh(token.session))?;
        let at = self.clock.now();
        let presented = Presented {
            session: token.session,
            generation: token.generation,
            at,
            idle: self.policy.refresh_idle,
            access_expires_at: self.access_expiry(at),
        };
        match self.store.refresh_session(presented).await? {
            Refreshed::Rotated { generation, user, transport } => {
                self.sign_in(RefreshToken { session: token.session, generation }, user, transport, at)
            }
            Refreshed::Reused => {
                tracing::warn!(session.id = %token.session, "a spent refresh token was used again; its session has ended");
                Err(Refusal::InvalidRefreshToken.into())
            }
        }
    }

    /// Ends the sessions of the tokens that are valid. It succeeds also when there is no such token or the session is over.
    pub async fn logout(&self, access_token: Option<&str>, refresh_token: Option<&str>) -> Result<()> {
        let now = self.clock.now();
        let by_access =
            access_token.and_then(|text| self.tokens.read_access(text, now)).map(|token| token.session);
        let by_refresh =
            refresh_token.and_then(|text| self.tokens.read_refresh(text)).map(|token| token.session);
        for session in
            [by_access, by_refresh.filter(|session| Some(*session) != by_access)].into_iter().flatten()
        {
            self.limits.take(Counted::Logout(session))?;
            if !matches!(self.live.registry().check(session), SessionCheck::Ended) {
                self.store.sign_out(session, now).await?;
            }
        }
        Ok(())
    }

    pub async fn sessions(&self, caller: Caller) -> Result<Vec<SessionEntry>> {
        self.limits.take(Counted::Read(caller.user))?;
        let sessions = self.store.sessions(caller.user, self.clock.now()).await?;
        let entry = |session: Session| SessionEntry { current: session.id == caller.session, session };
        Ok(sessions.into_iter().map(entry).collect())
    }

    pub async fn end_session(&self, caller: Caller, session: SessionId) -> Result<()> {
        self.limits.take(Counted::EndFrom(caller.session))?;
        Ok(self.store.end_session(caller.user, session, self.clock.now()).await?)
    }

    fn sign_in(
        &self,
        refresh: RefreshToken,
        user: User,
        transport: Transport,
        at: Timestamp,
    ) -> Result<SignIn> {
        let expires_at = self.access_expiry(at);
        let RefreshToken { session, generation } = refresh;
        let access = AccessToken { user: user.id, session, generation, expires_at };
        let access_token = self.tokens.access(access, at).map_err(|e| Error::Internal(e.into()))?;
        let expires_in = expires_at.seconds() - at.seconds();
        Ok(SignIn {
            access_token,
            refresh_token: self.tokens.refresh(refresh),
            expires_in,
            session,
            user,
            transport,
        })
    }

    /// The claims of a token count whole seconds, so its expiry is rounded down to one. Streams end at the same instant.
    fn access_expiry(&self, at: Timestamp) -> Timestamp {
        Timestamp::from_micros(at.seconds() * 1_000_000).plus(self.policy.access_token_life)
    }
}

fn shortened(user_agent: &str) -> String {
    user_agent.trim().chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT).collect()
}
