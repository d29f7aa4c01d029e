//! A terminal for a process inside: one end for it, the other for whoever sits at it.

use std::io;
use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::pty::openpty;

use crate::runtime::Stdio;

/// The keeper's end, and the process's as all of its standard streams.
pub(super) fn open() -> io::Result<(OwnedFd, Stdio)> {
    let ends = openpty(None, None)?;
    for end in [&ends.master, &ends.slave] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    }
    let (output, error) = (ends.slave.try_clone()?, ends.slave.try_clone()?);
    Ok((ends.master, Stdio { input: Some(ends.slave), output: Some(output), error: Some(error) }))
}
