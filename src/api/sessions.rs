//! Tag Sessions: signing in, staying signed in, signing out.

use poem::http::{HeaderValue, StatusCode, header};
use poem::web::Data;
use poem::{IntoResponse, Request, Response};
use poem_openapi::param::Path;
use poem_openapi::registry::{MetaHeader, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiResponse, OpenApi};

use super::auth::{Caller, RefreshCookie, Tokens};
use super::code::Code;
use super::fail::{Outcome, refusals};
use super::payload::{Body, OptionalBody};
use super::problem::Problem;
use super::reply::{self, Done, Reply};
use super::site::CookieNames;
use super::wire::session::{LoginInput, LogoutInput, RefreshInput, SessionList, SignIn};
use super::{ClientAddress, State, Tag};
use crate::chat::Login;
use crate::domain::ids::SessionId;
use crate::domain::refusal::Refusal;
use crate::domain::session;
use crate::domain::session::Transport;

#[derive(Default)]
pub struct SessionsApi;

/// A sign-in, with the cookies to set if the tokens travel in them.
pub struct SignedIn(SignIn, Vec<HeaderValue>);

/// 204 with both cookies cleared.
pub struct SignedOut(Vec<HeaderValue>);

refusals! {
    LoginRefusals: WrongCredentials, InsecureTransport;
    RefreshRefusals: InvalidRefreshToken;
    LogoutRefusals: ;
    ListSessions: ;
    EndSession: SessionNotFound;
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Sessions")]
impl SessionsApi {
    /// Sign in
    ///
    /// Begins a session. An `Authorization` header is ignored. An unknown username and a wrong password are answered alike.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        Data(state): Data<&State>,
        Data(address): Data<&ClientAddress>,
        request: &Request,
        body: Body<LoginInput>,
    ) -> Outcome<SignedIn, LoginRefusals> {
        let (username, password, transport) = body.0.parse()?;
        let transport = transport.into();
        if transport == Transport::Cookie {
            state.site().check_sign_in(request)?;
        }
        let login =
            Login { username, password, transport, user_agent: user_agent(request), address: address.0 };
        let signed_in = state.chat().login(login).await?;
        Ok(SignedIn::new(signed_in, state, transport))
    }

    /// Stay signed in
    ///
    /// Gives new tokens for a refresh token, which is good for one use: from the body, or, with `{}`, from the cookie. An
    /// `Authorization` header is ignored. Repeating it after a lost answer gives the same refresh token again; one that was
    /// really used before ends the session.
    #[oai(path = "/refresh", method = "post", operation_id = "refresh")]
    async fn refresh(
        &self,
        Data(state): Data<&State>,
        cookie: RefreshCookie,
        body: Body<RefreshInput>,
    ) -> Outcome<SignedIn, RefreshRefusals> {
        // Tokens go back the way they came: script that may not read the cookie must not get its child either.
        let (token, transport) = match body.0.parse()? {
            Some(token) => (Some(token), Transport::Bearer),
            None => (cookie.0, Transport::Cookie),
        };
        let token = token.ok_or_else(|| Problem::new(Code::InvalidRefreshToken))?;
        Ok(SignedIn::new(state.chat().refresh(&token).await?, state, transport))
    }

    /// Sign out
    ///
    /// Ends the session of the access token, or of the refresh token in the cookie or the body, with its streams, and
    /// clears both cookies. 204 also when the session is over already.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(
        &self,
        tokens: Tokens,
        Data(state): Data<&State>,
        request: &Request,
        body: OptionalBody<LogoutInput>,
    ) -> Outcome<SignedOut, LogoutRefusals> {
        let given = body.0.map(LogoutInput::parse).transpose()?.flatten();
        let refresh = given.or(tokens.refresh);
        state.chat().logout(tokens.access.as_deref(), refresh.as_deref()).await?;
        // A form on another site comes without our cookies, but browsers would take the answer's.
        let names = state.site().cookies().filter(|_| !state.site().is_foreign(request));
        Ok(SignedOut(names.map(CookieNames::clear).unwrap_or_default()))
    }

    /// List my sessions
    ///
    /// One for each sign-in that is not over.
    #[oai(path = "/sessions", method = "get", operation_id = "listSessions")]
    async fn list_sessions(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
    ) -> Outcome<Reply<SessionList>, ListSessions> {
        Ok(Reply(state.chat().sessions(caller.0).await?.into()))
    }

    /// End one of my sessions
    ///
    /// Its access tokens are refused and its streams end within a second.
    #[oai(path = "/sessions/:session", method = "delete", operation_id = "endSession")]
    async fn end_session(
        &self,
        caller: Caller,
        Data(state): Data<&State>,
        /// UUID of the session.
        session: Path<String>,
    ) -> Outcome<Done, EndSession> {
        let session = SessionId::parse(&session).ok_or(Problem::from(Refusal::SessionNotFound))?;
        state.chat().end_session(caller.0, session).await?;
        Ok(Done)
    }
}

impl SignedIn {
    fn new(sign_in: session::SignIn, state: &State, transport: Transport) -> Self {
        match (transport, state.site().cookies()) {
            (Transport::Cookie, Some(names)) => {
                let cookies = names.set(&sign_in.access_token, sign_in.expires_in, &sign_in.refresh_token);
                Self(SignIn::cookie(sign_in), cookies)
            }
            _ => Self(SignIn::bearer(sign_in), Vec::new()),
        }
    }
}

/// What the client calls itself; left out when it is not ASCII.
fn user_agent(request: &Request) -> Option<String> {
    request.headers().get(header::USER_AGENT)?.to_str().ok().map(str::to_owned)
}

fn with_cookies(mut response: Response, cookies: Vec<HeaderValue>) -> Response {
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn set_cookie(description: &str) -> MetaHeader {
    MetaHeader {
        name: "Set-Cookie".to_owned(),
        description: Some(description.to_owned()),
        required: false,
        deprecated: false,
        schema: String::schema_ref(),
    }
}

impl IntoResponse for SignedIn {
    fn into_response(self) -> Response {
        with_cookies(reply::json(StatusCode::OK, &self.0), self.1)
    }
}

impl ApiResponse for SignedIn {
    fn meta() -> MetaResponses {
        let signed_in = reply::meta::<SignIn>(200, "Signed in.");
        let headers = vec![set_cookie("With `transport: cookie`: the two tokens.")];
        MetaResponses { responses: vec![MetaResponse { headers, ..signed_in }] }
    }

    fn register(registry: &mut Registry) {
        SignIn::register(registry);
    }
}

impl IntoResponse for SignedOut {
    fn into_response(self) -> Response {
        with_cookies(StatusCode::NO_CONTENT.into_response(), self.0)
    }
}

impl ApiResponse for SignedOut {
    fn meta() -> MetaResponses {
        let headers = vec![set_cookie("Removes both cookies.")];
        MetaResponses { responses: vec![MetaResponse { headers, ..reply::meta_empty("Signed out.") }] }
    }

    fn register(_: &mut Registry) {}
}
