//! Telling the one who started us that everything is in place: a line without words, then the end of the pipe.

use std::{
    fs::File,
    io::Write,
    os::fd::{OwnedFd, RawFd},
};

use super::sys;

/// The descriptor on which the starter waits. Closed without a byte, it says that the setup failed.
pub(super) struct Ready(OwnedFd);

impl Ready {
    /// Takes the descriptor that the starter named, if it is really there. An engine that passes on no other can name standard
    /// error: a line is the least that it passes on at once.
    pub(super) fn adopt(number: RawFd) -> Option<Self> {
        sys::adopt(number).map(Self)
    }

    /// Says that the process is ready. A starter that no longer listens is no reason to stop.
    pub(super) fn tell(self) {
        let _ = File::from(self.0).write_all(b"\n");
    }
}
