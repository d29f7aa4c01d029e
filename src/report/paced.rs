//! A simulated life at a pace that can be watched: nothing is shown before its time on a slowed-down clock has come.
//!
//! It waits for the differences between one thing shown and the next. So the time that somebody spends between two of
//! them, thinking or reading, is not taken from the waiting.

use std::io;
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use thiserror::Error;

use crate::engine::trace::{Audience, Closing, Opening, StepOpening, StepTrace};

const SLOWEST: f64 = 0.01;
const FASTEST: f64 = 1_000_000.0;

/// How many virtual seconds pass in a real one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed(f64);

/// Why a text is no speed.
#[derive(Debug, Error)]
#[error(
    "write virtual seconds a second, from {SLOWEST} to {FASTEST}: 1 for real time, 10 for ten times as fast"
)]
pub struct InvalidSpeed;

/// Shows a replay to an audience, not faster than this.
pub struct Paced<'a> {
    audience: &'a mut dyn Audience,
    speed: Speed,
    /// The virtual time up to which everything has been shown.
    shown: Duration,
}

impl<'a> Paced<'a> {
    /// Begins with the replay.
    pub fn new(audience: &'a mut dyn Audience, speed: Speed) -> Self {
        Self { audience, speed, shown: Duration::ZERO }
    }

    fn wait_until(&mut self, time: Duration) {
        thread::sleep(time.saturating_sub(self.shown).div_f64(self.speed.0));
        self.shown = self.shown.max(time);
    }
}

impl Audience for Paced<'_> {
    fn opening(&mut self, opening: &Opening) -> io::Result<()> {
        self.audience.opening(opening)
    }

    fn step_begins(&mut self, step: &StepOpening) -> io::Result<()> {
        self.audience.step_begins(step)
    }

    fn step_done(&mut self, step: &StepTrace) -> io::Result<()> {
        let answered = step.at + step.took.unwrap_or_default();
        let last = step.happened.last().map_or(answered, |happening| happening.at);
        self.wait_until(answered.max(last));
        self.audience.step_done(step)
    }

    fn closing(&mut self, closing: &Closing) -> io::Result<()> {
        self.wait_until(closing.took);
        self.audience.closing(closing)
    }
}

impl FromStr for Speed {
    type Err = InvalidSpeed;

    fn from_str(text: &str) -> Result<Self, InvalidSpeed> {
        let speed = text.parse().ok().filter(|speed| (SLOWEST..=FASTEST).contains(speed));
        speed.map(Self).ok_or(InvalidSpeed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_that_time_can_be_divided_by() {
        for text in ["1", "10", "0.5", "1e6"] {
            assert!(text.parse::<Speed>().is_ok(), "{text}");
        }
        for text in ["0", "-1", "inf", "NaN", "fast", "", "1e-9"] {
            assert!(text.parse::<Speed>().is_err(), "{text} was read");
        }
    }
}
