//! The one test binary: people and programs against the real server, over real sockets. `support` is the harness,
//! `api` follows the tags of the document, `contract` holds what outsiders rely on, `system` the machine and the house.

mod api;
mod contract;
mod support;
mod system;
mod torture;
