//! The kernel: real namespaces, one event loop, nothing that wakes up at rest.
//!
//! Every container here is a child of this process and dies with it. What a container needs on disk lies in this run's
//! own directory (`house`); what happens is told by descriptors (`watch`): a pidfd for a death, a channel for a start, the
//! cgroup's events for a freezer. Actions that are quick are done at once; the others report when they are done.

mod bundle;
mod cell;
mod guest;
mod house;
mod images;
pub mod lab_image;
mod network;
mod ports;
pub mod premises;
pub(crate) mod request;
mod rights;
mod terminal;
mod timers;
mod user;
mod volumes;
mod watch;

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use thiserror::Error;
use tracing::{debug, warn};

use self::cell::{Cell, CellError};
use self::guest::{Guest, Guests};
use self::house::House;
use self::images::Images;
use self::network::Networks;
use self::ports::Ports;
use self::premises::{Claimed, Premises};
use self::request::Clients;
use self::timers::Timers;
use self::watch::{EVERYBODY, Source, Watch};
use super::images::{ImageAnswer, ImageRequest};
use super::{HttpRequest, Interrupted, RequestError, RequestId, Response, Staged, World};
use crate::image::store::Store;
use crate::lab::image::ImageError;
use crate::model::{
    Action, ContainerSpec, Ending, Failure, Freezer, HostFacts, Id, Limits, MemorySwap, Name, Observation,
    Oom, Resources, Signal, Timer, Within,
};
use crate::network::{self as net, Etc};
use crate::runtime::{self, Cgroups, Isolation, Progress, Stdio, Swap};

pub use self::bundle::{Unlivable, check};
pub use self::house::{HouseError, RUN, clear_dead_runs, runs};
pub use self::watch::Composure;

/// How long a freezer may take before the pause is given up.
const FREEZE_DEADLINE: Duration = Duration::from_secs(5);
/// How long after a word of want of memory one looks for who was killed.
const OOM_DELAY: Duration = Duration::from_millis(20);
/// How often a freezer that notifies nobody is asked.
const FREEZE_INTERVAL: Duration = Duration::from_millis(2);

/// This host, as a place for containers.
pub struct Linux {
    began: Instant,
    facts: HostFacts,
    cgroups: Cgroups,
    isolation: Isolation,
    watch: Watch,
    timers: Timers,
    clients: Clients,
    images: Images,
    ports: Ports,
    networks: Networks,
    seen: VecDeque<(Id, Observation)>,
    // Before the cells: a container's end waits for everybody inside.
    guests: Guests,
    cells: BTreeMap<Id, Cell>,
    // Last, so that they go when nothing lives there any more.
    premises: Box<dyn Premises>,
}

