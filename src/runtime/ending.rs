//! How a child ended, asked of the kernel without a detour: a real-time signal has a number and no name.

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::unistd::Pid;

use super::sys;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// By itself, with this code.
    Exited(u8),
    /// By this signal.
    Signaled(i32),
}

/// How a child ended, without waiting; none while it lives.
pub(super) fn look(child: BorrowedFd<'_>) -> nix::Result<Option<ExitStatus>> {
    match sys::wait_for(libc::P_PIDFD, child.as_raw_fd(), libc::WNOHANG) {
        Ok((0, _, _)) | Err(Errno::EINTR) => Ok(None),
        Ok((_, libc::CLD_EXITED, code)) => {
            Ok(Some(ExitStatus::Exited(u8::try_from(code).unwrap_or(u8::MAX))))
        }
        Ok((_, _, signal)) => Ok(Some(ExitStatus::Signaled(signal))),
        Err(errno) => Err(errno),
    }
}

/// Waits for a child that is known to be ending.
pub(super) fn see_off(child: BorrowedFd<'_>) {
    while sys::wait_for(libc::P_PIDFD, child.as_raw_fd(), 0) == Err(Errno::EINTR) {}
}

/// Waits for all children in a process group, which are known to be ending.
pub(super) fn see_off_group(group: Pid) {
    while !matches!(sys::wait_for(libc::P_PGID, group.as_raw(), 0), Err(errno) if errno != Errno::EINTR) {}
}
