//! Torture: people post, come, go and read while the machine breaks under them, and afterwards everything that any of
//! them was ever told is held against the log. `make torture ROUNDS=1000` runs it for as long as asked; without that it
//! is short. What breaks and when is drawn from a seed that is printed and can be given again (`PARLOR_TEST_SEED`).

mod badge;
mod breakage;
mod chance;
mod commits;
mod deletion;
mod everybody;
mod guest;
mod link;
mod machine;
mod mover;
mod nodes;
mod pests;
mod proxy;
mod reader;
mod rounds;
mod storm;
mod timers;
mod truth;
mod verdict;
mod verdict_tests;
mod world;
mod writer;

/// How many nodes there are where there are several.
fn nodes_or(default: usize) -> usize {
    std::env::var("PARLOR_TEST_NODES").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// How often everything is broken, unless `PARLOR_TEST_ROUNDS` says it.
fn rounds_or(default: usize) -> usize {
    std::env::var("PARLOR_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}
