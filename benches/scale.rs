//! How large the measurements are: full, or a part of it by `PARLOR_BENCH_SCALE` (0.1: a tenth of the streams, rows and
//! seconds) while something is being worked on. Only the full figures mean anything.

use std::sync::OnceLock;
use std::time::Duration;

/// A count of streams, rooms or rows; never so few that nothing is measured.
pub fn count(full: usize) -> usize {
    ((full as f64 * factor()) as usize).max(full.min(20))
}

pub fn seconds(full: f64) -> Duration {
    Duration::from_secs_f64((full * factor()).max(0.5))
}

/// Rounds of which the median is taken.
pub fn rounds(full: usize) -> usize {
    if factor() < 1.0 { full.min(3) } else { full }
}

pub fn factor() -> f64 {
    static FACTOR: OnceLock<f64> = OnceLock::new();
    *FACTOR.get_or_init(|| {
        let Ok(text) = std::env::var("PARLOR_BENCH_SCALE") else { return 1.0 };
        let factor: f64 = text.parse().expect("PARLOR_BENCH_SCALE is a number");
        assert!(factor > 0.0 && factor <= 1.0, "PARLOR_BENCH_SCALE lies between 0 and 1");
        factor
    })
}
