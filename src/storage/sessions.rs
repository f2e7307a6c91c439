//! Sessions in the store: signing in, rotating refresh tokens, ending.

use std::time::Duration;

use super::Store;
use super::error::{Error, Failure, Stop};
use super::journal::Transaction;
use super::networks;
use super::rows::user_of;
use super::sql::{Query, Row, statements};
use crate::domain::clock::Timestamp;
use crate::domain::event::NewEvent;
use crate::domain::ids::{SessionId, UserId};
use crate::domain::network::NetworkTag;
use crate::domain::refusal::Refusal;
use crate::domain::session::{Session, Transport};
use crate::domain::user::User;

/// A used refresh token is answered again for this long, unless the newer one has been presented.
const REPEAT_WINDOW: Duration = Duration::from_secs(10);

/// Most sessions of one person that one sign-in ends. The next one ends more.
const SURPLUS: i64 = 1_000;

statements! {
    STATE = "SELECT user_id, seen FROM sessions WHERE id = $1 AND ended_at IS NULL AND ends_at > $2";
    RECENT = "SELECT id, user_id, seen, rotated_at FROM sessions \
              WHERE rotated_at > $1 AND ended_at IS NULL AND ends_at > $2 ORDER BY rotated_at DESC LIMIT $3";
    OF_USER = "SELECT id, created_at, rotated_at, expires_at, user_agent FROM sessions \
               WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY created_at DESC, id DESC";
    ADD = "INSERT INTO sessions \
           (id, user_id, transport, user_agent, generation, seen, created_at, rotated_at, ends_at, expires_at) \
           SELECT $1, user_id, $3, $4, 1, 1, $5, $5, $6, $7 FROM credentials WHERE user_id = $2 AND password = $8";
    /// Ends the oldest sessions of a person: all except the `$3` newest.
    END_SURPLUS = "UPDATE sessions SET ended_at = $2 WHERE id IN (SELECT id FROM sessions WHERE user_id = $1 \
                   AND ended_at IS NULL AND expires_at > $2 ORDER BY created_at DESC, id DESC LIMIT $4 OFFSET $3) \
                   RETURNING id";
    LOOK = "SELECT s.generation, s.seen, s.rotated_at, s.ends_at, s.transport, \
            u.id, u.username, u.display_name, u.created_at \
            FROM sessions s JOIN users u ON u.id = s.user_id \
            WHERE s.id = $1 AND s.ended_at IS NULL AND s.expires_at > $2 FOR UPDATE OF s",
        sqlite "SELECT s.generation, s.seen, s.rotated_at, s.ends_at, s.transport, \
            u.id, u.username, u.display_name, u.created_at \
            FROM sessions s JOIN users u ON u.id = s.user_id \
            WHERE s.id = $1 AND s.ended_at IS NULL AND s.expires_at > $2";
    /// A token that is presented has been seen, so the token before it is spent.
    ROTATE = "UPDATE sessions SET generation = $2, seen = CAST($2 AS BIGINT) - 1, rotated_at = $3, expires_at = $4 WHERE id = $1";
    SEE = "UPDATE sessions SET seen = $2 WHERE id = $1 AND seen < $2 AND generation >= $2 AND ends_at > $3";
    END_OWN = "UPDATE sessions SET ended_at = $3 \
               WHERE id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3";
    END = "UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL RETURNING id";
    END_ALL = "UPDATE sessions SET ended_at = $2 \
               WHERE user_id = $1 AND ended_at IS NULL AND id IS DISTINCT FROM $3 RETURNING id";
}

/// A sign-in to write.
#[derive(Clone, Debug)]
pub struct NewSession {
    pub id: SessionId,
    pub user: UserId,
    /// The hash that the password was verified against. If it has changed since, the sign-in is refused.
    pub password_hash: String,
    pub transport: Transport,
    pub user_agent: Option<String>,
    /// The network that the person signs in from. It becomes known.
    pub network: Option<NetworkTag>,
    pub at: Timestamp,
    /// When it ends if it is not refreshed, and when it ends in any case.
    pub expires_at: Timestamp,
    pub ends_at: Timestamp,
    pub access_expires_at: Timestamp,
    /// Most live sessions that the person may have. If there are more, the oldest ones end.
    pub most: i64,
}

/// A refresh token that a client has presented. It is known to be one that this server made.
#[derive(Clone, Copy, Debug)]
pub struct Presented {
    pub session: SessionId,
    pub generation: i64,
    pub at: Timestamp,
    pub idle: Duration,
    pub access_expires_at: Timestamp,
}

