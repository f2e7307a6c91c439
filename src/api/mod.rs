//! The API over HTTP: operations by tag, the problems they answer with, and the document that describes them. Handlers
//! parse, call one use case of `chat` and convert; no rule of the chat is decided here.

mod accounts;
mod auth;
pub mod code;
mod cross_origin;
mod events;
mod fail;
mod members;
mod messages;
mod outermost;
mod paging;
mod paths;
mod payload;
pub mod problem;
mod reactions;
mod read_marks;
mod reply;
mod rooms;
mod server;
mod sessions;
mod site;
pub mod spec;
pub mod wire;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use poem::endpoint::BoxEndpoint;
use poem::error::MethodNotAllowedError;
use poem::http::{HeaderValue, Method, header};
use poem::{Endpoint, EndpointExt, IntoEndpoint, Request, Response, Result};
use poem_openapi::{OpenApiService, OperationId, Tags};

use self::code::Code;
use self::cross_origin::CrossOrigin;
use self::outermost::Outermost;
pub use self::payload::BodyLimit;
use self::problem::Problem;
use self::site::Site;
use crate::chat::{Chat, EventStream};
use crate::config::Origin;
use crate::domain::ids::Ids;
use crate::web::Web;

/// What the operator says about the API.
#[derive(Clone, Debug)]
pub struct ApiSettings {
    /// Where browsers reach the server: `public_url`, else the address it listens on with its actual port.
    pub origin: Origin,
    /// The other origins whose pages may use the API, with tokens of their own.
    pub cross_origins: Vec<Origin>,
    /// What bounds request bodies; those with passwords or tokens keep a smaller size of their own.
    pub body_limit: BodyLimit,
    /// How long an answer may take.
    pub deadline: Duration,
    /// How long the cookie of a refresh token is kept: the life of an unused session.
    pub refresh_life: Duration,
}

/// The address that a request counts as coming from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The name of a request in answers and logs.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

impl RequestId {
    pub fn draw() -> Self {
        Self(Ids::SYSTEM.request().to_string())
    }
}

/// The operationId of the operation that gave an answer; none for what is no operation.
pub fn operation_of(answer: &Response) -> Option<&'static str> {
    answer.data::<OperationId>().map(|operation| operation.0)
}

/// Takes the stream that an answer carries, to give it the connection's socket.
pub fn take_stream(answer: &Response) -> Option<EventStream> {
    answer.data::<events::Offered>().and_then(events::Offered::take)
}

/// The answer in place of one that would wait for its reader beside too many others.
pub fn overloaded(request: &RequestId) -> Response {
    Problem::new(Code::Overloaded).retry_after(Duration::from_secs(1)).answer(&request.0)
}

/// What handlers and extractors find in the data of every request.
#[derive(Clone)]
struct State {
    chat: Arc<Chat>,
    site: Arc<Site>,
}

/// The tags of the document, in the order in which a newcomer needs them.
#[derive(Tags)]
enum Tag {
    /// What this server is, and whether it is well.
    Server,
    /// Making an account, and one's own account.
    Accounts,
    /// Signing in, staying signed in, signing out.
    Sessions,
    /// The directory of public rooms, and rooms themselves.
    Rooms,
    /// Who is in a room: joining, leaving, adding.
    Members,
    /// Posting messages and reading history.
    Messages,
    /// How far one has read, on all devices alike.
    Reading,
    /// Reacting to messages with emoji.
    Reactions,
    /// Live streams by Server-Sent Events.
    Events,
}

/// All operations, by tag: the one list of them.
type Operations = (
    server::ServerApi,
    server::ProbeApi,
    accounts::AccountsApi,
    sessions::SessionsApi,
    rooms::RoomsApi,
    members::MembersApi,
    messages::MessagesApi,
    read_marks::ReadMarksApi,
    reactions::ReactionsApi,
    events::EventsApi,
);

/// The whole service: the API, its document, the API explorer and the web client.
pub fn service(chat: Arc<Chat>, settings: ApiSettings) -> impl Endpoint<Output = Response> + 'static {
    let ApiSettings { origin, cross_origins, body_limit, deadline, refresh_life } = settings;
    let site = Arc::new(Site::new(&origin, refresh_life));
    let router = Router { operations: operations().into_endpoint().boxed(), web: Web }
        .data(body_limit)
        .data(State { chat, site: site.clone() });
    Outermost::new(router, site, CrossOrigin::new(&cross_origins), deadline)
}

fn operations() -> OpenApiService<Operations, ()> {
    OpenApiService::new(Operations::default(), "Parlor", env!("CARGO_PKG_VERSION"))
}

/// Which part of the house answers a path.
struct Router {
    operations: BoxEndpoint<'static, Response>,
    web: Web,
}

impl Endpoint for Router {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        match request.uri().path() {
            "/openapi.json" => document(&request),
            "/livez" | "/readyz" => self.operations.call(request).await,
            path if path == "/v1" || path.starts_with("/v1/") => self.operations.call(request).await,
            _ => self.web.call(request).await,
        }
    }
}

/// The committed document, byte for byte.
fn document(request: &Request) -> Result<Response> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return Err(MethodNotAllowedError.into());
    }
    let mut response = Response::builder().content_type(reply::JSON).body(spec::COMMITTED);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

impl State {
    /// The state of the service that a request came through.
    fn of(request: &Request) -> Result<&Self, Problem> {
        request.data::<Self>().ok_or(Problem::new(Code::Internal))
    }

    fn chat(&self) -> &Chat {
        &self.chat
    }

    fn site(&self) -> &Site {
        &self.site
    }
}
