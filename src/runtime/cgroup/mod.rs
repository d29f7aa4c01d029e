//! Cgroups: where a host has them, and one container's place in them.
//!
//! A container needs little of them: to be frozen, to be killed whole, to be counted, to be limited. The unified hierarchy
//! (v2) can do all of it and is preferred wherever it is mounted, also beside v1 controllers; then come v1's freezer and
//! cpuacct; then nothing, and signals and /proc have to do. That is the container's home.
//!
//! A controller that limits may be in a v1 hierarchy although the home is in the unified one. There the container has a
//! directory more, beside its home, which is made only when that limit is asked for.

mod controller;
mod directory;
mod home;
mod host;
mod limit;
mod oom;
mod v1;
mod v2;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::Pid;
use thiserror::Error;

use controller::Place;
use directory::{descend, make, remove};
use host::Host;
use oom::OomKills;

pub use controller::{Controller, Lack};
pub use directory::CgroupError;
pub(super) use home::Home;
pub(super) use limit::{CPU_PERIOD, Limit};
pub use limit::{LimitError, Limits, Swap};

/// The host's cgroups, as far as this process may use them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cgroups {
    layout: Layout,
    places: BTreeMap<Controller, Result<Place, Lack>>,
    unified_mounted: Mounted,
}

/// How processes are frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freezer {
    /// `cgroup.freeze`: a SIGKILL still ends a frozen process.
    CgroupV2,
    /// The v1 freezer: nothing reaches a frozen process until it is thawed.
    CgroupV1,
    /// SIGSTOP to every process.
    Signals,
}

/// This host does not have what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "this host has no freezer of the kind {0:?} that this process may use (use Cgroups::detect for what there is)"
)]
pub struct NoSuchFreezer(pub Freezer);

/// Where containers' directories go.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Layout {
    V2 { base: PathBuf },
    V1 { freezer: PathBuf, cpuacct: Option<PathBuf> },
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mounted {
    Yes,
    No,
}

/// One container's cgroups: its home, and beside it the directories of limits.
#[derive(Debug)]
pub(super) struct Cgroup {
    pub(super) home: Home,
    host: Cgroups,
    /// Relative, and the same in every hierarchy.
    path: PathBuf,
    beside: Vec<PathBuf>,
    /// From the first memory limit on.
    oom_kills: Option<OomKills>,
}

impl Cgroups {
    /// Looks at what is mounted and what this process may write.
    pub fn detect() -> Self {
        let host = Host::read();
        let layout = host.v2().or_else(|| host.v1()).unwrap_or(Layout::None);
        Self::of(&host, layout)
    }

    /// Takes one kind of freezer even where there is a better one; for tests, and to show the difference.
    pub fn with(freezer: Freezer) -> Result<Self, NoSuchFreezer> {
        let host = Host::read();
        let layout = match freezer {
            Freezer::CgroupV2 => host.v2(),
            Freezer::CgroupV1 => host.v1(),
            Freezer::Signals => Some(Layout::None),
        };
        layout.map(|layout| Self::of(&host, layout)).ok_or(NoSuchFreezer(freezer))
    }

    /// How containers are frozen here.
    pub fn freezer(&self) -> Freezer {
        match self.layout {
            Layout::V2 { .. } => Freezer::CgroupV2,
            Layout::V1 { .. } => Freezer::CgroupV1,
            Layout::None => Freezer::Signals,
        }
    }

    /// What containers can be limited with here.
    pub fn can_limit(&self) -> BTreeSet<Controller> {
        self.places.iter().filter(|(_, place)| place.is_ok()).map(|(controller, _)| *controller).collect()
    }

    /// What they cannot be limited with, and why.
    pub fn lacks(&self) -> Vec<(Controller, Lack)> {
        Controller::ALL.iter().filter_map(|controller| Some((*controller, self.lack(*controller)?))).collect()
    }

    /// Why they cannot be limited with this one; nothing if they can.
    pub fn lack(&self, controller: Controller) -> Option<Lack> {
        self.found(controller).err()
    }

