//! Removing what containers have written.
//!
//! Files that other ids of a user's container have made are not the user's to remove: on the host they belong to ids that were
//! only lent. Whoever is root in a user namespace with the same ids may, so then a copy of this process removes them there.

use std::fs;
use std::io;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, geteuid, pipe2, read, write};

use super::ending::{self, ExitStatus};
use super::lent::{self, LentIds, lent_ids};
use super::sys;

/// Removes a directory with all that is in it. Fine if it is not there.
pub fn remove_all(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && !geteuid().is_root() => {
            lent_ids().map_or(Err(error), |lent| remove_as_root_of(lent, path))
        }
        result => result,
    }
}

/// A child becomes root of these ids, and removes it.
fn remove_as_root_of(lent: &LentIds, path: &Path) -> io::Result<()> {
    let (went, goes) = pipe2(OFlag::O_CLOEXEC)?;
    let (may_go_on, goes_on) = pipe2(OFlag::O_CLOEXEC)?;
    let parent = Pid::this();
    let child = || {
        let removed = sys::die_with(parent)
            .and_then(|()| unshare(CloneFlags::CLONE_NEWUSER))
            .and_then(|()| write(&goes, b"x"))
            .and_then(|_| read(&may_go_on, &mut [0]))
            .map_err(io::Error::from)
            .and_then(|_| fs::remove_dir_all(path));
        removed.map_or_else(|error| error.raw_os_error().unwrap_or(libc::EIO), |()| 0)
    };
    let pid = sys::fork_child(child)?;
    drop(goes);
    // Nothing comes if it could not leave, and then its status tells why.
    let has_gone = read(&went, &mut [0]).is_ok_and(|count| count == 1);
    let mapped = if has_gone { map(pid, lent) } else { Ok(()) };
    match &mapped {
        Ok(()) => drop(write(&goes_on, b"x")),
        Err(_) => drop(nix::sys::signal::kill(pid, Signal::SIGKILL)),
    }
    let status = ending::wait(pid)?;
    mapped?;
    match status {
        ExitStatus::Exited(0) => Ok(()),
        ExitStatus::Exited(errno) => Err(io::Error::from_raw_os_error(errno.into())),
        ExitStatus::Signaled(_) => Err(io::Error::other("whoever was to remove it was killed")),
    }
}

fn map(pid: Pid, lent: &LentIds) -> io::Result<()> {
    let mapped = lent::map_users(pid, &lent.users()).and_then(|()| lent::map_groups(pid, &lent.groups()));
    mapped.map_err(io::Error::other)
}
