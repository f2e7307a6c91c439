//! The `parlor` program: sets up the log output, runs the command, gives its exit code.

use std::io::IsTerminal;
use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;
use tracing_subscriber::EnvFilter;

/// Thousands of requests become streams that keep a hundredth of what a request needs: this allocator gives the rest back.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    // Standard output belongs to what commands print: the ready line, the document.
    let Ok(filter) = std::env::var("PARLOR_LOG").as_deref().unwrap_or("info").parse::<EnvFilter>() else {
        eprintln!(
            "error: PARLOR_LOG is not a filter; write a level such as debug, or parlor=debug,sqlx=warn"
        );
        return ExitCode::from(2);
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    parlor::cli::run()
}
