//! Accounts in the store: making them, their names and their passwords.

use super::Store;
use super::error::{Error, Failure, Stop};
use super::journal::Transaction;
use super::members::rooms_of;
use super::networks;
use super::rows::user_of;
use super::sessions::end_all;
use super::sql::{Connection, Row, statements};
use crate::domain::clock::Timestamp;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::ids::{SessionId, UserId};
use crate::domain::membership::Member;
use crate::domain::names::{DisplayName, Username};
use crate::domain::network::NetworkTag;
use crate::domain::refusal::Refusal;
use crate::domain::user::User;

/// An account beside its password.
macro_rules! credentials {
    () => {
        "u.id, u.username, u.display_name, u.created_at, c.password FROM users u JOIN credentials c ON c.user_id = u.id "
    };
}

statements! {
    ADD = "INSERT INTO users (id, username, display_name, admin, created_at) \
           VALUES ($1, $2, $3, $4, $5) ON CONFLICT (username) DO NOTHING";
    ADD_PASSWORD = "INSERT INTO credentials (user_id, password) VALUES ($1, $2)";
    BY_ID = "SELECT id, username, display_name, created_at FROM users WHERE id = $1";
    CREDENTIALS_BY_ID = concat!("SELECT ", credentials!(), "WHERE u.id = $1");
    CREDENTIALS_BY_NAME = concat!("SELECT ", credentials!(), "WHERE u.username = $1");
    CREDENTIALS_FOR_NETWORK = concat!(
        "SELECT EXISTS (SELECT 1 FROM known_networks n WHERE n.user_id = u.id AND n.network = $2) AS is_known, ",
        credentials!(),
        "WHERE u.username = $1"
    );
    RENAME = "UPDATE users SET display_name = $2 WHERE id = $1";
    /// Takes the next seq of each room of a person.
    ADVANCE_ROOMS = "UPDATE rooms SET head = head + 1 WHERE id IN \
                     (SELECT room_id FROM members WHERE user_id = $1 AND until IS NULL)";
    REPLACE_PASSWORD =
        "UPDATE credentials SET password = $2 WHERE user_id = $1 AND password = coalesce($3, password)";
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
        self.journal
            .write(move |tx| Box::pin(add(tx, user.clone(), password_hash.clone(), admin, network)))
            .await
    }

    pub async fn user(&self, id: UserId) -> Result<User, Error> {
        self.read(move |sql| Box::pin(fetch(sql, id))).await
    }

    pub async fn user_by_name(&self, username: &Username) -> Result<User, Error> {
        Ok(self.credentials(username).await?.ok_or(Refusal::UserNotFound)?.user)
    }

    pub async fn credentials(&self, username: &Username) -> Result<Option<Credentials>, Error> {
        let query = CREDENTIALS_BY_NAME.bind(username.as_str().to_owned());
        self.first(query, credentials_of).await
    }

    /// The same, and whether the person signed in from this network before.
    pub async fn credentials_for(
        &self,
        username: &Username,
        network: NetworkTag,
    ) -> Result<Option<(Credentials, bool)>, Error> {
        let query =
            CREDENTIALS_FOR_NETWORK.bind(username.as_str().to_owned()).bind(network.as_bytes().to_vec());
        self.first(query, |row| Ok((credentials_of(row)?, row.get("is_known")?))).await
    }

    pub async fn credentials_of(&self, user: UserId) -> Result<Credentials, Error> {
        let found = self.first(CREDENTIALS_BY_ID.bind(user), credentials_of).await?;
        Ok(found.ok_or(Refusal::UserNotFound)?)
    }

    /// Changes a display name, and writes `member.updated` in each room of the person in the same transaction.
    pub async fn set_display_name(
        &self,
        user: UserId,
        name: DisplayName,
        at: Timestamp,
    ) -> Result<User, Error> {
        self.journal.write(move |tx| Box::pin(rename(tx, user, name.clone(), at))).await
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
        self.journal
            .write(move |tx| {
                Box::pin(replace_password(tx, user, known.clone(), password_hash.clone(), keep, at))
            })
            .await
    }
}

async fn add(
    tx: &mut Transaction,
    user: User,
    password_hash: String,
    admin: bool,
    network: Option<NetworkTag>,
) -> Result<User, Stop> {
    let account = ADD
        .bind(user.id)
        .bind(&user.username)
        .bind(&user.display_name)
        .bind(admin)
        .bind(user.created_at)
        .run(tx.sql())
        .await?;
    if account == 0 {
        return Err(Refusal::UsernameTaken.into());
    }
    ADD_PASSWORD.bind(user.id).bind(password_hash).run(tx.sql()).await?;
    if let Some(network) = network {
        networks::note(tx, user.id, network, user.created_at).await?;
    }
    Ok(user)
}

async fn rename(tx: &mut Transaction, user: UserId, name: DisplayName, at: Timestamp) -> Result<User, Stop> {
    let before = fetch(tx.sql(), user).await?;
    if before.display_name == name {
        return Ok(before);
    }
    RENAME.bind(user).bind(&name).run(tx.sql()).await?;
    let after = User { display_name: name, ..before };

    let at = tx.time(at);
    ADVANCE_ROOMS.bind(user).run(tx.sql()).await?;
    for (room, member) in rooms_of(tx.sql(), user).await? {
        let member = Member { user: after.to_ref(), ..member };
        tx.append(&NewEvent::of_member(EventType::MemberUpdated, room, after.to_ref(), member, at))?;
    }
    Ok(after)
}

async fn replace_password(
    tx: &mut Transaction,
    user: UserId,
    known: Option<String>,
    password_hash: String,
    keep: Option<SessionId>,
    at: Timestamp,
) -> Result<(), Stop> {
    if REPLACE_PASSWORD.bind(user).bind(password_hash).bind(known).run(tx.sql()).await? == 0 {
        return Err(Refusal::WrongPassword.into());
    }
    end_all(tx, user, keep, at).await
}

async fn fetch(sql: &mut Connection, user: UserId) -> Result<User, Stop> {
    BY_ID.bind(user).first(sql, user_of).await?.ok_or_else(|| Refusal::UserNotFound.into())
}

fn credentials_of(row: &Row<'_>) -> Result<Credentials, Failure> {
    Ok(Credentials { user: user_of(row)?, password_hash: row.get("password")? })
}
