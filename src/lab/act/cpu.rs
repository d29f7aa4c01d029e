//! Burning a share of one CPU, in short turns: each uses its share of CPU time, and a late one is made up for only
//! if it is a little late, as on a busy machine, and not as after a freeze.

use std::{
    hint,
    time::{Duration, Instant},
};

use nix::time::{ClockId, clock_gettime};

/// How far turns are apart.
const PERIOD: Duration = Duration::from_millis(10);
/// How late a turn may begin and still count.
const LATENESS: Duration = Duration::from_millis(100);

/// Burns CPU time at a steady pace.
pub(super) struct Burner {
    /// CPU time of one turn.
    share: Duration,
    turn: Instant,
}

impl Burner {
    /// Nothing to do for a share of nothing. One thread cannot burn more than one CPU.
    pub(super) fn new(percent: u32, start: Instant) -> Option<Self> {
        (percent > 0).then(|| Self { share: PERIOD * percent.min(100) / 100, turn: start })
    }

    /// When it next wants to run.
    pub(super) fn turn(&self) -> Instant {
        self.turn
    }

    /// Runs its turn, if that has come.
    pub(super) fn burn(&mut self) {
        let now = Instant::now();
        if now < self.turn {
            return;
        }
        if now >= self.turn + LATENESS {
            self.turn = now;
        }
        self.turn += PERIOD;
        let (used, end) = (cpu_time() + self.share, now + PERIOD);
        while cpu_time() < used && Instant::now() < end {
            for round in 0..1000 {
                hint::black_box(round);
            }
        }
    }
}

/// CPU time of this process. Measured rather than derived from the clock, so that a turn which is interrupted by
/// other processes still gets what it is due.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).map_or(Duration::MAX, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_nothing_needs_no_burner() {
        assert!(Burner::new(0, Instant::now()).is_none());
        assert_eq!(Burner::new(250, Instant::now()).map(|burner| burner.share), Some(PERIOD));
    }

    #[test]
    fn turns_missed_while_frozen_are_not_made_up() {
        let start = Instant::now();
        let long_ago = start.checked_sub(PERIOD * 100).unwrap();
        let mut burner = Burner::new(1, long_ago).unwrap();
        burner.burn();
        assert!(burner.turn() >= start + PERIOD);
    }

    #[test]
    fn a_turn_that_has_not_come_is_not_begun() {
        let later = Instant::now() + Duration::from_secs(3600);
        let mut burner = Burner::new(100, later).unwrap();
        burner.burn();
        assert_eq!(burner.turn(), later);
    }
}
