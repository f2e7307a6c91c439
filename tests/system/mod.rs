//! The order of the house, and how the server behaves on a real machine.

mod bus;
#[cfg(debug_assertions)]
mod circles;
mod clock;
mod copy;
mod crowd_behind_haproxy;
#[cfg(debug_assertions)]
mod durability_breakdown;
mod durability_copy;
mod durability_disk;
mod durability_error;
mod durability_postgres;
mod failover;
mod journal;
mod journal_full;
mod journal_load;
mod kill;
mod log_pipe;
mod nats;
#[cfg(debug_assertions)]
mod node_clocks;
mod nodes;
mod nodes_apart;
mod one_file;
mod operations;
mod plan_list;
mod plans;
mod postgres;
mod postgres_check;
mod postgres_tls;
mod privacy;
mod proxies;
mod purge;
mod readers;
mod replay;
mod rolling;
mod search;
mod secrets;
mod shutdown;
mod syscalls;
mod tidy;
mod twins;
mod unread;
