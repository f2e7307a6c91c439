//! Standard error: log lines, panics and the error that ends a command. Nobody who logs waits for whoever reads it.
//!
//! A thread of its own writes what others put into a bounded buffer. When the reader of the pipe stops reading, the buffer
//! fills up and further lines are dropped. They are counted, and one line tells how many once the pipe is read again.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Most bytes that wait to be written: some thousands of lines. A line that does not fit is dropped.
const BUFFER: usize = 1024 * 1024;

/// How long the end of the program waits for the lines that are still in the buffer.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The pause after a pipe in non-blocking mode takes no more.
const FULL_PIPE_PAUSE: Duration = Duration::from_millis(10);

/// A handle for writing; each `write` is one or more whole lines, and never blocks.
#[derive(Clone, Debug)]
pub struct Stderr(Arc<Shared>);

/// Waits for the last lines when it is dropped, for at most [`LAST_LINES`].
#[derive(Debug)]
pub struct LastLines(Stderr);

#[derive(Debug, Default)]
struct Shared {
    /// Held while bytes are put in or taken out, never while they are written.
    pending: Mutex<Pending>,
    /// There is something to write.
    filled: Condvar,
    /// Everything is written.
    emptied: Condvar,
    /// Lines that were dropped, or could not be written, since the start of the program.
    dropped: Counter,
}

#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    /// Lines that were dropped and not told yet.
    dropped: u64,
    /// The thread has taken bytes out and is writing them.
    is_writing: bool,
}

/// Starts the thread, and sends everything there that is logged, and every panic. `None` if `wanted` is not understood.
///
/// `wanted` is the text of `PARLOR_LOG`: which levels are logged.
pub fn start(wanted: &str) -> io::Result<Option<(Stderr, LastLines)>> {
    let Some(levels) = levels(wanted) else { return Ok(None) };
    let stderr = Stderr(Arc::default());
    let shared = stderr.0.clone();
    std::thread::Builder::new().name("stderr".into()).spawn(move || shared.write_to(&mut io::stderr()))?;
    let writer = stderr.clone();
    let output = tracing_subscriber::fmt::layer()
        .with_writer(move || writer.clone())
        .with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry().with(output).with(levels).init();
    print_panics(stderr.clone());
    Ok(Some((stderr.clone(), LastLines(stderr))))
}

impl Stderr {
    /// Puts a text in line as it is. It should end with a line end.
    pub fn say(&self, text: &str) {
        self.0.push(text.as_bytes());
    }

    /// The figure of dropped lines.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "parlor_log_lines_dropped",
            "Log lines dropped because standard error was not read fast enough, or could not be written",
            self.0.dropped.clone(),
        );
    }
}

impl Write for Stderr {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.0.push(lines);
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LastLines {
    fn drop(&mut self) {
        let shared = &self.0.0;
        let has_more = |pending: &mut Pending| !pending.is_idle();
        drop(shared.emptied.wait_timeout_while(shared.lock(), LAST_LINES, has_more));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, lines: &[u8]) {
        let mut pending = self.lock();
        if pending.bytes.len() + lines.len() > BUFFER {
            let count = count_lines(lines);
            self.dropped.inc_by(count);
            pending.dropped += count;
            return;
        }
        pending.bytes.extend_from_slice(lines);
        drop(pending);
        self.filled.notify_one();
    }

    /// Writes for ever what is put in.
    fn write_to(&self, out: &mut impl Write) {
        let mut taken = Vec::new();
        let mut untold = 0;
        loop {
            let mut pending = self.lock();
            pending.is_writing = false;
            if pending.is_idle() {
                self.emptied.notify_all();
            }
            let mut pending = self
                .filled
                .wait_while(pending, |pending| pending.is_idle())
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut pending.bytes, &mut taken);
            untold += std::mem::take(&mut pending.dropped);
            pending.is_writing = true;
            drop(pending);
            let lost = count_lines(write_all(out, &taken));
            taken.clear();
            self.dropped.inc_by(lost);
            untold += lost;
            // These lines were dropped after the ones that were in the buffer. If this line is lost as well, the next one that is
            // logged is followed by another.
            if untold > 0 {
                let lines = if untold == 1 { "line was" } else { "lines were" };
                let told = format!("{untold} log {lines} dropped: standard error did not take all\n");
                if write_all(out, told.as_bytes()).is_empty() {
                    untold = 0;
                }
            }
        }
    }
}

impl Pending {
    fn is_idle(&self) -> bool {
        self.bytes.is_empty() && self.dropped == 0 && !self.is_writing
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

/// Gives what could not be written. Gives up at an error, for example when the reader has closed the pipe, or the disk is full.
/// A full pipe in non-blocking mode is tried again.
fn write_all<'b>(out: &mut impl Write, mut bytes: &'b [u8]) -> &'b [u8] {
    while !bytes.is_empty() {
        match out.write(bytes) {
            Ok(0) => return bytes,
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(FULL_PIPE_PAUSE),
            Err(_) => return bytes,
        }
    }
    bytes
}

/// The standard library's own hook writes to standard error directly, so a full pipe would stop the thread that panics.
fn print_panics(stderr: Stderr) {
    std::panic::set_hook(Box::new(move |panic| {
        let thread = std::thread::current();
        let backtrace = Backtrace::capture();
        let backtrace = match backtrace.status() {
            BacktraceStatus::Captured => format!("{backtrace}\n"),
            _ => String::new(),
        };
        stderr.say(&format!("thread '{}' {panic}\n{backtrace}", thread.name().unwrap_or("without a name")));
    }));
}

/// The levels that are logged of each part; `info` is the default. The library's own parser takes any word for the name of a
/// part, and then logs nothing.
fn levels(text: &str) -> Option<Targets> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    // The bus says once what the library says at every try.
    let mut levels =
        Targets::new().with_default(LevelFilter::INFO).with_target("async_nats", LevelFilter::OFF);
    for wanted in text.split(',').map(str::trim).filter(|wanted| !wanted.is_empty()) {
        let (part, level) =
            wanted.split_once('=').map_or((None, wanted), |(part, level)| (Some(part), level));
        // The parser would take numbers, too.
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
