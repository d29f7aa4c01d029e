//! One epoll for everything that can happen, and for the signals that end terrarium itself.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::{SigSet, SigmaskHow, Signal as KernelSignal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use tracing::warn;

use super::guest::Guest;
use crate::model::{Id, Signal};
use crate::world::Interrupted;

/// Which of a container's descriptors. In this order they are heard when several speak at once: a death comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// The channel to its init.
    Status,
    /// The pipe by which the lab program says that it is ready.
    Ready,
    /// The events of its cgroup.
    Freezer,
    /// What its cgroup says of memory.
    Memory,
    /// The relay of its published ports.
    Relay,
    /// The channel to a process that is brought into it.
    Guest(Guest),
    /// The pidfd of such a process.
    GuestDeath(Guest),
    /// What the host does for all containers: see [`EVERYBODY`].
    Requests,
    /// The answers of those who make and fetch images.
    Images,
    /// Its pidfd.
    Death,
}

/// Stands for what belongs to no container.
pub(super) const EVERYBODY: Id = Id(u32::MAX);

/// The token of the signals, which no container has.
const SIGNALS: u64 = 0;

/// What is being watched.
pub(super) struct Watch {
    epoll: Epoll,
    /// Copies of their own, so that one can always be taken out again.
    watched: BTreeMap<(Id, Source), (u64, OwnedFd)>,
    meanings: BTreeMap<u64, (Id, Source)>,
    tokens: u64,
    signals: SignalFd,
    // Last: from then on a signal ends the process again.
    _composure: Composure,
}

impl Watch {
    /// From now on the signals that end a process end the waiting instead.
    pub(super) fn new() -> io::Result<Self> {
        let composure = Composure::begin()?;
        let signals = SignalFd::with_flags(&ends(), SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(&signals, EpollEvent::new(EpollFlags::EPOLLIN, SIGNALS))?;
        Ok(Self {
            epoll,
            watched: BTreeMap::new(),
            meanings: BTreeMap::new(),
            tokens: SIGNALS,
            signals,
            _composure: composure,
        })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }

    pub(super) fn add(&mut self, id: Id, source: Source, descriptor: BorrowedFd<'_>) {
        let flags = match source {
            Source::Freezer => EpollFlags::EPOLLPRI,
            Source::Status
            | Source::Ready
            | Source::Memory
            | Source::Relay
            | Source::Guest(_)
            | Source::GuestDeath(_)
            | Source::Requests
            | Source::Images
            | Source::Death => EpollFlags::EPOLLIN,
        };
        self.remove(id, source);
        self.tokens += 1;
        let token = self.tokens;
        let watch = || -> io::Result<OwnedFd> {
            let descriptor = descriptor.try_clone_to_owned()?;
            self.epoll.add(&descriptor, EpollEvent::new(flags, token))?;
            Ok(descriptor)
        };
        match watch() {
            Ok(descriptor) => {
                self.watched.insert((id, source), (token, descriptor));
                self.meanings.insert(token, (id, source));
            }
            Err(error) => warn!(container = id.0, ?source, %error, "cannot watch it"),
        }
    }

    pub(super) fn watches(&self, id: Id, source: Source) -> bool {
        self.watched.contains_key(&(id, source))
    }

    pub(super) fn remove(&mut self, id: Id, source: Source) {
        if let Some((token, descriptor)) = self.watched.remove(&(id, source)) {
            self.meanings.remove(&token);
            let _ = self.epoll.delete(&descriptor);
        }
    }

    pub(super) fn forget(&mut self, id: Id) {
        let sources: Vec<Source> =
            self.watched.keys().filter(|(of, _)| *of == id).map(|(_, source)| *source).collect();
        for source in sources {
            self.remove(id, source);
        }
    }

    /// Waits until something happens, so long at most.
    pub(super) fn wait(&mut self, timeout: Duration) -> Result<Vec<(Id, Source)>, Interrupted> {
        let mut events = [EpollEvent::empty(); 32];
        let count = match self.epoll.wait(&mut events, round_up(timeout)) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(errno) => {
                warn!(%errno, "cannot wait for events");
                0
            }
        };
        let mut heard: Vec<(Id, Source)> = Vec::with_capacity(count);
        for event in &events[..count] {
            if event.data() == SIGNALS {
                self.interrupted()?;
            } else {
                heard.extend(self.meanings.get(&event.data()).copied());
            }
        }
        heard.sort_by_key(|(id, source)| (*source, *id));
        Ok(heard)
    }

    fn interrupted(&mut self) -> Result<(), Interrupted> {
        match self.signals.read_signal() {
            Ok(Some(info)) => {
                let signal = i32::try_from(info.ssi_signo).ok().and_then(Signal::from_number);
                Err(Interrupted(signal.unwrap_or(Signal::TERM)))
            }
            Ok(None) | Err(_) => Ok(()),
        }
    }
}

/// While this is held, SIGINT, SIGTERM and SIGHUP wait for somebody to ask for them: whoever they would end has to tidy up first.
#[derive(Debug)]
pub struct Composure {
    mask_before: SigSet,
}

impl Composure {
    /// From now on, and until it is dropped.
    pub fn begin() -> io::Result<Self> {
        let mut mask_before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&ends()), Some(&mut mask_before))?;
        Ok(Self { mask_before })
    }
}

impl Drop for Composure {
    fn drop(&mut self) {
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.mask_before), None);
    }
}

fn ends() -> SigSet {
    SigSet::from_iter([KernelSignal::SIGINT, KernelSignal::SIGTERM, KernelSignal::SIGHUP])
}

/// To whole milliseconds, never too early: waking up before a timer is due would only mean to sleep again.
fn round_up(timeout: Duration) -> EpollTimeout {
    let millis = timeout.as_micros().div_ceil(1000);
    EpollTimeout::try_from(u32::try_from(millis).unwrap_or(u32::MAX)).unwrap_or(EpollTimeout::NONE)
}
