//! The simulator: a virtual clock, and processes that do what their behaviour says.
//!
//! Nothing sleeps. All that is to come lies in one schedule, ordered by when it is due and then by when it was thought of; to wait
//! is to take the first entry off and to set the clock to it. What falls due for a frozen process is kept until its thaw.

mod images;
mod layer;
mod ports;
mod process;
mod rooms;
mod schedule;

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use self::images::{Image, Shelf};
use self::layer::Layer;
use self::ports::Ports;
use self::process::{Deed, Process};
use self::schedule::{Key, Schedule, Turn};
use super::images::{ImageAnswer, ImageRequest};
use super::{HttpRequest, Interrupted, RequestError, RequestId, Response, Staged, World};
use crate::lab;
use crate::model::{
    Action, Answer, Behavior, ContainerSpec, Ending, ExecId, Exit, FIRST_ADDRESS, Failure, FileDeed,
    HeldPort, HostFacts, Id, LAB_IMAGE, Name, NetworkMode, Observation, Oom, PortBinding, Protocol,
    Resources, Signal, Timer, Within,
};

/// A simulated host.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// What goes wrong here.
    pub faults: Faults,
    facts: HostFacts,
    now: Duration,
    schedule: Schedule<(Id, Due)>,
    seen: VecDeque<(Id, Observation)>,
    names: BTreeMap<Name, Id>,
    ports: Ports,
    requests: Vec<Option<u16>>,
    containers: BTreeMap<Id, Simulation>,
    shelf: Shelf,
}

/// What goes wrong on a simulated host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// When a container is to be deleted.
    pub removal: RemovalFault,
    /// When a process is to end by a signal.
    pub kill: KillFault,
}

/// How ending a process can go wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KillFault {
    /// It does not.
    #[default]
    None,
    /// It hangs in the kernel, where no signal reaches it.
    HangsInTheKernel,
}

/// How deleting a container can go wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RemovalFault {
    /// It does not.
    #[default]
    None,
    /// Its files cannot be deleted.
    Fails,
    /// It never comes to an end.
    Hangs,
}

/// Something that falls due for a container.
#[derive(Clone, Copy, Debug)]
enum Due {
    Timer(Timer),
    /// Of the process of this run; later ones don't care.
    Deed(u32, Deed),
    /// Of a command that runs beside it.
    ExecDeed(u32, ExecId, Deed),
}

/// What the simulated host holds for one container.
#[derive(Clone, Debug)]
struct Simulation {
    name: Name,
    spec: Box<ContainerSpec>,
    run: u32,
    phase: Phase,
    execs: BTreeMap<ExecId, Process>,
    timers: BTreeMap<Timer, Key>,
    ports: Vec<HeldPort>,
    /// While it runs.
    address: Option<Ipv4Addr>,
    output: String,
    layer: Layer,
    /// The image that it was made from, if that is one of a story's own.
    image: Option<Image>,
}

impl Simulation {
    /// What its process says while it does this to its files.
    fn change_files(&mut self, deeds: &[FileDeed]) -> String {
        let image = self.image.as_ref();
        let below = |path: &Path| lab::has(path) || image.is_some_and(|image| image.has(path));
        self.layer.undergo(deeds, (&self.name, &self.spec), below)
    }

    /// What it has mounted beyond what every container has.
    fn own_mounts(&self) -> u64 {
        let init = usize::from(self.spec.init && self.spec.image != LAB_IMAGE);
        (self.spec.volumes.len() + self.spec.tmpfs.len() + init) as u64
    }
}

#[derive(Clone, Debug)]
enum Phase {
    Parked,
    Lives(Box<Process>),
    Ended,
}

impl Simulated {
    /// An empty host that can do what `facts` says.
    pub fn new(facts: HostFacts) -> Self {
        Self {
            faults: Faults::default(),
            facts,
            now: Duration::ZERO,
            schedule: Schedule::default(),
            seen: VecDeque::new(),
            names: BTreeMap::new(),
            ports: Ports::default(),
            requests: Vec::new(),
            containers: BTreeMap::new(),
            shelf: Shelf::default(),
        }
    }

    /// The same where nothing has these image names until somebody gives them.
    #[must_use]
    pub fn lacking(mut self, images: impl IntoIterator<Item = String>) -> Self {
        self.shelf.lacks(images);
        self
    }

    /// The same with the images of a real host, of which it knows the names alone.
    #[must_use]
    pub fn holding(mut self, images: impl IntoIterator<Item = String>) -> Self {
        self.shelf.holds(images);
        self
    }

    fn see(&mut self, id: Id, observation: Observation) {
        self.seen.push_back((id, observation));
    }

