//! The `parlor` program: sets up standard error, runs the command, gives its exit code.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// A request needs a hundred times the memory of the stream that it may become. This allocator gives the rest back to the
/// system; the default one keeps it.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    let wanted = std::env::var_os("PARLOR_LOG").unwrap_or_default();
    let wanted = wanted.to_string_lossy();
    let started = match parlor::stderr::start(&wanted) {
        Ok(Some(started)) => started,
        Ok(None) => {
            eprintln!(
                "error: PARLOR_LOG is {wanted:?}; expected: off, error, warn, info, debug or trace, or that for a part \
                 alone, such as parlor=debug, or several of these with commas between"
            );
            return ExitCode::from(2);
        }
        Err(error) => {
            eprintln!("error: the thread that writes the log cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    // `_last_lines` is dropped after the command, so that the error which ended it is written.
    let (stderr, _last_lines) = started;
    parlor::cli::run(&stderr)
}
