//! Who is calling: signs in, sends the access token with every request, and renews it when the server says 401.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use progenitor_client::{ClientHooks, ClientInfo, OperationInfo};
use reqwest::{Request, Response, StatusCode, header};
use tokio::time::sleep;

use crate::parlor::types::{Problem, RefreshInput, RefreshInputRefreshToken, SignIn};
use crate::parlor::{Client, Error};

const CONNECT_WITHIN: Duration = Duration::from_secs(15);

/// What a client signs its requests with; a client without a session has nothing.
#[derive(Clone, Debug, Default)]
pub struct Tokens {
    held: Arc<Mutex<Held>>,
    /// Requests that meet a 401 at the same time share one renewal: a refresh token is good for one use.
    renewing: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Default)]
struct Held {
    sign_in: Option<SignIn>,
    renewals: u32,
}

impl Tokens {
    /// How often the access token was renewed.
    pub fn renewals(&self) -> u32 {
        self.held.lock().unwrap().renewals
    }

    fn access(&self) -> Option<String> {
        self.held.lock().unwrap().sign_in.as_ref()?.access_token.clone()
    }

    fn refresh(&self) -> Option<RefreshInputRefreshToken> {
        self.held.lock().unwrap().sign_in.as_ref()?.refresh_token.as_deref()?.parse().ok()
    }
}

/// A client without a session. `Client::new` would end streams too: it gives every request 15 seconds.
pub fn anonymous(url: &str) -> Client {
    let http = reqwest::Client::builder().connect_timeout(CONNECT_WITHIN).build().unwrap();
    Client::new_with_client(url, http, Tokens::default())
}

/// A client that calls as the person with this password.
pub async fn sign_in(url: &str, username: &str, password: &str) -> Result<Client, Error<Problem>> {
    let client = anonymous(url);
    let sign_in = client.login().body_map(|input| input.username(username).password(password)).send().await?;
    client.inner().held.lock().unwrap().sign_in = Some(sign_in.into_inner());
    Ok(client)
}

impl ClientHooks<Tokens> for Client {
    async fn exec(&self, request: Request, _: &OperationInfo) -> reqwest::Result<Response> {
        let Some(token) = self.inner().access() else { return self.client().execute(request).await };
        let again = request.try_clone();
        let answer = self.client().execute(signed(request, &token)).await?;
        if answer.status() != StatusCode::UNAUTHORIZED || !renew(self, &token).await? {
            return Ok(answer);
        }
        match (again, self.inner().access()) {
            (Some(again), Some(token)) => self.client().execute(signed(again, &token)).await,
            _ => Ok(answer),
        }
    }
}

fn signed(mut request: Request, token: &str) -> Request {
    request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    request
}

/// Whether there is a newer token than the one that was refused; if not, the session is over. An error says neither: the
/// token cannot be renewed now, but perhaps later.
async fn renew(client: &Client, refused: &str) -> reqwest::Result<bool> {
    let _alone = client.inner().renewing.lock().await;
    if client.inner().access().as_deref() != Some(refused) {
        return Ok(true);
    }
    let Some(token) = client.inner().refresh() else { return Ok(false) };
    // Not by the generated `refresh`: of its errors `exec` can hand on only those of reqwest.
    let input = RefreshInput { refresh_token: Some(token) };
    let url = format!("{}/v1/refresh", client.baseurl());
    let ask = || client.client().post(&url).json(&input).send();
    let mut answer = ask().await?;
    if let Some(wait) = retry_after(answer.headers()) {
        // The server is too busy for now, and the refresh token is still good: try once more.
        sleep(wait).await;
        answer = ask().await?;
    }
    if answer.status() == StatusCode::UNAUTHORIZED {
        return Ok(false);
    }
    let sign_in: SignIn = answer.error_for_status()?.json().await?;
    let mut held = client.inner().held.lock().unwrap();
    held.sign_in = Some(sign_in);
    held.renewals += 1;
    Ok(true)
}

/// How long the server asks to wait before another try.
pub fn retry_after(headers: &header::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}
