//! What each part of the API answers, one file per tag of the document; and what it answers to those who get it wrong.

mod bad_bodies;
mod bad_http;
mod bad_tokens;
mod browsers;
mod raw;
