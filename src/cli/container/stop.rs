//! `terrarium stop`: asks containers to end, and ends them after their grace period.

use clap::Args;

use super::super::Globals;
use super::each::ask_each;
use super::quantity::grace;
use crate::model::{StopTimeout, Verb};

/// Stop containers: a signal, a grace period, then SIGKILL
#[derive(Args)]
pub(in super::super) struct Stop {
    #[command(flatten)]
    grace: Grace,

    /// Containers, by name or by the beginning of their id
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// How long a process may take to end.
#[derive(Args)]
pub(super) struct Grace {
    /// Seconds before it is killed; -1 for never [default: the container's own, else 10]
    #[arg(
        short = 't', long = "timeout", alias = "time", value_name = "SECONDS", allow_negative_numbers = true,
        value_parser = grace
    )]
    pub(super) timeout: Option<StopTimeout>,
}

impl Stop {
    pub(super) fn perform(&self, globals: &Globals) -> u8 {
        ask_each(globals, &self.containers, &Verb::Stop { timeout: self.grace.timeout })
    }
}
