//! How the process takes signals: real dispositions, and handlers that leave a note and ring the loop's bell.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::{
        OnceLock,
        atomic::{AtomicI32, Ordering},
    },
    time::Instant,
};

use nix::{
    errno::Errno,
    libc,
    sys::{
        eventfd::{EfdFlags, EventFd},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
};
use thiserror::Error;

use super::sys::{self, Disposition};
use crate::model::{Behavior, Exit, Reaction, Signal};

/// What a handler writes to, so that poll(2) returns: without it, a signal just before poll would be slept over.
static BELL: OnceLock<EventFd> = OnceLock::new();
/// The first signal that ends the process, once it has come.
static FIRST_END: AtomicI32 = AtomicI32::new(0);

#[derive(Debug, Error)]
pub(super) enum SignalError {
    #[error("cannot catch or ignore {signal}: {source} (no process can; leave it out of the behaviour)")]
    Refused { signal: Signal, source: io::Error },
    #[error("cannot make the eventfd that signal handlers write to: {0}")]
    Bell(#[source] Errno),
}

/// The signals of one behaviour.
pub(super) struct Signals {
    /// Only a process with handlers has one.
    bell: Option<&'static EventFd>,
    ends: BTreeMap<i32, Exit>,
    reaps: bool,
}

impl Signals {
    /// Ignores and catches what the behaviour names, and nothing else.
    pub(super) fn arrange(behavior: &Behavior) -> Result<Self, SignalError> {
        let reaps = behavior.children.is_some_and(|children| children.reap);
        let child = Signal::from_number(libc::SIGCHLD).filter(|_| reaps);
        let mut reactions: BTreeMap<Signal, Reaction> =
            child.into_iter().map(|signal| (signal, Reaction::Handle)).collect();
        reactions.extend(&behavior.signals);

        let mut ends = BTreeMap::new();
        for (signal, reaction) in reactions {
            let disposition = match reaction {
                Reaction::Ignore => Disposition::Ignore,
                Reaction::Handle => Disposition::Handler(go_on),
                Reaction::Exit(exit) => {
                    ends.insert(signal.number(), exit);
                    Disposition::Handler(end)
                }
            };
            if reaction != Reaction::Ignore && BELL.get().is_none() {
                let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
                let bell = EventFd::from_flags(flags).map_err(SignalError::Bell)?;
                BELL.get_or_init(|| bell);
            }
            sys::set_disposition(signal.number(), disposition)
                .map_err(|source| SignalError::Refused { signal, source })?;
        }
        Ok(Self { bell: BELL.get(), ends, reaps })
    }

    /// Becomes readable when a signal was caught.
    pub(super) fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        self.bell.map(EventFd::as_fd)
    }

    /// The end that the first ending signal asks for, once: later ones no longer count.
    pub(super) fn first_end(&mut self) -> Option<(Instant, Exit)> {
        let exit = self.ends.get(&FIRST_END.load(Ordering::Relaxed)).copied()?;
        self.ends.clear();
        Some((Instant::now(), exit))
    }

    /// Takes in what the bell told: waits for the children that ended, if this process does so at all.
    pub(super) fn reap(&self) {
        if let Some(bell) = self.bell {
            let _ = bell.read(); // not ringing: nothing to silence
        }
        if self.reaps {
            while !matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive) | Err(_)) {}
        }
    }
}

extern "C" fn go_on(_signal: libc::c_int) {
    ring();
}

extern "C" fn end(signal: libc::c_int) {
    let _ = FIRST_END.compare_exchange(0, signal, Ordering::Relaxed, Ordering::Relaxed);
    ring();
}

/// Safe in a handler: one atomic load, one write(2), and the interrupted code finds its errno as it was.
fn ring() {
    let errno = Errno::last_raw();
    if let Some(bell) = BELL.get() {
        let _ = bell.write(1);
    }
    Errno::set_raw(errno);
}
