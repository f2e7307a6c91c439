//! The error type of handlers: a problem, and as a type the codes with which the operation may answer.

use std::marker::PhantomData;

use poem_openapi::ApiResponse;
use poem_openapi::registry::{MetaMediaType, MetaResponse, MetaResponses, Registry};
use poem_openapi::types::Type;

use super::code::Code;
use super::problem::{PROBLEM_JSON, Problem, ProblemBody};
use crate::chat;

/// The refusals of one operation. Those of the layers around it (sign-in, body, limits) are added to the document by
/// `spec`.
pub trait Refusals: Send + Sync + 'static {
    const CODES: &'static [Code];
}

/// Why an operation answers with a problem.
#[derive(Debug)]
pub struct Fail<R>(Box<Problem>, PhantomData<fn() -> R>);

/// What a handler returns.
pub type Outcome<T, R> = Result<T, Fail<R>>;

impl<R> From<Problem> for Fail<R> {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem), PhantomData)
    }
}

impl<R> From<chat::Error> for Fail<R> {
    fn from(error: chat::Error) -> Self {
        Problem::from(error).into()
    }
}

impl<R> From<Fail<R>> for poem::Error {
    fn from(fail: Fail<R>) -> Self {
        (*fail.0).into()
    }
}

impl<R: Refusals> ApiResponse for Fail<R> {
    /// One entry a code, under the code instead of a status: two codes of one status would be a duplicate key. `spec`
    /// gathers them.
    fn meta() -> MetaResponses {
        let entry = |code: &Code| MetaResponse {
            description: code.meaning(),
            status: None,
            status_range: Some(code.as_str().to_owned()),
            content: vec![MetaMediaType { content_type: PROBLEM_JSON, schema: ProblemBody::schema_ref() }],
            headers: vec![],
        };
        MetaResponses { responses: R::CODES.iter().map(entry).collect() }
    }

    fn register(registry: &mut Registry) {
        ProblemBody::register(registry);
    }
}

/// Names the refusals of an operation: `refusals!(GetRoom: RoomNotFound);`
macro_rules! refusals {
    ($($name:ident: $($code:ident),*;)*) => {
        $(
            pub struct $name;

            impl $crate::api::fail::Refusals for $name {
                const CODES: &'static [$crate::api::code::Code] = &[$($crate::api::code::Code::$code),*];
            }
        )*
    };
}
pub(super) use refusals;