/// Why containers cannot live here.
#[derive(Debug, Error)]
pub enum Obstacle {
    /// The scenario wants what this version cannot do.
    #[error(transparent)]
    Unlivable(#[from] Unlivable),
    /// No place for their files.
    #[error(transparent)]
    House(#[from] HouseError),
    /// The host does not allow containers.
    #[error("this host does not let containers be made: {0}")]
    Probe(#[from] runtime::ProbeError),
    /// A host port is somebody else's, or cannot be had.
    #[error(transparent)]
    Port(#[from] net::ClaimError),
    /// The built-in image cannot be made.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// No event loop.
    #[error("cannot begin to watch containers: {0}")]
    Watch(#[from] std::io::Error),
}

impl Linux {
    /// Finds out whether `specs` can live here, in a directory below `root` or where this user's containers usually are.
    pub fn open<'a>(
        root: Option<&Path>,
        specs: impl IntoIterator<Item = (&'a Name, &'a ContainerSpec)>,
    ) -> Result<Self, Obstacle> {
        Self::with_cgroups(root, Cgroups::detect(), specs)
    }

    /// As [`Linux::open`], with the images of a store beside the built-in one.
    pub fn with_images<'a>(
        root: Option<&Path>,
        images: Store,
        specs: impl IntoIterator<Item = (&'a Name, &'a ContainerSpec)>,
    ) -> Result<Self, Obstacle> {
        Self::in_house(root, Cgroups::detect(), Some(images), specs)
    }

    /// As [`Linux::open`], with the cgroups given: tests take a freezer that is not this host's best.
    pub fn with_cgroups<'a>(
        root: Option<&Path>,
        cgroups: Cgroups,
        specs: impl IntoIterator<Item = (&'a Name, &'a ContainerSpec)>,
    ) -> Result<Self, Obstacle> {
        Self::in_house(root, cgroups, None, specs)
    }

    fn in_house<'a>(
        root: Option<&Path>,
        cgroups: Cgroups,
        images: Option<Store>,
        specs: impl IntoIterator<Item = (&'a Name, &'a ContainerSpec)>,
    ) -> Result<Self, Obstacle> {
        let mut published = Vec::new();
        for (name, spec) in specs {
            bundle::check(name, spec, &cgroups)?;
            published.extend(spec.published().iter().cloned());
        }
        ports::try_each(&published)?;
        let house = House::open(root, &cgroups, images.clone())?;
        if isolation() == Isolation::Root
            && let Err(error) = net::clear_leftovers()
        {
            warn!(%error, "something of the network of a killed run is left");
        }
        let found = runtime::probe(isolation(), house.path(), house.probe_cgroup())?;
        crate::lab::image::assemble(&house.image()?)?;
        let (namespaces, mounts) = (found.namespaces as u64, (found.mounts + Etc::NAMES.len()) as u64);
        let facts = HostFacts { freezer: freezer_of(&cgroups), namespaces, mounts };
        let mut world = Self::on(Box::new(house), cgroups, facts)?;
        world.images = Images::new(images)?;
        world.watch.add(EVERYBODY, Source::Images, world.images.descriptor());
        Ok(world)
    }

    /// A place for containers that `premises` keeps, on a host that is known already.
    pub fn on(premises: Box<dyn Premises>, cgroups: Cgroups, facts: HostFacts) -> std::io::Result<Self> {
        let (mut watch, clients) = (Watch::new()?, Clients::new()?);
        watch.add(EVERYBODY, Source::Requests, clients.descriptor());
        Ok(Self {
            began: Instant::now(),
            facts,
            cgroups,
            isolation: isolation(),
            watch,
            timers: Timers::default(),
            clients,
            images: Images::new(None)?,
            ports: Ports::default(),
            networks: Networks::default(),
            seen: VecDeque::new(),
            guests: Guests::new(),
            cells: BTreeMap::new(),
            premises,
        })
    }

    /// Becomes readable when [`World::next`] has something to hear, timers excepted.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.watch.descriptor()
    }

    /// When the next timer is due; at once, if something has been seen already.
    pub fn next_due(&self) -> Option<Duration> {
        if self.seen.is_empty() { self.timers.next() } else { Some(Duration::ZERO) }
    }

    /// PID 1 of a container, as this process numbers it.
    pub fn pid(&self, id: Id) -> Option<i32> {
        self.cells.get(&id).map(|cell| cell.container().pid().as_raw())
    }

    fn see(&mut self, id: Id, observation: Observation) {
        debug!(container = id.0, ?observation);
        self.seen.push_back((id, observation));
    }

    fn prepare(&mut self, id: Id, name: &Name, spec: &ContainerSpec, run: u32) {
        let place = match self.premises.place(id, spec) {
            Ok(place) => place,
            Err(failure) => return self.see(id, Observation::PrepareFailed(failure)),
        };
        let stdio = match self.stdio(id, spec) {
            Ok(stdio) => stdio,
            Err(error) => return self.see(id, Observation::PrepareFailed(failure(None, &error))),
        };
        let around = match self.find_network(id, name, spec, place) {
            Ok(around) => around,
            Err(error) => return self.see(id, Observation::PrepareFailed(failure(None, &error))),
        };
        match Cell::make(&around, stdio, name, spec, run, self.isolation, &self.cgroups) {
            Ok(cell) => {
                self.watch.add(id, Source::Death, cell.container().pidfd());
                if let Some(events) = cell.container().oom_event_fd() {
                    self.watch.add(id, Source::Memory, events);
                }
                if let Some(status) = cell.container().status_fd() {
                    self.watch.add(id, Source::Status, status);
                }
                self.cells.insert(id, cell);
            }
            Err(error) => self.see(id, Observation::PrepareFailed(failure(None, &error))),
        }
    }

    fn stdio(&mut self, id: Id, spec: &ContainerSpec) -> std::io::Result<Stdio> {
        let stdio = self.premises.stdio(id, spec)?;
        if !spec.streams.tty {
            return Ok(stdio);
        }
        let (master, stdio) = terminal::open()?;
        self.premises.terminal(id, None, master);
        Ok(stdio)
    }

    fn with_cell(
        &mut self,
        id: Id,
        act: impl FnOnce(&mut Cell) -> Result<(), CellError>,
    ) -> Result<(), CellError> {
        self.cells.get_mut(&id).map_or(Ok(()), act)
    }

