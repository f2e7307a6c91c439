//! Chance: all that is drawn comes from one printed seed. What is drawn is the same for the same seed; which task is where
//! at that moment is up to the machine.

use std::ops::Range;
use std::time::Duration;

use parlor::domain::ids::Ids;

/// A small generator (`SplitMix64`): good enough for dice, and the same everywhere.
#[derive(Debug)]
pub struct Chance(u64);

impl Chance {
    /// The seed in the environment, or a fresh one; prints it with the name of the test.
    pub fn printed(test: &str) -> Self {
        let given = std::env::var("PARLOR_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| Ids::SYSTEM.random_below(u64::MAX));
        println!("{test}: PARLOR_TEST_SEED={seed}");
        Self(seed)
    }

    /// Another source for another task: what each of them draws does not depend on which one draws first.
    pub fn fork(&mut self) -> Self {
        Self(self.draw())
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below the bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("below a length")
    }

    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn micros(&mut self, range: Range<u64>) -> Duration {
        Duration::from_micros(range.start + self.below(range.end - range.start))
    }
}
