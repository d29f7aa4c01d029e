//! What comes out of the model: actions for the world, and news for people.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    ContainerSpec, ExecId, ExecSpec, Health, Id, Limits, Name, Outcome, PortBinding, Rule, Signal, State,
    Ticket, Timer,
};

/// The effects of one call, in the order in which they have to happen.
#[must_use = "an effect that nobody performs is a container that lies"]
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Effects(pub Vec<Effect>);

/// One effect.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Effect {
    /// The world has to do this for a container.
    Act(Id, Action),
    /// A container has changed its state.
    Moved(Transition),
    /// Something happened that Docker's `events` would show.
    Emitted(Event),
    /// A command is answered.
    Reply(Ticket, Outcome),
}

/// What a world can be told to do. What comes of it is an [`Observation`](super::Observation).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Action {
    /// Make this name ours: granted or denied.
    ClaimName(Name),
    /// Give the name back.
    ReleaseName(Name),
    /// Hold these host ports for it, all or none: granted or denied.
    ClaimPorts(Vec<PortBinding>),
    /// Make namespaces, mounts and a process parked before its first instruction.
    Prepare {
        /// For this container.
        spec: Box<ContainerSpec>,
        /// Known by this name.
        name: Name,
        /// For its first (0), second (1), … run.
        run: u32,
    },
    /// Let the parked process execute its program.
    Execute,
    /// Send its PID 1 a signal.
    Signal(Signal),
    /// Freeze all its processes.
    Freeze,
    /// Thaw them.
    Thaw,
    /// Say [`Observation::Fired`](super::Observation::Fired) after so long.
    Arm(Timer, Duration),
    /// Forget that timer.
    Cancel(Timer),
    /// Run a command inside it.
    Exec {
        /// Known by this number.
        exec: ExecId,
        /// This command.
        spec: ExecSpec,
    },
    /// Ask its health check.
    Probe,
    /// Forget the probe under way.
    StopProbe,
    /// Change its limits.
    Limit(Limits),
    /// Give back all that its process held: namespaces, cgroup, ports; end what is left of it.
    Discard,
    /// Delete its writable layer and its directory.
    Remove,
}

/// One arrow of the diagram, taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Transition {
    /// Whose.
    pub container: Name,
    /// From here.
    pub from: State,
    /// To there.
    pub to: State,
    /// Because of this.
    pub rule: Rule,
}

/// An entry in what Docker's `events` shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Event {
    /// Whose.
    pub container: Name,
    /// What happened.
    pub kind: EventKind,
}

/// What happened to a container, in Docker's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventKind {
    /// It was made.
    Create,
    /// Its process was started.
    Start,
    /// It was frozen.
    Pause,
    /// It was thawed.
    Unpause,
    /// A signal was sent to it.
    Kill(Signal),
    /// The kernel killed a process of it for want of memory.
    Oom,
    /// Its process ended with this exit code.
    Die(i32),
    /// A stop was carried out.
    Stop,
    /// A restart was carried out.
    Restart,
    /// It was removed.
    Destroy,
    /// It got another name.
    Rename,
    /// Its limits or its restart policy were changed.
    Update,
    /// An image was made of it.
    Commit,
    /// A command was announced to run inside it.
    ExecCreate,
    /// That command was started.
    ExecStart,
    /// That command ended with this exit code.
    ExecDie(i32),
    /// Its health check has found something new.
    HealthStatus(Health),
}

impl EventKind {
    /// Docker's word for it.
    pub const fn action(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Kill(_) => "kill",
            Self::Oom => "oom",
            Self::Die(_) => "die",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Destroy => "destroy",
            Self::Rename => "rename",
            Self::Update => "update",
            Self::Commit => "commit",
            Self::ExecCreate => "exec_create",
            Self::ExecStart => "exec_start",
            Self::ExecDie(_) => "exec_die",
            Self::HealthStatus(_) => "health_status",
        }
    }

    /// The signal or the exit code, where the event has one.
    pub fn detail(self) -> Option<String> {
        use alloc::string::ToString;
        match self {
            Self::Kill(signal) => Some(signal.to_string()),
            Self::Die(code) | Self::ExecDie(code) => Some(code.to_string()),
            Self::HealthStatus(health) => Some(health.word().into()),
            Self::Create
            | Self::Start
            | Self::Pause
            | Self::Unpause
            | Self::Oom
            | Self::Stop
            | Self::Restart
            | Self::Destroy
            | Self::Rename
            | Self::Update
            | Self::Commit
            | Self::ExecCreate
            | Self::ExecStart => None,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.detail() {
            Some(detail) => write!(f, "{} {detail}", self.action()),
            None => f.write_str(self.action()),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.container, self.kind)
    }
}
