//! `terrarium update`: another restart policy, other limits.

use clap::Args;

use super::super::{Globals, WRONG_WORDS, complain};
use super::each::ask_each;
use super::quantity::{count, cpus, memory, policy, shares, swap};
use crate::model::{Limits, MemorySwap, RestartPolicy, Verb};

/// Change containers' restart policy and limits
#[derive(Args)]
pub(in super::super) struct Update {
    /// What happens after its end: no, on-failure[:N], always or unless-stopped
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    restart: Option<RestartPolicy>,

    /// The most memory that its processes may use, like 64m or 1g
    #[arg(short, long, value_name = "BYTES", value_parser = memory)]
    memory: Option<u64>,

    /// How much of memory and swap together, like 1g; -1 for all the swap there is
    #[arg(long, value_name = "BYTES", value_parser = swap, allow_hyphen_values = true)]
    memory_swap: Option<MemorySwap>,

    /// Its share of a CPU that others want too, where 1024 is usual
    #[arg(long, value_name = "SHARES", value_parser = shares)]
    cpu_shares: Option<u32>,

    /// How many CPUs it may use, like 0.5
    #[arg(long, value_name = "CPUS", value_parser = cpus)]
    cpus: Option<u32>,

    /// The most processes that it may have
    #[arg(long, value_name = "COUNT", value_parser = count)]
    pids_limit: Option<u32>,

    /// Containers, by name or by the beginning of their id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Update {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        let limits = Limits {
            memory: self.memory,
            memory_swap: self.memory_swap,
            cpus: self.cpus,
            cpu_shares: self.cpu_shares,
            pids: self.pids_limit,
        };
        if self.restart.is_none() && limits == Limits::default() {
            complain(&"you must provide one or more flags (see: terrarium update --help)");
            return WRONG_WORDS;
        }
        ask_each(globals, &self.containers, &Verb::Update { restart: self.restart, limits })
    }
}
