//! Measures a release build through its own sockets and prints each figure beside a yardstick taken in the same run.
//! Machines are noisy: read the ratios and medians, and run it twice.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "figures are rounded for reading"
)]

mod client;
mod history;
mod posts;
mod server;
mod start;

fn main() {
    // `cargo bench -- posts` runs one of them; cargo itself adds `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if runs("start") {
        start::run();
    }
    if runs("posts") {
        runtime.block_on(posts::run());
    }
    if runs("history") {
        runtime.block_on(history::run());
    }
}

/// The value below which a share of the sorted samples lies.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = (share * (sorted.len() - 1) as f64).round();
    sorted[at as usize]
}
