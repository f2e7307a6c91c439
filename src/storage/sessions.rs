//! Sessions in the store: signing in, rotating refresh tokens, ending.

use std::time::Duration;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::Store;
use super::error::{Error, Stop};
use super::networks;
use super::rows::user_of;
use super::statements::{Query, statements};
use super::writing::Writing;
use crate::domain::clock::Timestamp;
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
           SELECT $1, id, $3, $4, 1, 1, $5, $5, $6, $7 FROM users WHERE id = $2 AND password = $8";
    /// Ends the oldest sessions of a person: all except the `$3` newest.
    END_SURPLUS = "UPDATE sessions SET ended_at = $2 WHERE id IN (SELECT id FROM sessions WHERE user_id = $1 \
                   AND ended_at IS NULL AND expires_at > $2 ORDER BY created_at DESC, id DESC LIMIT $4 OFFSET $3) \
                   RETURNING id";
    LOOK = "SELECT s.generation, s.seen, s.rotated_at, s.ends_at, s.transport, \
            u.id, u.username, u.display_name, u.created_at \
            FROM sessions s JOIN users u ON u.id = s.user_id \
            WHERE s.id = $1 AND s.ended_at IS NULL AND s.expires_at > $2";
    /// A token that is presented has been seen, so the token before it is spent.
    ROTATE = "UPDATE sessions SET generation = $2, seen = $2 - 1, rotated_at = $3, expires_at = $4 WHERE id = $1";
    SEE = "UPDATE sessions SET seen = $2 WHERE id = $1 AND seen < $2 AND generation >= $2 AND ends_at > $3";
    END_OWN = "UPDATE sessions SET ended_at = $3 \
               WHERE id = $1 AND user_id = $2 AND ended_at IS NULL AND expires_at > $3";
    END = "UPDATE sessions SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL RETURNING id";
    END_ALL = "UPDATE sessions SET ended_at = $2 \
               WHERE user_id = $1 AND ended_at IS NULL AND ($3 IS NULL OR id <> $3) RETURNING id";
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
        self.journal.write(move |w| Box::pin(add(w, session))).await
    }

    pub async fn refresh_session(&self, presented: Presented) -> Result<Refreshed, Error> {
        self.journal.write(move |w| Box::pin(refresh(w, presented))).await
    }

    /// None if the session has ended or never existed.
    pub async fn session_state(
        &self,
        session: SessionId,
        at: Timestamp,
    ) -> Result<Option<SessionState>, Error> {
        let row = STATE.query().bind(session.uuid()).bind(at.micros()).fetch_optional(&self.readers).await?;
        let state = |row: SqliteRow| {
            Ok::<_, sqlx::Error>(SessionState {
                user: UserId::from_uuid(row.try_get(0)?),
                seen: row.try_get(1)?,
            })
        };
        Ok(row.map(state).transpose()?)
    }

    /// Live sessions that were made or refreshed after `after`, the newest first, at most `REMEMBERED`.
    pub async fn recent_sessions(
        &self,
        after: Timestamp,
        at: Timestamp,
    ) -> Result<Vec<RecentSession>, Error> {
        let query = RECENT.query().bind(after.micros()).bind(at.micros()).bind(REMEMBERED);
        let recent = |row: &SqliteRow| {
            let state = SessionState { user: UserId::from_uuid(row.try_get(1)?), seen: row.try_get(2)? };
            let rotated_at = Timestamp::from_micros(row.try_get(3)?);
            Ok(RecentSession { id: SessionId::from_uuid(row.try_get(0)?), state, rotated_at })
        };
        let rows = query.fetch_all(&self.readers).await?;
        Ok(rows.iter().map(recent).collect::<Result<_, sqlx::Error>>()?)
    }

    /// Notes that a token of a generation has been presented, so the generation before it is spent.
    pub async fn mark_seen(&self, session: SessionId, generation: i64, at: Timestamp) -> Result<(), Error> {
        self.journal.write(move |w| Box::pin(mark_seen(w, session, generation, at))).await
    }

    pub async fn sessions(&self, user: UserId, at: Timestamp) -> Result<Vec<Session>, Error> {
        let rows = OF_USER.query().bind(user.uuid()).bind(at.micros()).fetch_all(&self.readers).await?;
        Ok(rows.iter().map(session_of).collect::<Result<_, _>>()?)
    }

    /// Ends one of the person's sessions. Refuses one that is over or belongs to another person.
    pub async fn end_session(&self, user: UserId, session: SessionId, at: Timestamp) -> Result<(), Error> {
        self.journal.write(move |w| Box::pin(end_one(w, user, session, at))).await
    }

    /// Ends the session of a refresh token that was presented. Does nothing if it is over.
    pub async fn sign_out(&self, session: SessionId, at: Timestamp) -> Result<(), Error> {
        self.journal.write(move |w| Box::pin(sign_out(w, session, at))).await
    }
}

