//! Serves the built web client.
use poem::{Endpoint, Request, Response, Result};
pub struct Web;
impl Endpoint for Web {
    type Output = Response;
    async fn call(&self, _request: Request) -> Result<Response> { Err(poem::error::NotFoundError.into()) }
}
