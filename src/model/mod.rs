//! The life of a container, and of a host full of them: a pure state machine.
//!
//! Two calls are all there is. [`Host::command`] takes what a person asks, and may refuse it; [`Host::observe`] takes
//! what a world saw, which cannot be refused, because it has happened. Both return [`Effects`]: what the world is to
//! do, and what people are to be told. Nothing here knows the time: a grace period is a timer that the world arms
//! ([`Action::Arm`]) and whose running out it reports ([`Observation::Fired`]). So a life can be stepped, rewound, forked
//! and explored, and it is the same life whether a simulator or a kernel performs the effects.
//!
//! In reading order: [`State`] (the boxes), `life` (one file a box, one match arm an arrow), [`Rule`] (why), [`Host`].

mod behavior;
mod command;
mod container;
mod effect;
mod facts;
mod files;
mod health;
mod host;
mod life;
mod lookup;
mod name;
mod observation;
mod publish;
mod resources;
mod rule;
mod run;
mod signal;
mod spec;
mod state;
mod timer;

pub use behavior::{Behavior, Children, Exit, Feat, Found, HealthPhase, Memory, Reaction};
pub use command::{Command, Failure, Look, Outcome, Reason, Refusal, Removal, Verb};
pub use effect::{Action, Effect, Effects, Event, EventKind, Transition};
pub use facts::{Freezer, HostFacts};
pub use files::{Came, FileDeed};
pub use health::{Answer, Health};
pub use host::{Host, Status};
pub use lookup::{InvalidLookup, KnownHost, Lookup, SearchDomain, Whereabouts};
pub use name::{Id, InvalidName, Name, Ticket};
pub use observation::{Ending, Observation, Oom, Within};
pub use publish::InvalidPublish;
pub use resources::{FIRST_ADDRESS, Resources};
pub use rule::Rule;
pub use run::ExecId;
pub use signal::{DefaultAction, InvalidSignal, Signal};
pub use spec::{
    Access, CallFilter, ContainerSpec, ExecSpec, Families, HealthCheck, HeldPort, LAB_IMAGE, Limits,
    MemorySwap, NetworkMode, PortBinding, Privileges, Protocol, RestartPolicy, StopTimeout, Streams,
    TmpfsMount, VolumeMount,
};
pub use state::State;
pub use timer::{DEFAULT_GRACE, Timer};