    fn execute(&mut self, id: Id) {
        if let Err(error) = self.join_network(id) {
            return self.see(id, Observation::ExecuteFailed(failure(None, &error)));
        }
        if let Err(error) = self.open_ports(id) {
            return self.see(id, Observation::ExecuteFailed(failure(None, &error)));
        }
        if let Err(error) = self.with_cell(id, |cell| Ok(cell.container_mut().start()?)) {
            self.see(id, Observation::ExecuteFailed(failure(None, &error)));
        }
    }

    /// A signal to a process that has just ended is not an error: its death is on its way.
    fn signal(&mut self, id: Id, signal: Signal) {
        if let Err(error) = self.with_cell(id, |cell| Ok(cell.container().kill(signal.number())?)) {
            debug!(container = id.0, %signal, %error, "not delivered");
        }
    }

    fn freeze(&mut self, id: Id) {
        if let Err(error) = self.with_cell(id, |cell| Ok(cell.container_mut().pause()?)) {
            return self.see(id, Observation::FreezeFailed(failure(None, &error)));
        }
        let now = self.now();
        if let Some(cell) = self.cells.get_mut(&id) {
            cell.freezing_until = Some(now + FREEZE_DEADLINE);
            if let Some(events) = cell.container().freeze_event_fd() {
                self.watch.add(id, Source::Freezer, events);
            }
        }
        self.look_whether_frozen(id);
    }

    fn look_whether_frozen(&mut self, id: Id) {
        let now = self.now();
        let Some(cell) = self.cells.get_mut(&id) else { return };
        let Some(deadline) = cell.freezing_until else { return };
        let outcome = match cell.container().frozen() {
            Ok(true) => Observation::Frozen,
            Ok(false) if now < deadline => {
                if cell.container().freeze_event_fd().is_none() {
                    self.timers.arm(id, timers::Due::AskFreezer, now + FREEZE_INTERVAL);
                }
                return;
            }
            Ok(false) => {
                let message = format!(
                    "its processes were not frozen within {FREEZE_DEADLINE:?} (does one hang in the kernel?)"
                );
                Observation::FreezeFailed(Failure { code: None, message })
            }
            Err(error) => Observation::FreezeFailed(failure(None, &error)),
        };
        cell.freezing_until = None;
        if outcome != Observation::Frozen {
            let _ = cell.container_mut().resume();
        }
        self.watch.remove(id, Source::Freezer);
        self.see(id, outcome);
    }

    fn thaw(&mut self, id: Id) {
        self.watch.remove(id, Source::Freezer);
        let thawed = self.with_cell(id, |cell| {
            cell.freezing_until = None;
            Ok(cell.container_mut().resume()?)
        });
        self.see(
            id,
            match thawed {
                Ok(()) => Observation::Thawed,
                Err(error) => Observation::ThawFailed(failure(None, &error)),
            },
        );
    }

    fn discard(&mut self, id: Id) {
        self.close_ports(id);
        self.leave_network(id);
        if let Some(cell) = self.cells.remove(&id) {
            let _ = cell.container().kill_all();
            self.see_all_out(id);
            self.watch.forget(id);
            if let Err(error) = cell.end() {
                warn!(container = id.0, %error, "cannot give everything back");
            }
        }
    }

    fn discard_all(&mut self) {
        let ids: Vec<Id> = self.cells.keys().copied().collect();
        for id in ids {
            self.discard(id);
        }
    }

    fn remove(&mut self, id: Id) {
        self.networks.forget(id);
        self.timers.forget(id);
        let removed = self.premises.remove(id);
        self.see(
            id,
            match removed {
                Ok(()) => Observation::Removed,
                Err(failure) => Observation::RemoveFailed(failure.message),
            },
        );
    }

    /// A descriptor has something to say.
    fn hear(&mut self, id: Id, source: Source) {
        match source {
            Source::Status => self.hear_status(id),
            Source::Ready => {
                self.watch.remove(id, Source::Ready);
                if let Some(cell) = self.cells.get_mut(&id) {
                    cell.ready = None;
                    self.see(id, Observation::Executed);
                }
            }
            Source::Freezer => self.look_whether_frozen(id),
            Source::Guest(guest) => self.hear_guest(id, guest),
            Source::GuestDeath(guest) => self.hear_guest_death(id, guest),
            Source::Memory => self.hear_memory(id),
            Source::Relay => self.ports.turn(id),
            Source::Requests => self.clients.turn(),
            Source::Images => self.images.turn(),
            Source::Death => self.hear_death(id),
        }
    }

