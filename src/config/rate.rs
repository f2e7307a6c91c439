//! Rates of the limits: a burst and a refill, and how they are written. Counting is done in `chat`.

use super::rules::{Raw, Rule};

/// A token bucket: `burst` at once, refilled by `per_second`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// What the full bucket holds, at least 1.
    pub burst: u32,
    /// Tokens that come back each second, above 0.
    pub per_second: f64,
}

/// A rate as text: "10, 2/s" or "3, 1/5min".
pub(super) struct RateText;

impl Rule for RateText {
    type Value = Rate;

    fn expects(&self) -> String {
        "\"BURST, COUNT/TIME\" with TIME in s, min, h or day, such as \"10, 2/s\" or \"3, 1/5min\"".into()
    }

    fn read(&self, raw: &Raw) -> Option<Rate> {
        let positive = |text: &str| text.parse::<u32>().ok().filter(|number| *number > 0);
        let (burst, refill) = raw.text()?.split_once(',')?;
        let (count, time) = refill.split_once('/')?;
        let time = time.trim();
        let (length, unit) = time.split_at(time.find(|c: char| !c.is_ascii_digit())?);
        let unit = match unit.trim() {
            "s" => 1.0,
            "min" => 60.0,
            "h" => 3_600.0,
            "day" => 86_400.0,
            _ => return None,
        };
        let length = if length.is_empty() { 1 } else { positive(length)? };
        Some(Rate {
            burst: positive(burst.trim())?,
            per_second: f64::from(positive(count.trim())?) / (f64::from(length) * unit),
        })
    }
}
