//! What each part of the API answers, one file per tag of the document.

mod access;
mod accounts;
mod directory;
mod limits;
mod members;
mod messages;
mod rooms;
mod sessions;
mod tokens;