    fn hear_status(&mut self, id: Id) {
        while let Some(cell) = self.cells.get_mut(&id) {
            match cell.container_mut().progress() {
                Ok(None) => return,
                Ok(Some(Progress::Parked)) => self.see(id, Observation::Prepared),
                Ok(Some(Progress::Failed(error))) => {
                    self.watch.remove(id, Source::Status);
                    self.see(id, Observation::PrepareFailed(failure(None, &error)));
                }
                Ok(Some(Progress::Executed)) => {
                    self.watch.remove(id, Source::Status);
                    // The lab program says when it has its handlers: a signal before that would be lost.
                    match &cell.ready {
                        Some(ready) => self.watch.add(id, Source::Ready, ready.as_fd()),
                        None => self.see(id, Observation::Executed),
                    }
                }
                Ok(Some(Progress::ExecFailed(error))) => {
                    self.watch.remove(id, Source::Status);
                    let code = Some(i32::from(error.code));
                    self.see(id, Observation::ExecuteFailed(failure(code, &error)));
                }
                // Its death will be told by its pidfd.
                Ok(Some(Progress::Ended)) => return self.watch.remove(id, Source::Status),
                Err(error) => {
                    self.watch.remove(id, Source::Status);
                    return self.see(id, Observation::PrepareFailed(failure(None, &error)));
                }
            }
        }
    }

    /// A death. What the process had still to say comes first.
    fn hear_death(&mut self, id: Id) {
        self.hear_status(id);
        if self
            .cells
            .get(&id)
            .is_some_and(|cell| cell.ready.is_some() && self.watch.watches(id, Source::Ready))
        {
            self.hear(id, Source::Ready);
        }
        let Some(cell) = self.cells.get_mut(&id) else { return };
        match cell.container_mut().reap() {
            Ok(Some(status)) => {
                let code = match status {
                    runtime::ExitStatus::Exited(code) => i32::from(code),
                    runtime::ExitStatus::Signaled(signal) => 128 + signal,
                };
                let oom = if cell.new_oom_kills() { Oom::Struck } else { Oom::None };
                self.watch.forget(id);
                self.see(id, Observation::Ended(Ending { code, oom }));
            }
            Ok(None) => {}
            Err(error) => warn!(container = id.0, %error, "cannot wait for it"),
        }
    }

    fn limit(&mut self, id: Id, limits: Limits) {
        let swap = limits.memory_swap.map(|swap| match swap {
            MemorySwap::Both(both) => Swap::Bytes(both.saturating_sub(limits.memory.unwrap_or(0))),
            MemorySwap::Unlimited => Swap::Unlimited,
        });
        let Limits { memory, cpus, cpu_shares: shares, pids, .. } = limits;
        let limits = runtime::Limits { memory, swap, cpus, shares, pids };
        if let Some(cell) = self.cells.get_mut(&id)
            && let Err(error) = cell.container_mut().limit(limits)
        {
            warn!(container = id.0, %error, "cannot change its limits");
        }
    }

    /// The v1 controller tells a moment before it kills, so the count is read a moment later.
    fn hear_memory(&mut self, id: Id) {
        if let Some(cell) = self.cells.get(&id) {
            let _ = cell.container().oom_kills();
        }
        let due = self.now() + OOM_DELAY;
        self.timers.arm(id, timers::Due::AskMemory, due);
    }

    /// If it was PID 1 its death has been told by now, with the reason.
    fn look_for_oom(&mut self, id: Id) {
        if self.watch.watches(id, Source::Death) && self.cells.get_mut(&id).is_some_and(Cell::new_oom_kills) {
            self.see(id, Observation::Within(Within::OutOfMemory));
        }
    }

    fn fire(&mut self, id: Id, due: timers::Due) {
        match due {
            timers::Due::Timer(timer) => self.see(id, Observation::Fired(timer)),
            timers::Due::Arrival(guest) => self.turn_away(id, guest),
            timers::Due::AskFreezer => self.look_whether_frozen(id),
            timers::Due::AskMemory => self.look_for_oom(id),
        }
    }
}

