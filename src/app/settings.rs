//! The settings of the layers, from those of the configuration. Decides nothing else.

use std::net::SocketAddr;

use crate::api::{ApiSettings, BodyLimit};
use crate::chat::Policy;
use crate::config::{Config, Registration};
use crate::http::{Deadlines, FrontLimits};
use crate::live::StreamLimits;

pub(super) fn policy(config: &Config) -> Policy {
    Policy {
        server_name: config.server.name.clone(),
        registration_open: config.registration() == Registration::Open,
        min_password: config.accounts.min_password as usize,
        access_token_life: config.auth.access_token,
        refresh_idle: config.auth.refresh_idle,
        session_life: config.auth.session,
        sessions_per_user: config.auth.sessions_per_user,
    }
}

pub(super) fn api_settings(config: &Config, bound: SocketAddr) -> ApiSettings {
    ApiSettings {
        origin: config.public_origin(bound),
        cross_origins: config.cors.origins.clone(),
        body_limit: BodyLimit { bytes: config.limits.body_bytes as usize, deadline: config.limits.body },
        deadline: config.limits.request,
        refresh_life: config.auth.refresh_idle,
    }
}

pub(super) fn front_limits(config: &Config) -> FrontLimits {
    FrontLimits {
        per_address: config.limits.enabled.then_some(config.limits.connections_per_address as usize),
        trusted_proxies: config.server.trusted_proxies.clone().into(),
        deadlines: Deadlines { head: config.limits.head, idle: config.limits.idle, ..Deadlines::default() },
        grace: config.server.shutdown,
    }
}

pub(super) fn stream_limits(config: &Config) -> Option<StreamLimits> {
    config.limits.enabled.then_some(StreamLimits {
        per_node: config.limits.open_streams_per_node as usize,
        per_address: config.limits.open_streams_per_address as usize,
        per_user: config.limits.open_streams_per_user as usize,
        per_room_and_user: config.limits.open_streams_per_room_and_user as usize,
    })
}
