//! Accounts: registering, reading, and what people may change of their own account.

use std::net::IpAddr;

use super::hashing::Urgency;
use super::limits::Counted;
use super::turns::Line;
use super::{Chat, Error, Result};
use crate::domain::names::{DisplayName, Username};
use crate::domain::network::{NetworkTag, network_of};
use crate::domain::password::Password;
use crate::domain::refusal::Refusal;
use crate::domain::session::Caller;
use crate::domain::user::User;
use crate::storage::accounts::Credentials;

/// An account to make.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub username: Username,
    pub password: Password,
    /// The username is shown if this is none.
    pub display_name: Option<DisplayName>,
    pub admin: bool,
}

impl Chat {
    /// The fewest code points of a new password.
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
        let network = network_of(address);
        self.limits.take(Counted::RegisterFrom(network))?;
        let new = NewAccount { username, password, display_name, admin: false };
        self.check_new(&new).await?;
        let tag = self.tokens.network_tag(new.username.as_str(), network);
        let _turn = self.passwords.turns.next(Line::Network(network)).await?;
        let user = self.add(new, Urgency::Stranger, Some(tag)).await?;
        self.known_networks.add(tag);
        Ok(user)
    }

    /// Makes an account even if registration is closed. For the operator's command line.
    pub async fn add_user(&self, new: NewAccount) -> Result<User> {
        self.check_new(&new).await?;
        self.add(new, Urgency::Known, None).await
    }

    /// Refuses what can be refused without the cost of a hash. The store decides again whether the name is taken.
    async fn check_new(&self, new: &NewAccount) -> Result<()> {
        new.password.check_uncommon(&new.username)?;
        match self.store.credentials(&new.username).await? {
            Some(_) => Err(Refusal::UsernameTaken.into()),
            None => Ok(()),
        }
    }

    async fn add(&self, new: NewAccount, urgency: Urgency, network: Option<NetworkTag>) -> Result<User> {
        let display_name = new.display_name.unwrap_or_else(|| DisplayName::from(&new.username));
        let hash = self.passwords.hashing.hash(new.password, urgency).await?;
        let (id, created_at) = (self.ids.user(), self.clock.now());
        let user = User { id, username: new.username, display_name, created_at };
        Ok(self.store.add_user(user, hash, new.admin, network).await?)
    }

    pub async fn me(&self, caller: Caller) -> Result<User> {
        self.limits.take(Counted::Read(caller.user))?;
        Ok(self.store.user(caller.user).await?)
    }

    pub async fn update_me(&self, caller: Caller, display_name: Option<DisplayName>) -> Result<User> {
        let Some(name) = display_name else { return self.me(caller).await };
        // It writes an event into each room of the person, so it has a lower rate than a post.
        self.limits.take(Counted::Join(caller.user))?;
        Ok(self.store.set_display_name(caller.user, name, self.clock.now()).await?)
    }

    /// Changes the password of the caller and ends all their other sessions. A wrong current password slows the session that
    /// sends it, and no other.
    pub async fn change_password(&self, caller: Caller, current: Password, new: Password) -> Result<()> {
        // What follows reads the account and may refuse the new password before anything else is counted.
        self.limits.take(Counted::Read(caller.user))?;
        let Credentials { user, password_hash } = self.store.credentials_of(caller.user).await?;
        new.check_uncommon(&user.username)?;
        if !self.verify_in_session(caller.session, current, password_hash.clone()).await? {
            return Err(Refusal::WrongPassword.into());
        }
        let hash = self.passwords.hashing.hash(new, Urgency::Known).await?;
        let (known, keep) = (Some(password_hash), Some(caller.session));
        Ok(self.store.set_password(user.id, known, hash, keep, self.clock.now()).await?)
    }

    /// Sets a new password without the old one and ends all sessions of the account. For the operator's command line.
    pub async fn reset_password(&self, username: &Username, new: Password) -> Result<()> {
        let user = self.store.user_by_name(username).await?;
        new.check_uncommon(username)?;
        let hash = self.passwords.hashing.hash(new, Urgency::Known).await?;
        Ok(self.store.set_password(user.id, None, hash, None, self.clock.now()).await?)
    }

    pub async fn user(&self, caller: Caller, username: &Username) -> Result<User> {
        self.limits.take(Counted::Read(caller.user))?;
        self.store.user_by_name(username).await.map_err(Error::from)
    }
}
