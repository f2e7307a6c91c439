//! Accounts in the store: making them, their names and their passwords.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::Store;
use super::error::{Error, Stop};
use super::members::rooms_of;
use super::networks;
use super::rows::user_of;
use super::sessions::end_all;
use super::statements::statements;
use super::writing::Writing;
use crate::domain::clock::Timestamp;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::ids::{SessionId, UserId};
use crate::domain::membership::Member;
use crate::domain::names::{DisplayName, Username};
use crate::domain::network::NetworkTag;
use crate::domain::refusal::Refusal;
use crate::domain::user::User;

statements! {
    ADD = "INSERT INTO users (id, username, display_name, password, admin, created_at) \
           VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (username) DO NOTHING";
    BY_ID = "SELECT id, username, display_name, created_at FROM users WHERE id = $1";
    CREDENTIALS_BY_ID = "SELECT id, username, display_name, created_at, password FROM users WHERE id = $1";
    CREDENTIALS_BY_NAME =
        "SELECT id, username, display_name, created_at, password FROM users WHERE username = $1";
    CREDENTIALS_FOR_NETWORK =
        "SELECT u.id, u.username, u.display_name, u.created_at, u.password, n.used_at IS NOT NULL AS is_known \
         FROM users u LEFT JOIN known_networks n ON n.user_id = u.id AND n.network = $2 WHERE u.username = $1";
    RENAME = "UPDATE users SET display_name = $2 WHERE id = $1";
    /// Takes the next seq of each room of a person.
    ADVANCE_ROOMS = "UPDATE rooms SET head = head + 1 WHERE id IN \
                     (SELECT room_id FROM members WHERE user_id = $1 AND until IS NULL)";
    REPLACE_PASSWORD = "UPDATE users SET password = $2 WHERE id = $1 AND ($3 IS NULL OR password = $3)";
}

/// An account and its password hash, which only signing in needs.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub user: User,
    /// A PHC string.
    pub password_hash: String,
}

impl Store {
    /// Makes an account; refuses a taken username. `network` is known from then on.
    pub async fn add_user(
        &self,
        user: User,
        password_hash: String,
        admin: bool,
        network: Option<NetworkTag>,
    ) -> Result<User, Error> {
        self.journal.write(move |w| Box::pin(add(w, user, password_hash, admin, network))).await
    }

    pub async fn user(&self, id: UserId) -> Result<User, Error> {
        let row = BY_ID.query().bind(id.uuid()).fetch_optional(&self.readers).await?;
        Ok(user_of(&row.ok_or(Refusal::UserNotFound)?)?)
    }

    pub async fn user_by_name(&self, username: &Username) -> Result<User, Error> {
        Ok(self.credentials(username).await?.ok_or(Refusal::UserNotFound)?.user)
    }

    pub async fn credentials(&self, username: &Username) -> Result<Option<Credentials>, Error> {
        let row = CREDENTIALS_BY_NAME.query().bind(username.as_str()).fetch_optional(&self.readers).await?;
        row.as_ref().map(credentials_of).transpose().map_err(Error::from)
    }

    /// The same, and whether the person signed in from this network before.
    pub async fn credentials_for(
        &self,
        username: &Username,
        network: NetworkTag,
    ) -> Result<Option<(Credentials, bool)>, Error> {
        let row = CREDENTIALS_FOR_NETWORK
            .query()
            .bind(username.as_str())
            .bind(&network.as_bytes()[..])
            .fetch_optional(&self.readers)
            .await?;
        let found = |row: &SqliteRow| Ok((credentials_of(row)?, row.try_get("is_known")?));
        row.as_ref().map(found).transpose().map_err(|error: sqlx::Error| error.into())
    }

    pub async fn credentials_of(&self, user: UserId) -> Result<Credentials, Error> {
        let row = CREDENTIALS_BY_ID.query().bind(user.uuid()).fetch_optional(&self.readers).await?;
        Ok(credentials_of(&row.ok_or(Refusal::UserNotFound)?)?)
    }

    /// Changes a display name, and writes `member.updated` in each room of the person in the same transaction.
    pub async fn set_display_name(
        &self,
        user: UserId,
        name: DisplayName,
        at: Timestamp,
    ) -> Result<User, Error> {
        self.journal.write(move |w| Box::pin(rename(w, user, name, at))).await
    }

    /// Replaces a password and ends all sessions of the person except `keep`. Refuses if a hash is given as `known` and it is
    /// no longer the stored one.
    pub async fn set_password(
        &self,
        user: UserId,
        known: Option<String>,
        password_hash: String,
        keep: Option<SessionId>,
        at: Timestamp,
    ) -> Result<(), Error> {
        self.journal.write(move |w| Box::pin(replace_password(w, user, known, password_hash, keep, at))).await
    }
}

async fn add(
    w: &mut Writing,
    user: User,
    password_hash: String,
    admin: bool,
    network: Option<NetworkTag>,
) -> Result<User, Stop> {
    let added = ADD
        .query()
        .bind(user.id.uuid())
        .bind(user.username.as_str())
        .bind(user.display_name.as_str())
        .bind(password_hash)
        .bind(admin)
        .bind(user.created_at.micros())
        .execute(w.sql())
        .await?;
    if added.rows_affected() == 0 {
        return Err(Refusal::UsernameTaken.into());
    }
    if let Some(network) = network {
        networks::note(w, user.id, network, user.created_at).await?;
    }
    Ok(user)
}

async fn rename(w: &mut Writing, user: UserId, name: DisplayName, at: Timestamp) -> Result<User, Stop> {
    let before = fetch(w.sql(), user).await?;
    if before.display_name == name {
        return Ok(before);
    }
    RENAME.query().bind(user.uuid()).bind(name.as_str()).execute(w.sql()).await?;
    let after = User { display_name: name, ..before };

    ADVANCE_ROOMS.query().bind(user.uuid()).execute(w.sql()).await?;
    for (room, member) in rooms_of(w.sql(), user).await? {
        let event = NewEvent {
            kind: EventType::MemberUpdated,
            room: room.id,
            seq: room.last_seq,
            at,
            actor: after.to_ref(),
            message: None,
            member: Some(Member { user: after.to_ref(), ..member }),
            room_state: Some(room),
        };
        w.append(&event).await?;
    }
    Ok(after)
}

async fn replace_password(
    w: &mut Writing,
    user: UserId,
    known: Option<String>,
    password_hash: String,
    keep: Option<SessionId>,
    at: Timestamp,
) -> Result<(), Stop> {
    let update = REPLACE_PASSWORD.query().bind(user.uuid()).bind(password_hash).bind(known);
    if update.execute(w.sql()).await?.rows_affected() == 0 {
        return Err(Refusal::WrongPassword.into());
    }
    end_all(w, user, keep, at).await
}

async fn fetch(sql: &mut SqliteConnection, user: UserId) -> Result<User, Stop> {
    let row = BY_ID.query().bind(user.uuid()).fetch_optional(sql).await?;
    Ok(user_of(&row.ok_or(Refusal::UserNotFound)?)?)
}

fn credentials_of(row: &SqliteRow) -> Result<Credentials, sqlx::Error> {
    Ok(Credentials { user: user_of(row)?, password_hash: row.try_get("password")? })
}
