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
        Ok((_, way, status)) => Ok(Some(told(way, status))),
        Err(errno) => Err(errno),
    }
}

/// Waits for a child, and says how it ended.
pub(super) fn wait(child: Pid) -> nix::Result<ExitStatus> {
    loop {
        match sys::wait_for(libc::P_PID, child.as_raw(), 0) {
            Ok((_, way, status)) => return Ok(told(way, status)),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

fn told(way: i32, status: i32) -> ExitStatus {
    match way {
        libc::CLD_EXITED => ExitStatus::Exited(u8::try_from(status).unwrap_or(u8::MAX)),
        _ => ExitStatus::Signaled(status),
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
