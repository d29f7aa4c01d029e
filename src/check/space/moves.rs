//! What can happen to a container and its world: the edges of the graph.

use std::fmt;
use std::time::Duration;

use crate::model::{
    ContainerSpec, ExecSpec, Limits, Oom, Removal, RestartPolicy, Signal, StopTimeout, Timer, Verb,
};

/// An edge of the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    Ask(Request),
    Well(Owed),
    Badly(Owed),
    Fire(Timer),
    End(i32, Oom),
    ChildOom,
    GuestEnds,
    Keeper,
    Reboot,
}

/// What the world has been told to do and has not done yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Owed {
    Name,
    Ports,
    Process,
    Program,
    Freeze,
    Thaw,
    Deletion,
    Exec,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Create,
    Start,
    Pause,
    Unpause,
    Stop,
    StopNow,
    StopPatiently,
    Restart,
    Kill,
    Signal,
    Remove,
    ForceRemove,
    Update,
    Exec,
    Wait,
}

/// All that can be asked of one that is there.
pub(super) const REQUESTS: [Request; 14] = [
    Request::Start,
    Request::Pause,
    Request::Unpause,
    Request::Stop,
    Request::StopNow,
    Request::StopPatiently,
    Request::Restart,
    Request::Kill,
    Request::Signal,
    Request::Remove,
    Request::ForceRemove,
    Request::Update,
    Request::Exec,
    Request::Wait,
];

/// What an edge means to who stands beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Somebody asks.
    Asked,
    /// The world acts.
    World,
    /// The port is given.
    PortGiven,
    /// Something breaks down.
    Lost,
    /// The host goes down, for everybody.
    Host,
}

impl Kind {
    pub(super) const fn is_of_the_world(self) -> bool {
        matches!(self, Self::World | Self::PortGiven)
    }

    /// Whether it can happen while somebody else holds the port, or nobody does.
    pub(super) const fn is_open(self, held: bool) -> bool {
        !matches!(self, Self::PortGiven) || !held
    }
}

impl Move {
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Ask(_) => Kind::Asked,
            Self::Well(Owed::Ports) => Kind::PortGiven,
            Self::Well(_)
            | Self::Badly(_)
            | Self::Fire(_)
            | Self::End(..)
            | Self::ChildOom
            | Self::GuestEnds => Kind::World,
            Self::Keeper => Kind::Lost,
            Self::Reboot => Kind::Host,
        }
    }
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask(request) => write!(f, "somebody asks: {request:?}"),
            Self::Well(owed) => write!(f, "the world does what it was told: {owed:?}"),
            Self::Badly(owed) => write!(f, "the world fails in what it was told: {owed:?}"),
            Self::Fire(timer) => write!(f, "a timer runs out: {timer:?}"),
            Self::End(code, Oom::None) => write!(f, "the process ends with {code}"),
            Self::End(code, Oom::Struck) => write!(f, "the process ends with {code}, for want of memory"),
            Self::ChildOom => f.write_str("a child process is killed for want of memory"),
            Self::GuestEnds => f.write_str("a command inside ends"),
            Self::Keeper => f.write_str("the keeper is killed"),
            Self::Reboot => f.write_str("the host goes down and comes up again"),
        }
    }
}

impl Request {
    pub(super) fn verb(self, spec: &ContainerSpec) -> Verb {
        match self {
            Self::Create => Verb::Create(Box::new(spec.clone())),
            Self::Start => Verb::Start,
            Self::Pause => Verb::Pause,
            Self::Unpause => Verb::Unpause,
            Self::Stop => Verb::Stop { timeout: None, signal: None },
            Self::StopNow => Verb::Stop { timeout: Some(StopTimeout::After(Duration::ZERO)), signal: None },
            Self::StopPatiently => Verb::Stop { timeout: Some(StopTimeout::Never), signal: None },
            Self::Restart => Verb::Restart { timeout: None, signal: None },
            Self::Kill => Verb::Kill { signal: Signal::KILL },
            Self::Signal => Verb::Kill { signal: Signal::TERM },
            Self::Remove => Verb::Remove(Removal::Gentle),
            Self::ForceRemove => Verb::Remove(Removal::Forced),
            Self::Update => Verb::Update { restart: Some(RestartPolicy::No), limits: Limits::default() },
            Self::Exec => Verb::Exec(ExecSpec::of(&["true".into()])),
            Self::Wait => Verb::Wait,
        }
    }
}
