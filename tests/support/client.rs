//! Plain requests, as anybody can make them. Every answer is held against the published document before a test sees it.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::Value;

use super::answer::Answer;
use super::document::{check_exchange, published};
use super::http1;
use super::spread;
use super::stream::Opening;

/// A request that takes longer means that the server hangs.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Somebody who can reach the server: without credentials, with a bearer token, or with a jar of cookies.
#[derive(Clone)]
pub struct Client {
    pub(super) address: SocketAddr,
    pub(super) bearer: Option<String>,
    /// How long a request may take.
    patience: Duration,
    http: reqwest::Client,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self::with(reqwest::Client::builder(), address)
    }

    pub(super) fn browser(address: SocketAddr) -> Self {
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("sec-fetch-site", HeaderValue::from_static("same-origin"));
        Self::with(reqwest::Client::builder().cookie_store(true).default_headers(headers), address)
    }

    fn with(builder: reqwest::ClientBuilder, address: SocketAddr) -> Self {
        // With a connection for each request, each goes to the other node than the one before it.
        let builder = if spread::is_chosen() { builder.pool_max_idle_per_host(0) } else { builder };
        let http = builder.no_proxy().build().expect("a client can be built");
        Self { address, bearer: None, patience: TIMEOUT, http }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bearer token, for requests written by hand.
    pub fn bearer(&self) -> Option<&str> {
        self.bearer.as_deref()
    }

    /// The same client with another bearer token.
    pub fn bearing(&self, token: &str) -> Self {
        Self { bearer: Some(token.to_owned()), ..self.clone() }
    }

    /// The same client on another way to the server, such as through a proxy, with a connection for each request. A client
    /// that keeps connections, and is cut off again and again on a busy machine, may wait for ever for one of its pool.
    pub fn through(&self, address: SocketAddr) -> Self {
        let builder = reqwest::Client::builder().pool_max_idle_per_host(0);
        Self { bearer: self.bearer.clone(), ..Self::with(builder, address) }
    }

    /// The same client at the address of another node.
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    /// The same client, who gives a request up after this time.
    pub fn patient_for(&self, patience: Duration) -> Self {
        Self { patience, ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, None, &[]).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.request(Method::POST, path, Some(body), &[]).await
    }

    /// A POST without body or Content-Type, for operations that take none.
    pub async fn post_nothing(&self, path: &str) -> Answer {
        self.request(Method::POST, path, None, &[]).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.request(Method::PATCH, path, Some(body), &[]).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.request(Method::PUT, path, Some(body), &[]).await
    }

    /// A PUT without a body.
    pub async fn put_nothing(&self, path: &str) -> Answer {
        self.request(Method::PUT, path, None, &[]).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.request(Method::DELETE, path, None, &[]).await
    }

    /// Any request; headers given here come over the client's own.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let what = format!("{method} {path}");
        self.try_request(method, path, body, headers).await.unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// The same where the server may be gone, before or in the middle of it.
    pub async fn try_request(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Result<Answer, reqwest::Error> {
        let url = format!("http://{}{path}", self.address);
        let mut request = self.http.request(method.clone(), url).timeout(self.patience);
        if let Some(token) = &self.bearer {
            request = request.bearer_auth(token);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let mut request = request.build()?;
        for (name, value) in headers {
            let name = reqwest::header::HeaderName::from_bytes(name.as_bytes()).expect("a header name");
            request.headers_mut().insert(name, HeaderValue::from_str(value).expect("a header value"));
        }
        let answer = Answer::read(self.http.execute(request).await?, &format!("{method} {path}")).await?;
        answer.keeps_the_manners();
        published().check(&method, path, &answer);
        Ok(answer)
    }

    /// Prepares a stream at a path such as `/v1/events?after=...`; nothing is sent before it is opened.
    pub fn opening(&self, path: &str) -> Opening {
        Opening::new(self.address, path, self.bearer.as_deref())
    }

    /// Sends bytes as they are, for requests that no client library makes; gives all that came back until the server
    /// closed the connection.
    pub async fn exchange(&self, bytes: &[u8]) -> String {
        let answer = http1::exchange(self.address, bytes).await;
        check_exchange(bytes, &answer);
        answer
    }
}
