//! What a person can ask of a container, and what the answer can be.

use alloc::{boxed::Box, string::String};
use core::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{ContainerSpec, ExecSpec, InvalidSignal, Limits, Name, RestartPolicy, Signal, StopTimeout};

/// A request to one container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Command {
    /// Whose.
    pub container: Name,
    /// What.
    pub verb: Verb,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verb {
    /// Make it, up to a parked process.
    Create(Box<ContainerSpec>),
    /// Let it run.
    Start,
    /// Freeze it.
    Pause,
    /// Thaw it.
    Unpause,
    /// Ask it to end, and end it after the grace period.
    Stop {
        /// The grace period; else the container's, else ten seconds.
        timeout: Option<StopTimeout>,
        /// What asks it to end; else the container's stop signal, else SIGTERM.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<Signal>,
    },
    /// Stop and start.
    Restart {
        /// The grace period, as for stop.
        timeout: Option<StopTimeout>,
        /// What asks it to end, as for stop.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<Signal>,
    },
    /// Send it a signal.
    Kill {
        /// Which.
        signal: Signal,
    },
    /// Take it apart.
    Remove(Removal),
    /// Give it another name.
    Rename {
        /// That name.
        to: Name,
    },
    /// Change its restart policy or its limits.
    Update {
        /// The policy from now on.
        restart: Option<RestartPolicy>,
        /// The limits from now on.
        limits: Limits,
    },
    /// Run a command inside it.
    Exec(ExecSpec),
    /// Wait for its death; at once if it has no process.
    Wait,
    /// Tell that an image has been made of it.
    Commit,
    /// Look at it.
    Look(Look),
}

/// Ways to look at a container that change nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Look {
    /// What it has written.
    Logs,
    /// Everything that is known of it.
    Inspect,
    /// Its processes.
    Top,
    /// What it costs.
    Stats,
    /// Copy a file out of it.
    CopyOut,
    /// Copy a file into it.
    CopyIn,
    /// What has changed in its files.
    Diff,
}

/// How a container is to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Removal {
    /// Only if it has ended.
    Gentle,
    /// Whatever its state: it is killed first.
    Forced,
}

impl Command {
    /// A kill with a signal as it was typed: refused in every state, and without a container too, if there is none.
    pub fn kill(container: Name, signal: &str) -> Result<Self, Refusal> {
        match signal.parse() {
            Ok(signal) => Ok(Self { container, verb: Verb::Kill { signal } }),
            Err(InvalidSignal(text)) => {
                Err(Refusal { container, verb: "kill", reason: Reason::InvalidSignal(text) })
            }
        }
    }
}

impl Verb {
    /// The word that people type.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Stop { .. } => "stop",
            Self::Restart { .. } => "restart",
            Self::Kill { .. } => "kill",
            Self::Remove(_) => "remove",
            Self::Rename { .. } => "rename",
            Self::Update { .. } => "update",
            Self::Exec(_) => "exec in",
            Self::Wait => "wait for",
            Self::Commit => "commit",
            Self::Look(Look::Logs) => "read the logs of",
            Self::Look(Look::Inspect) => "inspect",
            Self::Look(Look::Top) => "list the processes of",
            Self::Look(Look::Stats) => "measure",
            Self::Look(Look::CopyOut) => "copy out of",
            Self::Look(Look::CopyIn) => "copy into",
            Self::Look(Look::Diff) => "compare",
        }
    }
}

/// The answer to a command that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Outcome {
    /// It was done.
    Done,
    /// What was waited for has ended with this code.
    Exited(i32),
    /// There was nothing to do: Docker's 304.
    Noop,
    /// It had waited for the container to settle, and was then refused.
    Refused(Refusal),
    /// It was begun and went wrong.
    Failed(Failure),
}

/// A command that was refused; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Error)]
#[error("cannot {verb} {container}: {reason}{}", Advice(.container, .reason))]
pub struct Refusal {
    /// Who was addressed.
    pub container: Name,
    /// What was asked for.
    pub verb: &'static str,
    /// Why not.
    pub reason: Reason,
}

/// Why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Reason {
    /// Nobody has this name.
    NoSuchContainer,
    /// Somebody has this name.
    NameInUse(Name),
    /// It has no process.
    NotRunning,
    /// It is not frozen.
    NotPaused,
    /// It is frozen already.
    AlreadyPaused,
    /// It is frozen.
    Paused,
    /// It waits for its next start.
    Restarting,
    /// It has a process.
    Running,
    /// It is being removed.
    RemovalInProgress,
    /// Its removal has begun, so it cannot live again.
    MarkedForRemoval,
    /// It would be removed as soon as its policy wants it started again.
    RemovedAndRestarted,
    /// There is no such signal; what was typed.
    InvalidSignal(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidSignal(text) => return write!(f, "invalid signal: {text}"),
            Self::NameInUse(name) => return write!(f, "the name {name} is already in use"),
            Self::NoSuchContainer => "no such container",
            Self::NotRunning => "it is not running",
            Self::NotPaused => "it is not paused",
            Self::AlreadyPaused => "it is already paused",
            Self::Paused => "it is paused",
            Self::Restarting => "it is restarting",
            Self::Running => "it is running",
            Self::RemovalInProgress => "its removal is already in progress",
            Self::MarkedForRemoval => "it is marked for removal",
            Self::RemovedAndRestarted => "a restart policy and auto-remove contradict each other",
        })
    }
}

/// The next step, for a person who was refused.
struct Advice<'a>(&'a Name, &'a Reason);

impl fmt::Display for Advice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(name, reason) = self;
        match reason {
            Reason::NoSuchContainer => write!(f, " (create it first: terrarium create --name {name} IMAGE)"),
            Reason::NameInUse(taken) => {
                write!(f, " (remove its owner first, or choose another: terrarium rm {taken})")
            }
            Reason::NotRunning => write!(f, " (start it first: terrarium start {name})"),
            Reason::NotPaused => write!(f, " (pause it first: terrarium pause {name})"),
            Reason::AlreadyPaused | Reason::Paused => {
                write!(f, " (unpause it first: terrarium unpause {name})")
            }
            Reason::Restarting => write!(f, " (wait until it runs, or end it: terrarium stop {name})"),
            Reason::Running => {
                write!(f, " (stop it first: terrarium stop {name}; or force: terrarium rm -f {name})")
            }
            Reason::RemovalInProgress => write!(f, " (wait until it is gone: terrarium ps -a)"),
            Reason::MarkedForRemoval => write!(f, " (remove it for good: terrarium rm -f {name})"),
            Reason::RemovedAndRestarted => write!(f, " (leave one of them out)"),
            Reason::InvalidSignal(_) => write!(f, " (use a name like SIGTERM, or a number from 1 to 64)"),
        }
    }
}

/// A command that was accepted and went wrong; something may have changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Error)]
#[error("{message}")]
pub struct Failure {
    /// The exit code that it leaves: 126, 127 or 128 for a failed start.
    pub code: Option<i32>,
    /// What failed, on what, why, and the next step.
    pub message: String,
}