    fn claim(&mut self, id: Id, name: &Name) {
        let owner = *self.names.entry(name.clone()).or_insert(id);
        self.see(id, if owner == id { Observation::NameGranted } else { Observation::NameDenied });
    }

    fn prepare(&mut self, id: Id, name: &Name, spec: &ContainerSpec, run: u32) {
        let container = self.containers.entry(id).or_insert_with(|| Simulation {
            name: name.clone(),
            spec: Box::new(spec.clone()),
            run,
            phase: Phase::Parked,
            execs: BTreeMap::new(),
            timers: BTreeMap::new(),
            ports: Vec::new(),
            address: None,
            output: String::new(),
            layer: Layer::default(),
            image: self.shelf.find(&spec.image),
        });
        if *container.spec != *spec {
            spec.clone_into(&mut container.spec);
        }
        container.name = name.clone();
        container.run = run;
        container.phase = Phase::Parked;
        let seen = match &spec.network {
            NetworkMode::Container(other) if !self.runs(other) => {
                Observation::PrepareFailed(cannot_join(other))
            }
            _ => Observation::Prepared,
        };
        self.see(id, seen);
    }

    /// A parked process that somebody has killed executes nothing; its end has been told.
    fn execute(&mut self, id: Id) {
        let address = self.free_address();
        let Some(container) = self.containers.get(&id) else { return };
        let Phase::Parked = container.phase else { return };
        let program = program(&container.spec, container.run);
        let forestalled = program.as_ref().is_ok_and(|behavior| self.is_forestalled(id, behavior));
        let Some(container) = self.containers.get_mut(&id) else { return };
        match program {
            Ok(behavior) => {
                let behavior = if forestalled { gives_up() } else { behavior };
                let files = container.change_files(&behavior.files);
                let (process, agenda) = Process::begin(behavior, &container.spec, self.now);
                container.output.push_str(&(process.output() + &files));
                container.phase = Phase::Lives(Box::new(process));
                container.address = (container.spec.network == NetworkMode::Bridge).then_some(address);
                self.see(id, Observation::Executed);
                self.with_process(id, |_, _| agenda);
            }
            Err(failure) => {
                container.phase = Phase::Ended;
                self.see(id, Observation::ExecuteFailed(failure));
            }
        }
    }

    /// The lowest that nobody has, as Docker does it.
    fn free_address(&self) -> Ipv4Addr {
        let taken: Vec<Ipv4Addr> =
            self.containers.values().filter_map(|container| container.address).collect();
        let mut all = (0..).map(|nth| Ipv4Addr::from_bits(FIRST_ADDRESS.to_bits() + nth));
        all.find(|address| !taken.contains(address)).expect("there are more addresses than containers")
    }

    fn runs(&self, name: &Name) -> bool {
        let owner = self.names.get(name).and_then(|id| self.containers.get(id));
        owner.is_some_and(|other| matches!(other.phase, Phase::Lives(_)))
    }

    /// Who lives in the host's network has one namespace less of its own.
    fn namespaces(&self, spec: &ContainerSpec) -> u64 {
        self.facts.namespaces - u64::from(spec.network == NetworkMode::Host)
    }

    /// Notes what a process of a container will do, and after which time each.
    fn plan(&mut self, id: Id, agenda: Vec<(Duration, Deed)>, due: impl Fn(Deed) -> Due) {
        for (after, deed) in agenda {
            self.schedule.add(self.now.saturating_add(after), Turn::Process, (id, due(deed)));
        }
    }

    /// Lets a container's process take something in, and notes what comes of it.
    fn with_process(
        &mut self,
        id: Id,
        take_in: impl FnOnce(&mut Process, Duration) -> Vec<(Duration, Deed)>,
    ) {
        let Some(container) = self.containers.get_mut(&id) else { return };
        let Phase::Lives(process) = &mut container.phase else { return };
        let agenda = take_in(process, self.now);
        let run = container.run;
        if let Some(ending) = process.ended() {
            container.phase = Phase::Ended;
            container.execs.clear();
            return self.see(id, Observation::Ended(ending));
        }
        if process.take_oom() == Oom::Struck {
            self.see(id, Observation::Within(Within::OutOfMemory));
        }
        self.plan(id, agenda, |deed| Due::Deed(run, deed));
    }

