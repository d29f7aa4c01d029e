//! Becoming root where a user's containers are.
//!
//! What a container has written belongs to ids that its user was only lent, and only root may mount its layers. In a user namespace
//! with the ids of the containers, a process of the user's is root over both. Who has left for there can no longer have ids mapped,
//! so a copy of the process stays behind until it has done that.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::fcntl::OFlag;
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getegid, geteuid, pipe2, read, write};

use super::ending::{self, ExitStatus};
use super::ids;
use super::lent::{self, lent_ids};
use super::sys;

static BECAME: AtomicBool = AtomicBool::new(false);

/// Whether this is root itself, and not a user's process that has become root over its containers.
pub fn is_root_of_the_host() -> bool {
    geteuid().is_root() && !BECAME.load(Ordering::Relaxed)
}

/// This process becomes root over the ids of its user's containers, and over nothing else. It must have one thread.
pub fn become_superuser() -> io::Result<()> {
    let (users, groups) = match lent_ids() {
        Ok(lent) => (lent.users(), lent.groups()),
        Err(_) => (lent::own(geteuid().as_raw()), lent::own(getegid().as_raw())),
    };
    let parent = Pid::this();
    let (left, leaves) = pipe2(OFlag::O_CLOEXEC)?;
    let map = || {
        let has_left = sys::die_with(parent).and_then(|()| read(&left, &mut [0])) == Ok(1);
        match has_left.then(|| ids::map_all(parent, &users, &groups)) {
            None | Some(Ok(())) => 0,
            Some(Err(error)) => {
                eprintln!("{error}");
                1
            }
        }
    };
    let mapper = sys::fork_child(map)?;
    let gone = unshare(CloneFlags::CLONE_NEWUSER).and_then(|()| write(&leaves, b"x"));
    if gone.is_err() {
        let _ = kill(mapper, Signal::SIGKILL);
    }
    let status = ending::wait(mapper)?;
    gone?;
    match status {
        ExitStatus::Exited(0) => {
            BECAME.store(true, Ordering::Relaxed);
            Ok(())
        }
        _ => Err(io::Error::other("its ids could not be mapped (see: terrarium doctor)")),
    }
}
