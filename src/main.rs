//! The `parlor` program: sets up the log output, runs the command, gives its exit code.

use std::io::IsTerminal;
use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Thousands of requests become streams that keep a hundredth of what a request needs: this allocator gives the rest back.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    // Standard output belongs to what commands print: the ready line, the document.
    let wanted = std::env::var_os("PARLOR_LOG").unwrap_or_default();
    let wanted = wanted.to_string_lossy();
    let Some(levels) = levels(&wanted) else {
        eprintln!(
            "error: PARLOR_LOG is {wanted:?}; expected: off, error, warn, info, debug or trace, or that for a part alone, \
             such as parlor=debug, or several of these with commas between"
        );
        return ExitCode::from(2);
    };
    let output = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    tracing_subscriber::registry().with(output).with(levels).init();
    parlor::cli::run()
}

/// How much is logged of each part: `info` where nothing is said. The library's own reading takes any word for the name of a
/// part, and then logs nothing.
fn levels(text: &str) -> Option<Targets> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let mut levels = Targets::new().with_default(LevelFilter::INFO);
    for wanted in text.split(',').map(str::trim).filter(|wanted| !wanted.is_empty()) {
        let (part, level) =
            wanted.split_once('=').map_or((None, wanted), |(part, level)| (Some(part), level));
        // It would take numbers, too, which nobody can read.
        let level = level.to_ascii_lowercase();
        let level: LevelFilter = LEVELS.contains(&level.as_str()).then(|| level.parse().ok())??;
        levels = match part {
            None => levels.with_default(level),
            Some(part) if is_part(part) => levels.with_target(part, level),
            Some(_) => return None,
        };
    }
    Some(levels)
}

/// Whether this can be the path of a module, such as `parlor::live`.
fn is_part(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    text.split("::").all(is_name)
}
