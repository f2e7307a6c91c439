//! Tag Server: what the server is, and whether it is well. The probes stand outside the versioned API.

use std::time::Duration;

use poem::web::Data;
use poem_openapi::OpenApi;

use super::code::Code;
use super::fail::{Outcome, refusals};
use super::problem::Problem;
use super::reply::Reply;
use super::wire::server::{Health, ServerFacts};
use super::{State, Tag};

/// Readiness is tested at most this often.
const COME_BACK: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct ServerApi;

#[derive(Default)]
pub struct ProbeApi;

refusals! {
    GetServer: ;
    GetLivez: ;
    GetReadyz: NotReady;
}

#[OpenApi(prefix_path = "/v1", tag = "Tag::Server")]
#[allow(clippy::unused_async, reason = "operations are async functions, these too")]
impl ServerApi {
    /// Tell what this server is
    ///
    /// Name, version, whether anybody may register, and the limits that requests must keep to. Needs no sign-in.
    #[oai(path = "/server", method = "get", operation_id = "getServer")]
    async fn get_server(&self, Data(state): Data<&State>) -> Outcome<Reply<ServerFacts>, GetServer> {
        Ok(Reply(state.chat().server().into()))
    }
}

#[OpenApi(tag = "Tag::Server")]
#[allow(clippy::unused_async, reason = "operations are async functions, these too")]
impl ProbeApi {
    /// Tell whether the process lives
    ///
    /// For supervisors: 200 as long as the process answers at all, whatever it can still do. Restart it when this fails.
    #[oai(path = "/livez", method = "get", operation_id = "getLivez")]
    async fn get_livez(&self) -> Outcome<Reply<Health>, GetLivez> {
        Ok(Reply(Health::ok()))
    }

    /// Tell whether the server can serve
    ///
    /// For load balancers: 503 once the server is about to stop, and while it cannot write, because the disk is full or does
    /// not answer. It finds out by writing, at most once a second, so it recovers by itself. Reading and open streams may
    /// still work while it is not ready.
    #[oai(path = "/readyz", method = "get", operation_id = "getReadyz")]
    async fn get_readyz(&self, Data(state): Data<&State>) -> Outcome<Reply<Health>, GetReadyz> {
        if state.chat().is_ready().await {
            Ok(Reply(Health::ok()))
        } else {
            Err(Problem::new(Code::NotReady).retry_after(COME_BACK).into())
        }
    }
}
