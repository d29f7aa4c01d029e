//! An alarm for a moment. It rings on time even if the process stands still while it is being set: what is told to the kernel is the
//! moment, and not how long it is until then.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time;

pub(super) struct Alarm {
    timer: TimerFd,
    /// The same moment, as it is known here and as the kernel counts it.
    origin: (Instant, Duration),
}

impl Alarm {
    pub(super) fn new() -> nix::Result<Self> {
        let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC)?;
        let origin = (Instant::now(), time::clock_gettime(time::ClockId::CLOCK_MONOTONIC)?.into());
        Ok(Self { timer, origin })
    }

    /// Rings at that moment, at once if it is over, and not at all if there is none.
    pub(super) fn set(&self, at: Option<Instant>) -> nix::Result<()> {
        let Some(at) = at else { return self.timer.unset() };
        let (here, in_the_kernel) = self.origin;
        let at = in_the_kernel + at.saturating_duration_since(here);
        self.timer.set(Expiration::OneShot(at.into()), TimerSetTimeFlags::TFD_TIMER_ABSTIME)
    }
}

/// Readable once it has rung.
impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    #[test]
    fn what_is_over_rings_at_once_and_what_is_to_come_when_it_comes() {
        let alarm = Alarm::new().unwrap();
        let rings =
            |timeout| poll(&mut [PollFd::new(alarm.as_fd(), PollFlags::POLLIN)], timeout).unwrap() == 1;
        assert!(!rings(PollTimeout::ZERO));
        alarm.set(Some(Instant::now())).unwrap();
        assert!(rings(PollTimeout::NONE));
        let soon = Instant::now() + Duration::from_millis(20);
        alarm.set(Some(soon)).unwrap();
        assert!(rings(PollTimeout::NONE) && Instant::now() >= soon);
        alarm.set(Some(soon + Duration::from_secs(3600))).unwrap();
        assert!(!rings(PollTimeout::ZERO));
        alarm.set(None).unwrap();
        assert!(!rings(PollTimeout::ZERO));
    }
}
