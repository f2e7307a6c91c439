//! Measures a release build through its own sockets and prints each figure beside a yardstick taken in the same run, and at
//! the end one table of all. Machines are noisy: only the ratios mean anything, and it is worth running twice.
//!
//! A figure never fails the run. An event that was lost, doubled or out of order does.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "figures are rounded for reading"
)]

mod burst;
mod client;
mod cluster;
mod contender;
mod deletion;
mod fan_out;
mod fill;
mod history;
mod load;
mod logins;
mod machine;
mod nchan;
mod opening;
mod people;
mod posts;
mod process;
mod replay;
mod rooms;
mod saturation;
mod scale;
mod server;
mod stamp;
mod start;
mod subscriber;
mod subscribers;
mod table;
mod unread;
mod wal;
mod writes;

use cluster::{
    delivery as cluster_delivery, fan_out as cluster_fan_out, following as cluster_following,
    nodes as cluster_nodes, opening as cluster_opening, posts as cluster_posts,
};
use table::Table;

fn main() {
    raise_descriptor_limit();
    if std::env::args().any(|arg| arg == writes::MODE) {
        return writes::main();
    }
    // `cargo bench -- posts` runs one of them; cargo itself adds `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut table = Table::default();
    if !nchan::is_installed() {
        println!(
            "Without nginx and its nchan module (Debian: nginx-light, libnginx-mod-nchan) their columns are left out."
        );
    }
    let has_postgres = cluster::has_postgres();
    if !has_postgres {
        println!(
            "Without PostgreSQL (Debian: postgresql) the rows whose names begin with cluster_ are left out."
        );
    }
    if has_postgres && !cluster::has_nats() {
        println!("Without nats-server (Debian: nats-server) the rows by NATS are left out.");
    }
    let is_asked_for = |row: &str| {
        let is_wanted = wanted.is_empty() || wanted.iter().any(|wanted| wanted == row);
        is_wanted && (has_postgres || !row.starts_with("cluster_"))
    };
    macro_rules! run {
        ($($name:ident)+) => {
            let rows = [$(stringify!($name)),+];
            if let Some(unknown) = wanted.iter().find(|wanted| !rows.contains(&wanted.as_str())) {
                eprintln!("there is no row {unknown}; there are {}", rows.join(" "));
                std::process::exit(2);
            }
            $(if is_asked_for(stringify!($name)) {
                println!("{}:", stringify!($name));
                runtime.block_on($name::run(&mut table));
            })+
        };
    }
    run!(start posts deletion wal fan_out saturation opening rooms replay history unread logins
        cluster_posts cluster_nodes cluster_delivery cluster_fan_out cluster_following cluster_opening);
    println!();
    table.print();
    println!("\n{}; scale {}", machine::describe(), scale::factor());
}

/// Thousands of sockets are open at once.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("a higher limit");
}
