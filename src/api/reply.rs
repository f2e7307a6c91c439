//! The shapes of successful answers: JSON by serde with 200 or 201, or nothing with 204.

use poem::http::StatusCode;
use poem::{IntoResponse, Response};
use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;
use serde::Serialize;

use crate::chat::Made;

/// The media type of bodies in both directions.
pub const JSON: &str = "application/json";

/// 200 with a body.
pub struct Reply<T>(pub T);

/// 201 with what was made.
pub struct Created<T>(pub T);

/// 201 with what was made now, or 200 with what was there already.
pub enum CreatedOrFound<T> {
    Created(T),
    Found(T),
}

/// 204, without a body.
pub struct Done;

impl<T> CreatedOrFound<T> {
    /// Converts what a use case made, or found made before.
    pub fn from_made<D>(made: Made<D>, convert: impl FnOnce(D) -> T) -> Self {
        let value = convert(made.value);
        if made.new { Self::Created(value) } else { Self::Found(value) }
    }
}

/// A body in JSON, straight from serde to bytes.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let bytes = serde_json::to_vec(body).expect("wire types have text keys and serialise without failing");
    Response::builder().status(status).content_type(JSON).body(bytes)
}

pub fn meta<T: Type>(status: u16, description: &'static str) -> MetaResponse {
    let content = vec![MetaMediaType { content_type: JSON, schema: T::schema_ref() }];
    MetaResponse { description, status: Some(status), status_range: None, content, headers: vec![] }
}

pub fn meta_empty(description: &'static str) -> MetaResponse {
    MetaResponse { description, status: Some(204), status_range: None, content: vec![], headers: vec![] }
}

impl<T: Serialize + Send> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &self.0)
    }
}

impl<T: Type + Serialize> ApiResponse for Reply<T> {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![meta::<T>(200, "What was asked for.")] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Serialize + Send> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        json(StatusCode::CREATED, &self.0)
    }
}

impl<T: Type + Serialize> ApiResponse for Created<T> {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![meta::<T>(201, "What was made.")] }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl<T: Serialize + Send> IntoResponse for CreatedOrFound<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Created(value) => json(StatusCode::CREATED, &value),
            Self::Found(value) => json(StatusCode::OK, &value),
        }
    }
}

impl<T: Type + Serialize> ApiResponse for CreatedOrFound<T> {
    fn meta() -> MetaResponses {
        let responses = vec![
            meta::<T>(200, "It was there already; this is how it is now."),
            meta::<T>(201, "It was made now."),
        ];
        MetaResponses { responses }
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }
}

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl ApiResponse for Done {
    fn meta() -> MetaResponses {
        MetaResponses { responses: vec![meta_empty("Done.")] }
    }

    fn register(_: &mut Registry) {}
}