impl World for Linux {
    fn facts(&self) -> HostFacts {
        self.facts
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn perform(&mut self, id: Id, action: &Action) {
        debug!(container = id.0, ?action);
        match action {
            Action::ClaimName(name) => {
                let claimed = self.premises.claim(id, name).unwrap_or_else(|failure| {
                    warn!(container = id.0, %failure, "cannot claim its name");
                    Claimed::Denied
                });
                let seen = match claimed {
                    Claimed::Granted => {
                        self.is_named(id, name);
                        self.images.is_named(id, name);
                        Observation::NameGranted
                    }
                    Claimed::Denied => Observation::NameDenied,
                };
                self.see(id, seen);
            }
            Action::ReleaseName(name) => self.premises.release(id, name),
            Action::Prepare { spec, name, run } => self.prepare(id, name, spec, *run),
            Action::ClaimPorts(wanted) => self.claim_ports(id, wanted),
            Action::Execute => self.execute(id),
            Action::Exec { exec, spec } => self.bring_in(id, Guest::Command(*exec), spec),
            Action::Probe => self.probe(id),
            Action::StopProbe => self.stop_probe(id),
            Action::Limit(limits) => self.limit(id, *limits),
            Action::Signal(signal) => self.signal(id, *signal),
            Action::Freeze => self.freeze(id),
            Action::Thaw => self.thaw(id),
            Action::Arm(timer, after) => {
                // Whoever asked for longer than there is time waits for ever.
                let due = self.now().saturating_add(*after);
                self.timers.arm(id, timers::Due::Timer(*timer), due);
            }
            Action::Cancel(timer) => self.timers.cancel(id, timers::Due::Timer(*timer)),
            Action::Discard => self.discard(id),
            Action::Remove => self.remove(id),
        }
    }

    fn next(&mut self, deadline: Duration) -> Result<Option<(Id, Observation)>, Interrupted> {
        loop {
            if let Some(seen) = self.seen.pop_front() {
                return Ok(Some(seen));
            }
            let now = self.now();
            if let Some((id, due)) = self.timers.take_due(now) {
                self.fire(id, due);
                continue;
            }
            let until = self.timers.next().map_or(deadline, |next| next.min(deadline));
            let heard = self.watch.wait(until.saturating_sub(now))?;
            if heard.is_empty() && self.now() >= deadline {
                return Ok(None);
            }
            let anything_else = heard.iter().any(|(id, _)| *id == EVERYBODY);
            for (id, source) in heard {
                self.hear(id, source);
            }
            if anything_else && self.seen.is_empty() {
                return Ok(None);
            }
        }
    }

    fn strike(&mut self, id: Id, signal: Signal) {
        self.signal(id, signal);
    }

    fn lose_keeper(&mut self, id: Id) {
        self.discard(id);
        self.timers.forget_all_but(id, timers::Due::Timer(Timer::BackOff));
        self.seen.retain(|(of, _)| *of != id);
    }

    /// Staged for the containers alone: their processes are killed and nobody is told. Names and files stay, as on a disk.
    fn reboot(&mut self) -> Staged {
        self.discard_all();
        self.timers = Timers::default();
        self.seen.clear();
        Staged::Yes
    }

    fn request(&mut self, request: &HttpRequest) -> RequestId {
        self.clients.ask(request)
    }

    fn response(&mut self, id: RequestId) -> Option<Result<Response, RequestError>> {
        self.clients.answer(id)
    }

    fn images(&self) -> Vec<String> {
        self.images.names()
    }

    fn ask_for_image(&mut self, request: &ImageRequest) -> RequestId {
        self.images.ask(request)
    }

    fn image_answer(&mut self, id: RequestId) -> Option<ImageAnswer> {
        self.images.answer(id)
    }

    fn resolve(&self, wish: &ContainerSpec) -> Result<ContainerSpec, String> {
        self.images.resolve(wish)
    }

    fn resources(&mut self, id: Id) -> Resources {
        let layer_bytes = self.premises.layer_bytes(id);
        match self.cells.get(&id) {
            Some(cell) => Resources {
                layer_bytes,
                ports: self.ports.shown(id),
                address: self.networks.address(id).map(|address| address.to_string()),
                ..cell.resources()
            },
            None => Resources { layer_bytes, ..Resources::zero() },
        }
    }

    fn output(&mut self, id: Id) -> String {
        self.premises.output(id)
    }

    fn left_behind(&mut self) -> Vec<String> {
        self.discard_all();
        let mut left = self.networks.close();
        left.extend(self.images.close());
        left.extend(self.premises.close(&self.cgroups));
        left
    }
}

fn isolation() -> Isolation {
    if nix::unistd::geteuid().is_root() { Isolation::Root } else { Isolation::Rootless }
}

/// The model's word for how these cgroups freeze.
pub fn freezer_of(cgroups: &Cgroups) -> Freezer {
    match cgroups.freezer() {
        runtime::Freezer::CgroupV2 => Freezer::CgroupV2,
        runtime::Freezer::CgroupV1 => Freezer::CgroupV1,
        runtime::Freezer::Signals => Freezer::Signals,
    }
}

fn failure(code: Option<i32>, error: &dyn std::fmt::Display) -> Failure {
    Failure { code, message: error.to_string() }
}
