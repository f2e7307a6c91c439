//! The signals that end the server.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

/// Completes on SIGTERM, SIGINT or SIGHUP. The signals are caught from this call on, not only from the first poll.
pub(super) fn told_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let catch = |kind| signal(kind).context("signals cannot be caught");
    let (mut terminate, mut interrupt) = (catch(SignalKind::terminate())?, catch(SignalKind::interrupt())?);
    let mut hang_up = if outlives_terminal() { None } else { Some(catch(SignalKind::hangup())?) };
    Ok(async move {
        let hang_up = async {
            match &mut hang_up {
                Some(hang_up) => hang_up.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up => {}
        }
    })
}

/// Whether the program was started with SIGHUP ignored, as `nohup` does: catching it would undo that.
fn outlives_terminal() -> bool {
    const HANG_UP: u64 = 1;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & HANG_UP != 0)
}
