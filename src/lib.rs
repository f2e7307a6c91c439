//! Parlor, a chat server in one binary: the map of the house.

pub mod api;
pub mod app;
pub mod chat;
pub mod cli;
pub mod config;
pub mod domain;
pub mod http;
pub mod live;
pub mod secrets;
pub mod storage;
pub mod web;