    fn exec(&mut self, id: Id, exec: ExecId, command: &[String]) {
        let Some(container) = self.containers.get_mut(&id) else { return };
        let known = lab::conduct(command, &Behavior::default());
        let behavior = match (known, lab::acts_out(&container.spec)) {
            (Some(behavior), _) => behavior,
            // Nobody has said what another image's command does: it succeeds.
            (None, false) => {
                Behavior { exits: Some(Exit { after: Duration::ZERO, code: 0 }), ..Behavior::default() }
            }
            (None, true) => {
                let failure = not_found(command.first().map_or("", String::as_str), EXEC_NOT_FOUND);
                return self.see(id, Observation::Within(Within::ExecFailed(exec, failure)));
            }
        };
        let beside = ContainerSpec { init: true, ..(*container.spec).clone() };
        let (process, agenda) = Process::begin(behavior, &beside, self.now);
        container.output.push_str(&process.output());
        container.execs.insert(exec, process);
        let run = container.run;
        self.see(id, Observation::Within(Within::ExecBegan(exec)));
        self.plan(id, agenda, |deed| Due::ExecDeed(run, exec, deed));
    }

    fn with_exec(&mut self, id: Id, exec: ExecId, deed: Deed) {
        let Some(container) = self.containers.get_mut(&id) else { return };
        let Some(process) = container.execs.get_mut(&exec) else { return };
        let agenda = process.act(deed, self.now);
        let run = container.run;
        if let Some(ending) = process.ended() {
            container.execs.remove(&exec);
            return self.see(id, Observation::Within(Within::ExecEnded(exec, ending.code)));
        }
        self.plan(id, agenda, |deed| Due::ExecDeed(run, exec, deed));
    }

    /// The freezer holds every process of a container.
    fn move_execs(&mut self, id: Id, how: fn(&mut Process, Duration) -> Vec<(Duration, Deed)>) {
        let Some(container) = self.containers.get_mut(&id) else { return };
        let (run, now) = (container.run, self.now);
        let agendas: Vec<_> =
            container.execs.iter_mut().map(|(exec, process)| (*exec, how(process, now))).collect();
        for (exec, agenda) in agendas {
            self.plan(id, agenda, |deed| Due::ExecDeed(run, exec, deed));
        }
    }

    fn claim_ports(&mut self, id: Id, wanted: &[PortBinding]) {
        let seen = match self.ports.claim(id, wanted) {
            Ok(held) => {
                if let Some(container) = self.containers.get_mut(&id) {
                    container.ports.clone_from(&held);
                }
                Observation::PortsGranted(held)
            }
            Err(failure) => Observation::PortsDenied(failure),
        };
        self.see(id, seen);
    }

    /// A check that does not answer is left to its timeout.
    fn probe(&mut self, id: Id) {
        let Some(container) = self.containers.get(&id) else { return };
        let Phase::Lives(process) = &container.phase else { return };
        let answer = process.health(self.now).or_else(|| {
            let test = container.spec.health.as_ref().map(|check| check.test.as_slice()).unwrap_or_default();
            let exits =
                lab::conduct(lab::without_form(test), &Behavior::default()).map(|behavior| behavior.exits);
            match exits {
                Some(Some(exit)) if exit.after.is_zero() => {
                    Some(if exit.code == 0 { Answer::Good } else { Answer::Bad })
                }
                Some(_) => None,
                None => Some(Answer::Bad),
            }
        });
        if let Some(answer) = answer {
            self.see(id, Observation::Within(Within::Probed(answer)));
        }
    }

    fn signal(&mut self, id: Id, signal: Signal) {
        if self.faults.kill == KillFault::HangsInTheKernel {
            return;
        }
        let Some(container) = self.containers.get_mut(&id) else { return };
        match container.phase {
            Phase::Parked if signal == Signal::KILL => {
                container.phase = Phase::Ended;
                let code = signal.exit_code();
                self.see(id, Observation::Ended(Ending { code, oom: Oom::None }));
            }
            Phase::Parked | Phase::Ended => {}
            Phase::Lives(_) => {
                let freezer = self.facts.freezer;
                self.with_process(id, |process, now| process.receive(signal, freezer, now));
            }
        }
    }

    fn arm(&mut self, id: Id, timer: Timer, after: Duration) {
        let Some(container) = self.containers.get_mut(&id) else { return };
        let key = self.schedule.add(self.now.saturating_add(after), Turn::Timer, (id, Due::Timer(timer)));
        if let Some(armed_before) = container.timers.insert(timer, key) {
            self.schedule.cancel(armed_before);
        }
    }

    fn cancel(&mut self, id: Id, timer: Timer) {
        if let Some(key) = self.containers.get_mut(&id).and_then(|container| container.timers.remove(&timer))
        {
            self.schedule.cancel(key);
        }
    }