/// The result of presenting a refresh token.
#[derive(Clone, Debug)]
pub enum Refreshed {
    /// The generation of the new token. It is the same as before if the answer to the first try may have been lost.
    Rotated { generation: i64, user: User, transport: Transport },
    /// The token was used again after the newer one had been seen, so one of them was stolen. The session has ended.
    Reused,
}

/// Whose a session is, and which of its access tokens are good.
#[derive(Clone, Copy, Debug)]
pub struct SessionState {
    pub user: UserId,
    /// The newest generation of which a token has been presented.
    pub seen: i64,
}

/// A live session whose newest access token may still be good.
#[derive(Clone, Copy, Debug)]
pub struct RecentSession {
    pub id: SessionId,
    pub state: SessionState,
    /// When that token was made.
    pub rotated_at: Timestamp,
}

/// Most sessions that a node loads into memory at its start, about 10 MiB. Others are read from the store when they are used.
const REMEMBERED: i64 = 100_000;

impl Store {
    pub async fn add_session(&self, session: NewSession) -> Result<(), Error> {
        self.journal.write(move |tx| Box::pin(add(tx, session.clone()))).await
    }

    pub async fn refresh_session(&self, presented: Presented) -> Result<Refreshed, Error> {
        if !self.is_shared() {
            return self.journal.write(move |tx| Box::pin(refresh(tx, presented))).await;
        }
        // Hardly any refresh ends a session, so it does not wait for the row of the log. A task, because the end of a session whose
        // token was stolen must not depend on a client that hangs up.
        let journal = self.journal.clone();
        let refreshed = tokio::spawn(async move {
            let refreshed = journal.write_plain(move |tx| Box::pin(refresh(tx, presented))).await?;
            if matches!(refreshed, Refreshed::Reused) {
                // Every node learns of it by the log. Nobody can make the session live again meanwhile.
                journal.write(move |tx| Box::pin(sign_out(tx, presented.session, presented.at))).await?;
            }
            Ok(refreshed)
        });
        refreshed.await.unwrap_or(Err(Error::Panicked))
    }

    /// None if the session has ended or never existed.
    pub async fn session_state(
        &self,
        session: SessionId,
        at: Timestamp,
    ) -> Result<Option<SessionState>, Error> {
        let state = |row: &Row<'_>| {
            Ok(SessionState { user: UserId::from_uuid(row.get("user_id")?), seen: row.get("seen")? })
        };
        self.first(STATE.bind(session).bind(at), state).await
    }

    /// Live sessions that were made or refreshed after `after`, the newest first, at most `REMEMBERED`.
    pub async fn recent_sessions(
        &self,
        after: Timestamp,
        at: Timestamp,
    ) -> Result<Vec<RecentSession>, Error> {
        let recent = |row: &Row<'_>| {
            let state = SessionState { user: UserId::from_uuid(row.get("user_id")?), seen: row.get("seen")? };
            let rotated_at = Timestamp::from_micros(row.get("rotated_at")?);
            Ok(RecentSession { id: SessionId::from_uuid(row.get("id")?), state, rotated_at })
        };
        self.all(RECENT.bind(after).bind(at).bind(REMEMBERED), recent).await
    }

    /// Notes that a token of a generation has been presented, so the generation before it is spent.
    pub async fn mark_seen(&self, session: SessionId, generation: i64, at: Timestamp) -> Result<(), Error> {
        self.journal.write_plain(move |tx| Box::pin(mark_seen(tx, session, generation, at))).await
    }

    pub async fn sessions(&self, user: UserId, at: Timestamp) -> Result<Vec<Session>, Error> {
        self.all(OF_USER.bind(user).bind(at), session_of).await
    }

    /// Ends one of the person's sessions. Refuses one that is over or belongs to another person.
    pub async fn end_session(&self, user: UserId, session: SessionId, at: Timestamp) -> Result<(), Error> {
        self.journal.write(move |tx| Box::pin(end_one(tx, user, session, at))).await
    }

    /// Ends the session of a refresh token that was presented. Does nothing if it is over.
    pub async fn sign_out(&self, session: SessionId, at: Timestamp) -> Result<(), Error> {
        self.journal.write(move |tx| Box::pin(sign_out(tx, session, at))).await
    }
}

async fn add(tx: &mut Transaction, new: NewSession) -> Result<(), Stop> {
    let insert = ADD
        .bind(new.id)
        .bind(new.user)
        .bind(transport_text(new.transport))
        .bind(new.user_agent)
        .bind(new.at)
        .bind(new.ends_at)
        .bind(new.expires_at)
        .bind(new.password_hash);
    if insert.run(tx.sql()).await? == 0 {
        return Err(Refusal::WrongCredentials.into());
    }
    if let Some(network) = new.network {
        networks::note(tx, new.user, network, new.at).await?;
    }
    tx.extend(new.id, new.access_expires_at);
    end_by(tx, END_SURPLUS.bind(new.user).bind(new.at).bind(new.most).bind(SURPLUS), new.at).await
}

