//! What each part of the API answers, one file per tag of the document, and what it answers to those who get it wrong.

mod access;
mod accounts;
mod bad_bodies;
mod bad_http;
mod bad_tokens;
mod browsers;
mod cross_origin;
mod crowds;
mod deadlines;
mod directory;
mod headers;
mod hung_up;
mod limits;
mod matrix;
mod members;
mod messages;
mod metrics;
mod pages;
mod probes;
mod raw;
mod rooms;
mod sessions;
mod shut_out;
mod smuggling;
mod spellings;
mod tokens;