    fn remove(&mut self, id: Id) {
        match self.faults.removal {
            RemovalFault::None => {}
            RemovalFault::Fails => {
                let message = "cannot delete its files: operation not permitted (see what holds them, and remove it again)";
                return self.see(id, Observation::RemoveFailed(message.into()));
            }
            RemovalFault::Hangs => return,
        }
        if let Some(container) = self.containers.remove(&id) {
            for key in container.timers.into_values() {
                self.schedule.cancel(key);
            }
        }
        self.see(id, Observation::Removed);
    }

    fn discard(&mut self, id: Id) {
        self.ports.release(id);
        if let Some(container) = self.containers.get_mut(&id) {
            container.phase = Phase::Ended;
            container.execs.clear();
            container.ports.clear();
            container.address = None;
        }
    }

    fn happen(&mut self, id: Id, due: Due) {
        match due {
            Due::Timer(timer) => {
                if let Some(container) = self.containers.get_mut(&id) {
                    container.timers.remove(&timer);
                    self.see(id, Observation::Fired(timer));
                }
            }
            Due::ExecDeed(run, exec, deed) => {
                if self.containers.get(&id).is_some_and(|container| container.run == run) {
                    self.with_exec(id, exec, deed);
                }
            }
            Due::Deed(run, deed) => {
                if self.containers.get(&id).is_some_and(|container| container.run == run) {
                    self.with_process(id, |process, now| process.act(deed, now));
                }
            }
        }
    }
}

impl World for Simulated {
    fn facts(&self) -> HostFacts {
        self.facts
    }

    fn now(&self) -> Duration {
        self.now
    }

    fn perform(&mut self, id: Id, action: &Action) {
        match action {
            Action::ClaimName(name) => self.claim(id, name),
            Action::ReleaseName(name) => {
                if self.names.get(name) == Some(&id) {
                    self.names.remove(name);
                }
            }
            Action::Prepare { spec, name, run } => self.prepare(id, name, spec, *run),
            Action::ClaimPorts(wanted) => self.claim_ports(id, wanted),
            Action::Execute => self.execute(id),
            Action::Exec { exec, spec } => self.exec(id, *exec, &spec.command),
            Action::Probe => self.probe(id),
            Action::StopProbe => {}
            Action::Limit(limits) => {
                let limits = *limits;
                self.with_process(id, |process, now| process.limit(limits, now));
            }
            Action::Signal(signal) => self.signal(id, *signal),
            Action::Freeze => {
                self.with_process(id, Process::freeze);
                self.move_execs(id, Process::freeze);
                self.see(id, Observation::Frozen);
            }
            Action::Thaw => {
                self.see(id, Observation::Thawed);
                self.with_process(id, Process::thaw);
                self.move_execs(id, Process::thaw);
            }
            Action::Arm(timer, after) => self.arm(id, *timer, *after),
            Action::Cancel(timer) => self.cancel(id, *timer),
            Action::Discard => self.discard(id),
            Action::Remove => self.remove(id),
        }
    }

    fn next(&mut self, deadline: Duration) -> Result<Option<(Id, Observation)>, Interrupted> {
        loop {
            if let Some(seen) = self.seen.pop_front() {
                return Ok(Some(seen));
            }
            let Some((at, (id, due))) = self.schedule.take_due(deadline) else {
                self.now = self.now.max(deadline);
                return Ok(None);
            };
            self.now = self.now.max(at);
            self.happen(id, due);
        }
    }

    fn strike(&mut self, id: Id, signal: Signal) {
        self.signal(id, signal);
    }

    fn lose_keeper(&mut self, id: Id) {
        self.discard(id);
        self.seen.retain(|(of, _)| *of != id);
        let timers = self.containers.get(&id).map(|container| container.timers.keys().copied());
        let lost: Vec<Timer> =
            timers.into_iter().flatten().filter(|timer| *timer != Timer::BackOff).collect();
        for timer in lost {
            self.cancel(id, timer);
        }
    }

    fn reboot(&mut self) -> Staged {
        self.schedule = Schedule::default();
        self.seen.clear();
        self.ports = Ports::default();
        for container in self.containers.values_mut() {
            container.phase = Phase::Ended;
            container.execs.clear();
            container.timers.clear();
            container.ports.clear();
            container.address = None;
        }
        Staged::Yes
    }

    fn request(&mut self, request: &HttpRequest) -> RequestId {
        self.requests.push(request.port());
        RequestId(u32::try_from(self.requests.len() - 1).unwrap_or(u32::MAX))
    }

