//! Attempts at passwords: who may make one right now, and whose rate it counts for. Nobody can keep another person out: an
//! attempt counts for the network that it comes from, and for the account only among networks that never signed in to it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio_util::task::TaskTracker;

use super::failures::{Failures, Tried};
use super::hashing::{Hashing, Urgency};
use super::limits::{Counted, Limits};
use super::turns::{Line, Turns};
use super::{Chat, Error, Result};
use crate::domain::ids::SessionId;
use crate::domain::names::Username;
use crate::domain::network::{NetworkTag, network_of};
use crate::domain::password::Password;
use crate::domain::refusal::Refusal;
use crate::storage::accounts::Credentials;

/// A name that nobody can have is cut to this many code points before it is remembered.
const LONGEST_NAME: usize = 64;

/// Where an attempt at a password comes from, and what it is for.
struct Attempt {
    tried: Tried,
    counted: Counted,
    line: Line,
    urgency: Urgency,
    /// The account, for an attempt from a network that never signed in to it.
    stranger_at: Option<String>,
}

/// All that an attempt passes. Shared with the tasks that look at passwords.
pub(super) struct Passwords {
    pub hashing: Hashing,
    pub failures: Failures,
    pub turns: Turns,
    limits: Arc<Limits>,
    tasks: TaskTracker,
}

impl Chat {
    /// Verifies an attempt to sign in. The checks come in the order of what they cost, and an attempt that is refused costs
    /// the account nothing. Gives the tag by which the network is known from now on.
    pub(super) async fn verify_sign_in(
        &self,
        name: &str,
        password: Password,
        address: IpAddr,
    ) -> Result<(Credentials, NetworkTag)> {
        // A name that nobody can have is answered like any other, after the same work.
        let username = Username::lookup(name).ok();
        let account: String = match &username {
            Some(username) => username.to_string(),
            None => name.chars().take(LONGEST_NAME).collect(),
        };
        let network = network_of(address);
        let tag = self.tokens.network_tag(&account, network);
        if !self.known_networks.contains(&tag) {
            self.limits.take(Counted::LoginFrom(network))?;
        }
        self.passwords.failures.check(Tried::SignIn(tag), None, Instant::now())?;

        let found = match &username {
            Some(username) => self.store.credentials_for(username, tag).await?,
            None => None,
        };
        let is_known = found.as_ref().is_some_and(|(_, is_known)| *is_known);
        let attempt = if is_known {
            self.known_networks.add(tag);
            Attempt::from_known(tag)
        } else {
            Attempt::from_stranger(tag, network, account.clone())
        };
        let hash = found.as_ref().map(|(credentials, _)| credentials.password_hash.clone());
        if !self.passwords.verify(attempt, password, hash).await? {
            return Err(Refusal::WrongCredentials.into());
        }
        let (credentials, _) = found.ok_or(Refusal::WrongCredentials)?;
        self.passwords.failures.succeeded(Tried::SignIn(tag), Some(&account));
        Ok((credentials, tag))
    }

    /// Verifies the password of somebody who is signed in. It counts for their session alone.
    pub(super) async fn verify_in_session(
        &self,
        session: SessionId,
        password: Password,
        hash: String,
    ) -> Result<bool> {
        let attempt = Attempt {
            tried: Tried::Change(session),
            counted: Counted::PasswordChange(session),
            line: Line::Session(session),
            urgency: Urgency::Known,
            stranger_at: None,
        };
        let matches = self.passwords.verify(attempt, password, Some(hash)).await?;
        if matches {
            self.passwords.failures.succeeded(Tried::Change(session), None);
        }
        Ok(matches)
    }
}

impl Passwords {
    pub fn new(hashing: Hashing, limits: Arc<Limits>, tasks: TaskTracker) -> Self {
        let (failures, turns) = (Failures::new(limits.are_on()), Turns::new(limits.are_on()));
        Self { hashing, failures, turns, limits, tasks }
    }

    /// Looks at a password if it may be looked at now. From the moment it is counted it does not depend on the request, whose
    /// future is dropped when the client closes the connection: an attempt would otherwise cost a hash and count for nothing.
    async fn verify(
        self: &Arc<Self>,
        attempt: Attempt,
        password: Password,
        hash: Option<String>,
    ) -> Result<bool> {
        self.failures.check(attempt.tried, attempt.stranger_at.as_deref(), Instant::now())?;
        self.limits.take(attempt.counted.clone())?;
        let passwords = self.clone();
        let looking = self.tasks.spawn(async move {
            let looked_at = passwords.look_at(&attempt, password, hash).await;
            if looked_at.is_err() {
                passwords.limits.give_back(&attempt.counted);
            }
            looked_at
        });
        looking.await.map_err(|broken| Error::Internal(broken.into()))?
    }

    /// Waits for a turn, looks at a password, and notes a wrong one. An error means that it was not looked at.
    async fn look_at(&self, attempt: &Attempt, password: Password, hash: Option<String>) -> Result<bool> {
        let &Attempt { tried, line, urgency, .. } = attempt;
        let stranger_at = attempt.stranger_at.as_deref();
        // Held until a wrong password is noted.
        let _turn = self.turns.next(line).await?;
        // Again in turn: of attempts that are sent at once, the later ones wait for the failures of the first ones.
        self.failures.check(tried, stranger_at, Instant::now())?;
        let matches = self.hashing.verify(password, hash, urgency).await?;
        if !matches {
            self.failures.failed(tried, stranger_at, Instant::now());
        }
        Ok(matches)
    }
}

impl Attempt {
    fn from_known(tag: NetworkTag) -> Self {
        Self {
            tried: Tried::SignIn(tag),
            counted: Counted::LoginKnown(tag),
            line: Line::Known(tag),
            urgency: Urgency::Known,
            stranger_at: None,
        }
    }

    fn from_stranger(tag: NetworkTag, network: IpAddr, account: String) -> Self {
        Self {
            tried: Tried::SignIn(tag),
            counted: Counted::LoginTo(account.clone()),
            line: Line::Network(network),
            urgency: Urgency::Stranger,
            stranger_at: Some(account),
        }
    }
}
