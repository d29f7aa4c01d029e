//! Waits for something to happen in an estate, without looking again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

use super::Estate;
use super::id::ContainerId;

/// Sees containers come, go, and be written about.
#[derive(Debug)]
pub struct Vigil {
    inotify: Inotify,
    /// The directory in which all of theirs are; none if only one is watched.
    street: Option<WatchDescriptor>,
    houses: BTreeMap<WatchDescriptor, ContainerId>,
    estate: Estate,
}

/// What of a container has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Its journal has grown, or has been put away.
    Journal,
    /// It has written something.
    Log,
}

impl Vigil {
    /// Over all containers.
    pub fn over_all(estate: &Estate) -> io::Result<Self> {
        let mut vigil = Self::over_nobody(estate)?;
        let comes = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
        vigil.street = Some(vigil.inotify.add_watch(&estate.containers(), comes)?);
        for id in estate.ids().map_err(io::Error::other)? {
            vigil.watch(&id);
        }
        Ok(vigil)
    }

    /// Over one.
    pub fn over(estate: &Estate, id: &ContainerId) -> io::Result<Self> {
        let mut vigil = Self::over_nobody(estate)?;
        vigil.watch(id);
        Ok(vigil)
    }

    fn over_nobody(estate: &Estate) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        Ok(Self { inotify, street: None, houses: BTreeMap::new(), estate: estate.clone() })
    }

    /// Whoever is gone already needs no watch.
    fn watch(&mut self, id: &ContainerId) {
        let changes = AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM;
        if let Ok(house) = self.inotify.add_watch(&self.estate.directory(id), changes) {
            self.houses.insert(house, id.clone());
        }
    }

    /// Waits for changes, at most so long; none if nothing has changed meanwhile.
    pub fn changes(&mut self, within: Option<Duration>) -> io::Result<BTreeSet<(ContainerId, Part)>> {
        let timeout = within.map_or(PollTimeout::NONE, |within| {
            // A wait that is rounded down to nothing would be no wait.
            PollTimeout::try_from(within + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX)
        });
        let mut changed = BTreeSet::new();
        match poll(&mut [PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => return Ok(changed),
            Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
        for event in self.inotify.read_events()? {
            let name = event.name.as_deref().and_then(|name| name.to_str()).unwrap_or_default();
            if Some(event.wd) == self.street {
                if let Some(id) = ContainerId::parse(name) {
                    self.watch(&id);
                    changed.insert((id, Part::Journal));
                }
            } else if let Some(id) = self.houses.get(&event.wd) {
                match name {
                    "journal" => changed.insert((id.clone(), Part::Journal)),
                    "log" => changed.insert((id.clone(), Part::Log)),
                    _ => false,
                };
            }
        }
        Ok(changed)
    }
}