    /// A process that cannot move lets its clients wait: the kernel has taken the connection in.
    fn response(&mut self, id: RequestId) -> Option<Result<Response, RequestError>> {
        let port = self.requests.get(id.0 as usize).copied().flatten();
        let owner = port.and_then(|port| {
            let published = self.ports.owner(port, Protocol::Tcp);
            published.or_else(|| Some((self.listener_on_the_host(port)?, port)))
        });
        let Some((owner, inside)) = owner else { return Some(Err(RequestError::Refused)) };
        let container = self.containers.get(&owner)?;
        let Phase::Lives(process) = &container.phase else { return Some(Err(RequestError::Reset)) };
        Some(if process.listens(inside)? {
            Ok(Response { status: 200, body: format!("{}:{inside}\n", container.name) })
        } else {
            Err(RequestError::Reset)
        })
    }

    fn images(&self) -> Vec<String> {
        self.shelf.names()
    }

    fn ask_for_image(&mut self, request: &ImageRequest) -> RequestId {
        let containers = &self.containers;
        let used = |image: &Image| {
            let uses = |container: &&Simulation| container.image.as_ref() == Some(image);
            containers.values().find(uses).map(|container| container.name.clone())
        };
        RequestId(self.shelf.ask(request, &used))
    }

    fn image_answer(&mut self, id: RequestId) -> Option<ImageAnswer> {
        self.shelf.answer_to(id.0)
    }

    fn resolve(&self, wish: &ContainerSpec) -> Result<ContainerSpec, String> {
        self.shelf.resolve(wish)
    }

    fn resources(&mut self, id: Id) -> Resources {
        let Some(container) = self.containers.get(&id) else { return Resources::zero() };
        let ports = container.ports.iter().map(ToString::to_string).collect();
        match &container.phase {
            Phase::Ended => Resources { ports, ..Resources::zero() },
            Phase::Parked => Resources {
                processes: Some(1),
                ports,
                memory_bytes: Some(lab::PARKED_MEMORY),
                namespaces: Some(self.namespaces(&container.spec)),
                mounts: Some(self.facts.mounts + container.own_mounts()),
                ..Resources::zero()
            },
            Phase::Lives(process) => {
                let all = || container.execs.values().chain([&**process]);
                let cpu = all()
                    .map(|process| process.cpu_time(self.now))
                    .fold(Duration::ZERO, Duration::saturating_add);
                Resources {
                    processes: Some(process.count() + container.execs.len() as u64),
                    cpu_seconds: Some(cpu.as_secs_f64()),
                    memory_bytes: Some(all().map(Process::memory).fold(0, u64::saturating_add)),
                    namespaces: Some(self.namespaces(&container.spec)),
                    mounts: Some(self.facts.mounts + container.own_mounts()),
                    ports,
                    address: container.address.map(|address| address.to_string()),
                    ..Resources::zero()
                }
            }
        }
    }

    fn output(&mut self, id: Id) -> String {
        self.containers.get(&id).map(|container| container.output.clone()).unwrap_or_default()
    }

    fn left_behind(&mut self) -> Vec<String> {
        self.names.keys().map(|name| format!("container {name}")).collect()
    }
}

/// What a container's process does in this run: what its behaviour says; where that says nothing, what its command does.
fn program(spec: &ContainerSpec, run: u32) -> Result<Behavior, Failure> {
    let told = spec.behavior.of_run(usize::try_from(run).unwrap_or(usize::MAX)).clone();
    let argv = [spec.entrypoint.as_deref(), spec.command.as_deref()].into_iter().flatten().flatten();
    let argv: Vec<String> = argv.cloned().collect();
    if !lab::acts_out(spec) || argv.is_empty() {
        return Ok(told);
    }
    match lab::conduct(&argv, &told) {
        Some(done) if spec.behavior == Behavior::default() => Ok(done),
        Some(_) => Ok(told),
        None => Err(not_found(&argv[0], START_NOT_FOUND)),
    }
}

/// What a server does whose port somebody else has: it says so and leaves.
fn gives_up() -> Behavior {
    Behavior { exits: Some(Exit { after: Duration::ZERO, code: 1 }), ..Behavior::default() }
}

/// What a start leaves whose command does not exist, and what `docker exec` says of one.
const START_NOT_FOUND: i32 = 127;
const EXEC_NOT_FOUND: i32 = 126;

fn cannot_join(name: &Name) -> Failure {
    let message = format!(
        "cannot join network of a non running container: {name} (start it first: terrarium start {name})"
    );
    Failure { code: None, message }
}

fn not_found(command: &str, code: i32) -> Failure {
    let message = format!(
        "cannot execute {command}: there is no such command in the lab image (it has: {})",
        lab::COMMANDS.join(", ")
    );
    Failure { code: Some(code), message }
}
