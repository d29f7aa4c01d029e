//! What a world can report. An observation is never refused: it has already happened.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::{Answer, ExecId, Failure, HeldPort, Timer};

/// Something that happened to one container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Observation {
    /// The name is ours.
    NameGranted,
    /// The name is somebody else's.
    NameDenied,
    /// These host ports are ours.
    PortsGranted(Vec<HeldPort>),
    /// A host port is somebody else's, or cannot be had.
    PortsDenied(Failure),
    /// Its process is parked.
    Prepared,
    /// It could not be made ready.
    PrepareFailed(Failure),
    /// Its process executes its program.
    Executed,
    /// Its program could not be executed; the parked process is lost.
    ExecuteFailed(Failure),
    /// Its PID 1 has ended, and with it every process in its PID namespace.
    Ended(Ending),
    /// All its processes are frozen.
    Frozen,
    /// They could not be frozen.
    FreezeFailed(Failure),
    /// They run again.
    Thawed,
    /// They could not be thawed.
    ThawFailed(Failure),
    /// Something inside it that its PID 1 outlives.
    Within(Within),
    /// A timer that was armed has run out.
    Fired(Timer),
    /// Nothing of it is left.
    Removed,
    /// Something of it could not be deleted.
    RemoveFailed(String),
}

/// Something that happened inside a container, past its PID 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Within {
    /// The kernel killed a process for want of memory, and not PID 1.
    OutOfMemory,
    /// A command runs inside.
    ExecBegan(ExecId),
    /// A command that was run inside has ended with this code.
    ExecEnded(ExecId, i32),
    /// A command could not be run inside.
    ExecFailed(ExecId, Failure),
    /// A health probe has been answered.
    Probed(Answer),
}

/// How a PID 1 ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ending {
    /// Its exit code, or 128 + n for signal n.
    pub code: i32,
    /// Whether the kernel killed a process of this run for want of memory.
    pub oom: Oom,
}

/// Whether the kernel's OOM killer struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Oom {
    /// Memory sufficed.
    None,
    /// It killed a process.
    Struck,
}
