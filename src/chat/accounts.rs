//! Accounts: registering, and what somebody may change of their own.

use std::net::IpAddr;

use super::limits::Counted;
use super::{Chat, Error, Result};
use crate::domain::names::{DisplayName, Username};
use crate::domain::password::Password;
use crate::domain::refusal::Refusal;
use crate::domain::session::Caller;
use crate::domain::user::User;

/// An account to make.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub username: Username,
    pub password: Password,
    /// None: the username.
    pub display_name: Option<DisplayName>,
    pub admin: bool,
}

impl Chat {
    /// Least code points of a new password.
    pub fn min_password(&self) -> usize {
        self.policy.min_password
    }

    pub async fn register_user(
        &self,
        address: IpAddr,
        username: Username,
        password: Password,
        display_name: Option<DisplayName>,
    ) -> Result<User> {
        if !self.policy.registration_open {
            return Err(Refusal::RegistrationClosed.into());
        }
        self.limits.take(Counted::RegisterFrom(address))?;
        let _turn = self.turns.next(address).await?;
        self.add_user(NewAccount { username, password, display_name, admin: false }).await
    }

    /// Makes an account, whatever the registration mode.
    pub async fn add_user(&self, new: NewAccount) -> Result<User> {
        new.password.check_uncommon(&new.username)?;
        let display_name = new.display_name.unwrap_or_else(|| DisplayName::from(&new.username));
        // Before hashing: a taken name costs no hash. The store decides again, under its uniqueness.
        if self.store.credentials(&new.username).await?.is_some() {
            return Err(Refusal::UsernameTaken.into());
        }
        let hash = self.hashing.hash(new.password).await?;
        let (id, created_at) = (self.ids.user(), self.clock.now());
        let user = User { id, username: new.username, display_name, created_at };
        Ok(self.store.add_user(user, hash, new.admin).await?)
    }

    pub async fn me(&self, caller: Caller) -> Result<User> {
        self.limits.take(Counted::Read(caller.user))?;
        Ok(self.store.user(caller.user).await?)
    }

    pub async fn update_me(&self, caller: Caller, display_name: Option<DisplayName>) -> Result<User> {
        let Some(name) = display_name else { return Ok(self.store.user(caller.user).await?) };
        // Written into every room of the person, so it is rarer than a post.
        self.limits.take(Counted::Join(caller.user))?;
        Ok(self.store.set_display_name(caller.user, name, self.clock.now()).await?)
    }

    /// Ends all other sessions of the person.
    pub async fn change_password(&self, caller: Caller, current: Password, new: Password) -> Result<()> {
        let known = self.store.credentials_of(caller.user).await?;
        self.limits.take(Counted::LoginTo(known.user.username.to_string()))?;
        if !self.hashing.verify(current, Some(known.password_hash.clone())).await? {
            return Err(Refusal::WrongPassword.into());
        }
        new.check_uncommon(&known.user.username)?;
        let hash = self.hashing.hash(new).await?;
        let (known, keep) = (Some(known.password_hash), Some(caller.session));
        Ok(self.store.set_password(caller.user, known, hash, keep, self.clock.now()).await?)
    }

    /// Gives somebody a new password and ends all their sessions: for the operator's command line.
    pub async fn reset_password(&self, username: &Username, new: Password) -> Result<()> {
        let user = self.store.user_by_name(username).await?;
        new.check_uncommon(username)?;
        let hash = self.hashing.hash(new).await?;
        Ok(self.store.set_password(user.id, None, hash, None, self.clock.now()).await?)
    }

    pub async fn user(&self, caller: Caller, username: &Username) -> Result<User> {
        self.limits.take(Counted::Read(caller.user))?;
        self.store.user_by_name(username).await.map_err(Error::from)
    }
}
