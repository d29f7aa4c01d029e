//! Freezing without a cgroup: SIGSTOP to every process, and the memory of who was stopped before.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::processes::{self, State};
use super::sys;

/// Who was stopped before we were asked to: they stay stopped when we let go.
#[derive(Debug, Default)]
pub(super) struct SignalFreezer {
    stopped_before: BTreeSet<Pid>,
}

impl SignalFreezer {
    /// Stops all, looking again until nobody new is found. Init comes last, so that it does not see the others stop.
    pub(super) fn freeze(&mut self, init: Pid, pidfd: BorrowedFd<'_>) -> Result<(), Errno> {
        self.stopped_before = stopped(init);
        let mut seen = self.stopped_before.clone();
        stop_new(init, &mut seen)?;
        if !self.stopped_before.contains(&init) {
            sys::pidfd_send_signal(pidfd, Signal::SIGSTOP as i32)?;
        }
        // Init may have had children until the moment it stopped.
        stop_new(init, &mut seen)
    }

    /// Lets all go on that [`SignalFreezer::freeze`] has stopped.
    pub(super) fn thaw(&mut self, init: Pid, pidfd: BorrowedFd<'_>) -> Result<(), Errno> {
        let stopped_before = std::mem::take(&mut self.stopped_before);
        if !stopped_before.contains(&init) {
            sys::pidfd_send_signal(pidfd, Signal::SIGCONT as i32)?;
        }
        let others = members(init).into_iter().filter(|pid| *pid != init && !stopped_before.contains(pid));
        others.into_iter().try_for_each(|pid| send(pid, init, Signal::SIGCONT))
    }

    /// Whether all are stopped by now.
    pub(super) fn is_frozen(init: Pid) -> bool {
        let members = members(init);
        !members.is_empty() && members.into_iter().all(|pid| processes::state(pid) != Some(State::Alive))
    }
}

/// Sends SIGSTOP to all but init that are not among `seen`, until there are none.
fn stop_new(init: Pid, seen: &mut BTreeSet<Pid>) -> Result<(), Errno> {
    loop {
        let new: Vec<Pid> =
            members(init).into_iter().filter(|pid| *pid != init && !seen.contains(pid)).collect();
        if new.is_empty() {
            return Ok(());
        }
        for pid in new {
            send(pid, init, Signal::SIGSTOP)?;
            seen.insert(pid);
        }
    }
}

fn stopped(init: Pid) -> BTreeSet<Pid> {
    members(init).into_iter().filter(|pid| processes::state(*pid) == Some(State::Stopped)).collect()
}

fn members(init: Pid) -> Vec<Pid> {
    processes::namespace(init, "pid").map(|namespace| processes::members(&namespace)).unwrap_or_default()
}

/// Signals a process if it is still one of the container's: its number may have been given to another in the meantime.
fn send(pid: Pid, init: Pid, signal: Signal) -> Result<(), Errno> {
    let Ok(process) = sys::pidfd_open(pid) else { return Ok(()) };
    if processes::namespace(pid, "pid") != processes::namespace(init, "pid") {
        return Ok(());
    }
    match sys::pidfd_send_signal(process.as_fd(), signal as i32) {
        Err(Errno::ESRCH) => Ok(()),
        result => result,
    }
}