async fn add(w: &mut Writing, new: NewSession) -> Result<(), Stop> {
    let insert = ADD
        .query()
        .bind(new.id.uuid())
        .bind(new.user.uuid())
        .bind(transport_text(new.transport))
        .bind(&new.user_agent)
        .bind(new.at.micros())
        .bind(new.ends_at.micros())
        .bind(new.expires_at.micros())
        .bind(&new.password_hash);
    if insert.execute(w.sql()).await?.rows_affected() == 0 {
        return Err(Refusal::WrongCredentials.into());
    }
    if let Some(network) = new.network {
        networks::note(w, new.user, network, new.at).await?;
    }
    w.afterwards().extended.push((new.id, new.access_expires_at));
    let surplus =
        END_SURPLUS.query().bind(new.user.uuid()).bind(new.at.micros()).bind(new.most).bind(SURPLUS);
    note_ended(w, surplus).await
}

async fn refresh(w: &mut Writing, presented: Presented) -> Result<Refreshed, Stop> {
    let select = LOOK.query().bind(presented.session.uuid()).bind(presented.at.micros());
    let row = select.fetch_optional(w.sql()).await?.ok_or(Refusal::InvalidRefreshToken)?;
    let (generation, seen): (i64, i64) = (row.try_get("generation")?, row.try_get("seen")?);
    let rotated_at = Timestamp::from_micros(row.try_get("rotated_at")?);

    let is_newest = presented.generation == generation;
    let answer_may_be_lost = presented.generation == generation - 1
        && (seen < generation || presented.at.since(rotated_at) <= REPEAT_WINDOW);
    if presented.generation > generation {
        return Err(Refusal::InvalidRefreshToken.into());
    }
    if !is_newest && !answer_may_be_lost {
        sign_out(w, presented.session, presented.at).await?;
        return Ok(Refreshed::Reused);
    }
    let generation = if is_newest { generation + 1 } else { generation };
    if is_newest {
        let ends_at = Timestamp::from_micros(row.try_get("ends_at")?);
        let expires_at = presented.at.plus(presented.idle).min(ends_at);
        let rotate = ROTATE
            .query()
            .bind(presented.session.uuid())
            .bind(generation)
            .bind(presented.at.micros())
            .bind(expires_at.micros());
        rotate.execute(w.sql()).await?;
    }
    w.afterwards().extended.push((presented.session, presented.access_expires_at));
    let transport = match row.try_get::<&str, _>("transport")? {
        "cookie" => Transport::Cookie,
        _ => Transport::Bearer,
    };
    Ok(Refreshed::Rotated { generation, user: user_of(&row)?, transport })
}

async fn mark_seen(w: &mut Writing, session: SessionId, generation: i64, at: Timestamp) -> Result<(), Stop> {
    let update = SEE.query().bind(session.uuid()).bind(generation).bind(at.micros());
    update.execute(w.sql()).await?;
    Ok(())
}

async fn end_one(w: &mut Writing, user: UserId, session: SessionId, at: Timestamp) -> Result<(), Stop> {
    let update = END_OWN.query().bind(session.uuid()).bind(user.uuid()).bind(at.micros());
    if update.execute(w.sql()).await?.rows_affected() == 0 {
        return Err(Refusal::SessionNotFound.into());
    }
    w.afterwards().ended.push(session);
    Ok(())
}

async fn sign_out(w: &mut Writing, session: SessionId, at: Timestamp) -> Result<(), Stop> {
    let query = END.query().bind(session.uuid()).bind(at.micros());
    note_ended(w, query).await
}

/// Ends every session of a person except `keep`.
pub(super) async fn end_all(
    w: &mut Writing,
    user: UserId,
    keep: Option<SessionId>,
    at: Timestamp,
) -> Result<(), Stop> {
    let query = END_ALL.query().bind(user.uuid()).bind(at.micros()).bind(keep.map(SessionId::uuid));
    note_ended(w, query).await
}

async fn note_ended(w: &mut Writing, ending: Query<'_>) -> Result<(), Stop> {
    for row in ending.fetch_all(w.sql()).await? {
        let session = SessionId::from_uuid(row.try_get(0)?);
        w.afterwards().ended.push(session);
    }
    Ok(())
}

const fn transport_text(transport: Transport) -> &'static str {
    match transport {
        Transport::Bearer => "bearer",
        Transport::Cookie => "cookie",
    }
}

fn session_of(row: &SqliteRow) -> Result<Session, sqlx::Error> {
    Ok(Session {
        id: SessionId::from_uuid(row.try_get("id")?),
        created_at: Timestamp::from_micros(row.try_get("created_at")?),
        last_used_at: Timestamp::from_micros(row.try_get("rotated_at")?),
        expires_at: Timestamp::from_micros(row.try_get("expires_at")?),
        user_agent: row.try_get("user_agent")?,
    })
}