    /// Which hierarchies this host has, in a word or two.
    pub fn layout(&self) -> &'static str {
        match (
            self.unified_mounted,
            self.places.values().flatten().any(|place| matches!(place, Place::V1(_))),
        ) {
            (Mounted::Yes, false) => "unified",
            (Mounted::Yes, true) => "unified, with controllers in v1",
            (Mounted::No, true) => "v1 alone",
            (Mounted::No, false) => "none that this process may use",
        }
    }

    /// Ends whatever a dead run has left in the cgroups at `path` (relative, as in `CreateOptions`), thaws it first, and
    /// removes them with all beneath them. Fine if there is nothing.
    pub fn clear(&self, path: &Path) -> Result<(), CgroupError> {
        let mut every = Vec::new();
        for directory in self.directories(path) {
            if directory.exists() {
                every.extend(descend(&directory)?);
            }
        }
        // What is frozen in one hierarchy leaves the others only when it has been thawed: end all first.
        every.iter().rev().try_for_each(|cgroup| end(cgroup))?;
        every.iter().rev().try_for_each(|cgroup| remove(cgroup))
    }

    /// The cgroups that there are beneath `path` (relative, as in `CreateOptions`).
    pub fn remains(&self, path: &Path) -> Vec<PathBuf> {
        let every = self.directories(path).into_iter().filter_map(|directory| descend(&directory).ok());
        every.flat_map(|cgroups| cgroups.into_iter().skip(1)).collect()
    }

    /// Whether this host can enforce all of these.
    pub(super) fn check(&self, limits: &[Limit]) -> Result<(), LimitError> {
        limits.iter().try_for_each(|limit| self.place(limit.controller()).map(drop))
    }

    /// Makes the container's home.
    pub(super) fn create(&self, path: &Path) -> Result<Cgroup, CgroupError> {
        let home = Home::make(&self.layout, path)?;
        let (host, path) = (self.clone(), path.to_path_buf());
        Ok(Cgroup { home, host, path, beside: Vec::new(), oom_kills: None })
    }

    /// Whether a container can be shown the unified hierarchy.
    pub(super) fn has_unified_hierarchy(&self) -> bool {
        self.unified_mounted == Mounted::Yes
    }

    /// Whether the parent has to attach the child after the clone.
    pub(super) fn attaches_afterwards(&self, limits: &[Limit]) -> bool {
        let beside = |limit: &Limit| matches!(self.place(limit.controller()), Ok(Place::V1(_)));
        matches!(self.layout, Layout::V1 { .. }) || limits.iter().any(beside)
    }

    fn of(host: &Host, layout: Layout) -> Self {
        let places = Controller::ALL.map(|controller| (controller, host.place(controller, &layout)));
        Self { layout, places: places.into(), unified_mounted: host.unified_mounted() }
    }

    fn place(&self, controller: Controller) -> Result<&Place, LimitError> {
        self.found(controller).map_err(|lack| LimitError::Lack { controller, lack })
    }

    fn found(&self, controller: Controller) -> Result<&Place, Lack> {
        self.places.get(&controller).map_or(Err(Lack::Missing), |place| place.as_ref().map_err(|lack| *lack))
    }

    /// Wherever a container's cgroups may be.
    fn directories(&self, path: &Path) -> BTreeSet<PathBuf> {
        let home: Vec<&PathBuf> = match &self.layout {
            Layout::V2 { base } => vec![base],
            Layout::V1 { freezer, cpuacct } => {
                [Some(freezer), cpuacct.as_ref()].into_iter().flatten().collect()
            }
            Layout::None => Vec::new(),
        };
        let limits = self.places.values().flatten().map(|(Place::Unified(base) | Place::V1(base))| base);
        home.into_iter().chain(limits).map(|base| base.join(path)).collect()
    }
}

