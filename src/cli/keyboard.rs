//! What the learner types.
//!
//! A replay on the kernel blocks the signals that end terrarium, so that it can tidy up first; whoever only waited for
//! a line would not hear ctrl-C. So the waiting is for a line or such a signal, whichever comes first. The signal is
//! left for the replay to take.

use std::io::{self, BufRead, IsTerminal, Read};

use crate::report::Echo;

/// Lines from standard input, and who shows them while they are typed.
pub(super) fn keyboard() -> (impl BufRead, Echo) {
    let echo = if io::stdin().is_terminal() { Echo::Terminal } else { Echo::Ours };
    (io::BufReader::new(Keyboard), echo)
}

struct Keyboard;

#[cfg(all(target_os = "linux", feature = "linux"))]
impl Read for Keyboard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use std::os::fd::AsFd;

        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        use nix::sys::signal::{SigSet, Signal};
        use nix::sys::signalfd::{SfdFlags, SignalFd};

        let ends = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
        let signals = SignalFd::with_flags(&ends, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let stdin = io::stdin();
        let mut either =
            [PollFd::new(signals.as_fd(), PollFlags::POLLIN), PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        poll(&mut either, PollTimeout::NONE)?;
        if either[0].any() == Some(true) {
            return Ok(0);
        }
        Ok(nix::unistd::read(stdin.as_fd(), buffer)?)
    }
}

#[cfg(not(all(target_os = "linux", feature = "linux")))]
impl Read for Keyboard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        io::stdin().read(buffer)
    }
}