async fn refresh(tx: &mut Transaction, presented: Presented) -> Result<Refreshed, Stop> {
    let look = LOOK.bind(presented.session).bind(presented.at);
    let found = look.first(tx.sql(), found_of).await?.ok_or(Refusal::InvalidRefreshToken)?;
    let Found { generation, seen, rotated_at, ends_at, transport, user } = found;

    let is_newest = presented.generation == generation;
    let answer_may_be_lost = presented.generation == generation - 1
        && (seen < generation || presented.at.since(rotated_at) <= REPEAT_WINDOW);
    if presented.generation > generation {
        return Err(Refusal::InvalidRefreshToken.into());
    }
    if !is_newest && !answer_may_be_lost {
        if tx.may_append() {
            sign_out(tx, presented.session, presented.at).await?;
        }
        return Ok(Refreshed::Reused);
    }
    let generation = if is_newest { generation + 1 } else { generation };
    if is_newest {
        let expires_at = presented.at.plus(presented.idle).min(ends_at);
        let rotate = ROTATE.bind(presented.session).bind(generation).bind(presented.at).bind(expires_at);
        rotate.run(tx.sql()).await?;
    }
    tx.extend(presented.session, presented.access_expires_at);
    Ok(Refreshed::Rotated { generation, user, transport })
}

async fn mark_seen(
    tx: &mut Transaction,
    session: SessionId,
    generation: i64,
    at: Timestamp,
) -> Result<(), Stop> {
    SEE.bind(session).bind(generation).bind(at).run(tx.sql()).await?;
    Ok(())
}

async fn end_one(tx: &mut Transaction, user: UserId, session: SessionId, at: Timestamp) -> Result<(), Stop> {
    if END_OWN.bind(session).bind(user).bind(at).run(tx.sql()).await? == 0 {
        return Err(Refusal::SessionNotFound.into());
    }
    let at = tx.time(at);
    tx.append(&NewEvent::session_ended(session, at))?;
    Ok(())
}

async fn sign_out(tx: &mut Transaction, session: SessionId, at: Timestamp) -> Result<(), Stop> {
    end_by(tx, END.bind(session).bind(at), at).await
}

/// Ends every session of a person except `keep`.
pub(super) async fn end_all(
    tx: &mut Transaction,
    user: UserId,
    keep: Option<SessionId>,
    at: Timestamp,
) -> Result<(), Stop> {
    end_by(tx, END_ALL.bind(user).bind(at).bind(keep), at).await
}

/// Ends the sessions that a statement finds. Every node learns of it by the log.
async fn end_by(tx: &mut Transaction, ending: Query<'_>, at: Timestamp) -> Result<(), Stop> {
    let at = tx.time(at);
    for session in ending.all(tx.sql(), |row| Ok(SessionId::from_uuid(row.get("id")?))).await? {
        tx.append(&NewEvent::session_ended(session, at))?;
    }
    Ok(())
}

const fn transport_text(transport: Transport) -> &'static str {
    match transport {
        Transport::Bearer => "bearer",
        Transport::Cookie => "cookie",
    }
}

/// A live session whose refresh token was presented.
struct Found {
    generation: i64,
    seen: i64,
    rotated_at: Timestamp,
    ends_at: Timestamp,
    transport: Transport,
    user: User,
}

fn found_of(row: &Row<'_>) -> Result<Found, Failure> {
    let transport = match &*row.get::<String, _>("transport")? {
        "cookie" => Transport::Cookie,
        _ => Transport::Bearer,
    };
    Ok(Found {
        generation: row.get("generation")?,
        seen: row.get("seen")?,
        rotated_at: Timestamp::from_micros(row.get("rotated_at")?),
        ends_at: Timestamp::from_micros(row.get("ends_at")?),
        transport,
        user: user_of(row)?,
    })
}

fn session_of(row: &Row<'_>) -> Result<Session, Failure> {
    Ok(Session {
        id: SessionId::from_uuid(row.get("id")?),
        created_at: Timestamp::from_micros(row.get("created_at")?),
        last_used_at: Timestamp::from_micros(row.get("rotated_at")?),
        expires_at: Timestamp::from_micros(row.get("expires_at")?),
        user_agent: row.get("user_agent")?,
    })
}
