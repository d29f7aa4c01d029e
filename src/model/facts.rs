//! What a host can do: an input of the model and of the simulator, because it changes what happens.

use serde::{Deserialize, Serialize};

/// The facts about one host that change a container's life there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HostFacts {
    /// How processes are frozen.
    pub freezer: Freezer,
    /// How many namespaces a container gets.
    pub namespaces: u64,
    /// How many mounts it finds in its mount namespace.
    pub mounts: u64,
}

/// How a host freezes processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Freezer {
    /// `cgroup.freeze`: a SIGKILL still ends a frozen process.
    CgroupV2,
    /// The v1 freezer controller: nothing reaches a frozen process until it is thawed.
    CgroupV1,
    /// SIGSTOP to every process: they can see it, and a SIGKILL still ends them.
    Signals,
}

impl HostFacts {
    /// The host that the simulator assumes when it is alone, so that its output is the same everywhere.
    pub const ASSUMED: Self = Self { freezer: Freezer::CgroupV2, namespaces: 6, mounts: 20 };
}
