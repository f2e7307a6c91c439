//! What programs and people outside the project rely on: the command line, the document, the README.

mod clients;
mod command_line;
mod derived;
mod document;
mod examples;
mod hostile;
mod readme;
mod statuses;
mod stream_access;
mod stream_breakdown;
mod stream_bursts;
mod stream_closing;
mod stream_cursors;
mod stream_ends;
mod stream_feeder;
mod stream_frames;
mod stream_moments;
mod stream_order;
mod stream_property;
mod stream_proxy;
mod stream_retention;
mod stream_snapshot;
mod stream_sockets;
mod stream_text;
mod stream_unpublished;
mod table;
