//! Tag Server: what the server is, and whether it is well. The probes stand outside the versioned API.

use poem::web::Data;
use poem_openapi::OpenApi;

use super::code::Code;
use super::fail::{Outcome, refusals};
use super::problem::Problem;
use super::reply::Reply;
use super::wire::server::{Health, ServerFacts};
use super::{State, Tag};

pub struct ServerApi;

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
    /// For supervisors: 200 as long as the process answers at all.
    #[oai(path = "/livez", method = "get", operation_id = "getLivez")]
    async fn get_livez(&self) -> Outcome<Reply<Health>, GetLivez> {
        Ok(Reply(Health::ok()))
    }

    /// Tell whether the server can serve
    ///
    /// For load balancers: 503 once the server is about to stop, or while it cannot write.
    #[oai(path = "/readyz", method = "get", operation_id = "getReadyz")]
    async fn get_readyz(&self, Data(state): Data<&State>) -> Outcome<Reply<Health>, GetReadyz> {
        if state.chat().is_ready() {
            Ok(Reply(Health::ok()))
        } else {
            Err(Problem::new(Code::NotReady).into())
        }
    }
}
