//! The terminal at the other end of a conversation: its size, and how it is left alone.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

use super::control::Size;
use crate::runtime::{set_window_size, window_size};

/// A terminal that passes on every key as it is pressed, until this value goes.
#[derive(Debug)]
pub struct Raw<'a> {
    terminal: BorrowedFd<'a>,
    before: Termios,
}

impl<'a> Raw<'a> {
    /// Begins.
    pub fn begin(terminal: BorrowedFd<'a>) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        tcsetattr(terminal, SetArg::TCSADRAIN, &raw)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Raw<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, SetArg::TCSADRAIN, &self.before);
    }
}

/// The size of a terminal; none of anything else.
pub fn size_of(terminal: BorrowedFd<'_>) -> Option<Size> {
    window_size(terminal).map(|(rows, columns)| Size { rows, columns })
}

/// Gives a terminal a size.
pub fn resize(terminal: &impl AsFd, size: Size) -> io::Result<()> {
    Ok(set_window_size(terminal.as_fd(), (size.rows, size.columns))?)
}