impl Cgroup {
    /// What the clone goes straight into.
    pub(super) fn clone_target(&self) -> Option<BorrowedFd<'_>> {
        self.home.clone_target()
    }

    /// All attachments back to back: the first write may wait for milliseconds, those right after it do not.
    pub(super) fn attach(&self, pid: Pid) -> Result<(), CgroupError> {
        let home = self.home.attached();
        home.iter().chain(&self.beside).try_for_each(|path| directory::join(path, pid))
    }

    /// Sets limits, one after the other. `processes` are those in a home. Finds out first whether the host can.
    pub(super) fn limit(
        &mut self,
        limits: &[Limit],
        processes: impl Fn(&Home) -> Vec<Pid>,
    ) -> Result<(), LimitError> {
        self.host.check(limits)?;
        limits.iter().try_for_each(|limit| self.set(*limit, &processes))
    }

    /// How often the kernel has killed one of its processes because its memory was at its limit.
    pub(super) fn oom_kills(&self) -> u64 {
        self.oom_kills.as_ref().map_or(0, OomKills::count)
    }

    pub(super) fn oom_event_fd(&self) -> Option<BorrowedFd<'_>> {
        self.oom_kills.as_ref().map(OomKills::event_fd)
    }

    pub(super) fn cpu_time(&self) -> Option<Duration> {
        self.home.cpu_time()
    }

    /// Removes the container's directories, and nothing else; the second time it does nothing.
    pub(super) fn remove(&mut self) -> Result<(), CgroupError> {
        let home = std::mem::replace(&mut self.home, Home::None).remove();
        let beside = std::mem::take(&mut self.beside);
        home.and(beside.iter().try_for_each(|path| remove(path)))
    }

    fn set(&mut self, limit: Limit, processes: impl Fn(&Home) -> Vec<Pid>) -> Result<(), LimitError> {
        let controller = limit.controller();
        match self.host.place(controller)?.clone() {
            Place::V1(base) => {
                let directory = base.join(&self.path);
                if !self.home.attached().contains(&directory) && !self.beside.contains(&directory) {
                    self.add(&directory, controller, processes)?;
                }
                self.count_oom_kills(controller, &directory, OomKills::of_v1)?;
                limit.write_v1(&directory)
            }
            Place::Unified(base) => {
                let directory = base.join(&self.path);
                controller::hand_on(&base, &self.path, controller)?;
                self.count_oom_kills(controller, &directory, OomKills::of_v2)?;
                limit.write_v2(&directory)
            }
        }
    }

    /// Makes a directory beside the home and moves all processes in.
    fn add(
        &mut self,
        directory: &Path,
        controller: Controller,
        processes: impl Fn(&Home) -> Vec<Pid>,
    ) -> Result<(), LimitError> {
        if controller == Controller::Memory && !processes(&self.home).is_empty() {
            return Err(LimitError::TooLate);
        }
        make(directory)?;
        self.beside.push(directory.to_path_buf());
        Ok(gather(directory, || processes(&self.home))?)
    }

    fn count_oom_kills(
        &mut self,
        controller: Controller,
        directory: &Path,
        open: impl Fn(&Path) -> io::Result<OomKills>,
    ) -> Result<(), CgroupError> {
        if controller == Controller::Memory && self.oom_kills.is_none() {
            let path = || directory.to_path_buf();
            let failed = |source| CgroupError { action: "watch for OOM kills in", path: path(), source };
            self.oom_kills = Some(open(directory).map_err(failed)?);
        }
        Ok(())
    }
}

/// Moves all processes; what they fork meanwhile is found by looking again.
fn gather(directory: &Path, processes: impl Fn() -> Vec<Pid>) -> Result<(), CgroupError> {
    loop {
        let inside = directory::processes(directory);
        let outside: Vec<Pid> = processes().into_iter().filter(|pid| !inside.contains(pid)).collect();
        if outside.is_empty() {
            return Ok(());
        }
        outside.into_iter().try_for_each(|pid| directory::join_if_there(directory, pid))?;
    }
}

/// Ends what is in a cgroup that is nobody's any more.
fn end(cgroup: &Path) -> Result<(), CgroupError> {
    if cgroup.join("cgroup.kill").exists() { v2::end(cgroup) } else { v1::end(cgroup) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_without_cgroups_stops_by_signal_and_limits_nothing() {
        let cgroups = Cgroups { layout: Layout::None, places: BTreeMap::new(), unified_mounted: Mounted::No };
        assert_eq!(cgroups.freezer(), Freezer::Signals);
        assert!(cgroups.can_limit().is_empty());
        assert!(matches!(cgroups.create(Path::new("x")).unwrap().home, Home::None));
        let error = cgroups.check(&[Limit::Pids(Some(5))]).unwrap_err();
        assert!(error.to_string().starts_with("cannot limit the number of processes: no cgroup hierarchy"));
    }
}
